"""The master text: an entity's whole profile as one text, its title first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.rows import ExhibitorRow, SessionRow, SpeakerRow
from ingest.sentences import clip, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.rows import Row

__all__ = ["MASTER_LIMIT", "master_text", "title_of"]

MASTER_LIMIT = 8_000
"""Characters. The tightest embedder we know takes 8,192 tokens, and no script has more than about
one token a character; a longer profile says nothing new about what the entity is."""


def title_of(row: Row) -> str:
    """What the entity is called."""
    return row.title if isinstance(row, SessionRow) else row.name


def master_text(row: Row) -> str:
    """The profile in lines: title, people or place of work, classification, place, then the text itself.

    Times are left out: they are filters, and their digits would only blur the vector.
    """
    match row:
        case SessionRow():
            people = ", ".join(speaker.with_company for speaker in row.speakers)
            kind = _commas(row.track, row.session_type, row.level, row.language)
            lines = [row.title, people, kind, _commas(*row.tags), row.room, plain_text(row.description)]
        case SpeakerRow():
            titles = [session.title for session in row.sessions]
            lines = [row.name, _commas(row.title, row.company), _commas(*row.topics), *titles, plain_text(row.bio)]
        case ExhibitorRow():
            place = _commas(row.booth_number and f"Booth {row.booth_number}", row.sponsor_level, row.website)
            lines = [row.name, row.category, _commas(*row.tags), plain_text(row.description), place]
    return clip("\n".join(_present(lines)), MASTER_LIMIT)


def _commas(*parts: str) -> str:
    return ", ".join(_present(parts))


def _present(parts: Iterable[str]) -> Iterable[str]:
    return (part for part in parts if part)

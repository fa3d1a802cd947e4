"""From a row and its facets to what the index takes: texts, payload, and the hash of what they rest on."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ingest.facet_writers.writer import facet_source
from ingest.rows import ExhibitorRow, SessionRow, SpeakerRow
from ingest.sentences import plain_text
from ingest.texts import master_text, title_of
from search.entity import MASTER_KEY, IndexedEntity

if TYPE_CHECKING:
    from ingest.facet_writers.writer import Facets
    from ingest.rows import Row

__all__ = ["LINK_IDS", "indexed_entity", "source_hash", "zone_of"]

LINK_IDS = "link_ids"
"""Payload: ids of the junction rows between sessions and speakers, so that a deleted one is still known."""


def indexed_entity(row: Row, facets: Facets, zone: tzinfo) -> IndexedEntity:
    """The entity as the index takes it; ``zone`` is the conference's, for times that have no offset."""
    return IndexedEntity(
        entity_id=row.id,
        entity_type=row.entity_type,
        conference_id=row.conference_id,
        title=title_of(row),
        texts={MASTER_KEY: master_text(row), **facets.texts},
        payload={key: value for key, value in _payload(row, facets, zone).items() if value not in ("", [])},
    )


def source_hash(row: Row, writer_version: str) -> str:
    """SHA-256, hexadecimal, of what facets may draw on and the writer's version: what the texts rest on."""
    source = json.dumps(facet_source(row), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(f"{writer_version}\n{source}".encode()).hexdigest()


def zone_of(conference: dict[str, Any]) -> tzinfo:
    """A conference row's time zone; UTC where it names none that exists."""
    try:
        return ZoneInfo(str(conference.get("timezone") or "UTC"))
    except (KeyError, OSError, ValueError):  # unknown, too long for a file's name, not a key at all
        return UTC


def _payload(row: Row, facets: Facets, zone: tzinfo) -> dict[str, Any]:
    own = {"source_hash": source_hash(row, facets.version)}
    match row:
        case SessionRow():
            return own | {
                "start_time": _with_offset(row.start_time, zone),
                "end_time": _with_offset(row.end_time, zone),
                "room": row.room,
                "track": row.track,
                "level": row.level,
                "session_type": row.session_type,
                "language": row.language,
                "tags": list(row.tags),
                "speakers": [{"id": person.id, "name": person.name} for person in row.speakers],
                "description": plain_text(row.description),
                LINK_IDS: list(row.link_ids),
            }
        case SpeakerRow():
            return own | {
                "title": row.title,
                "company": row.company,
                "topics": list(row.topics),
                "sessions": [
                    {
                        "id": session.id,
                        "title": session.title,
                        "start_time": _with_offset(session.start_time, zone),
                        "room": session.room,
                    }
                    for session in row.sessions
                ],
                "description": plain_text(row.bio),
                LINK_IDS: list(row.link_ids),
            }
        case ExhibitorRow():
            return own | {
                "booth_number": row.booth_number,
                "category": row.category,
                "website": row.website,
                "sponsor_level": row.sponsor_level,
                "tags": list(row.tags),
                "description": plain_text(row.description),
            }


def _with_offset(time: str, zone: tzinfo) -> str:
    """ISO 8601 with an offset; no text where the row holds no time (a filter must not trip over it)."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return ""
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()

"""Facets from the fields alone: no model, no key, and nothing that the row does not say."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from ingest.facet_writers.cues import EXHIBITOR_CUES, SESSION_CUES, SPEAKER_CUES, Cue
from ingest.facet_writers.writer import FACET_LIMIT, Facets
from ingest.rows import ExhibitorRow, SessionRow, SpeakerRow
from ingest.sentences import Sentence, clip, plain_text, sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ingest.rows import Row, SessionBrief

__all__ = ["TemplateFacetWriter"]

_SENTENCES_PER_FACET = 2
"""Two sentences keep an aspect apart from the rest. Sample conference, static embedder, nDCG@10 of 33
vague questions by the mean of an entity's best two facets: 0.398 with one sentence, 0.423 with two, 0.403
with three, 0.412 with five; the master text has 0.408. Differences of this size are within the noise."""

_SESSIONS_PER_SPEAKER = 5
_TERMS_PER_FACET = 15

_TERM = re.compile(r"(?<![.!?:\u2026] )(?<!^)\b(?=\w*[A-Z0-9])[A-Za-z][\w+#]*(?:[.-]\w+)*", re.MULTILINE)
"""What looks like a name of a technology: a capital or a digit, not at a sentence's beginning."""


class TemplateFacetWriter:
    """Divides an entity's own sentences among its facets by what they speak of."""

    version = "template-1"
    paid = False

    async def write(self, row: Row) -> Facets:
        """The facets of one entity; those without material are left out."""
        match row:
            case SessionRow():
                parts = _session(row)
            case SpeakerRow():
                parts = _speaker(row)
            case ExhibitorRow():
                parts = _exhibitor(row)
        texts = {key: clip(text, FACET_LIMIT) for key, text in parts.items() if text}
        return Facets(texts, self.version)


def _session(row: SessionRow) -> dict[str, str]:
    said = _divide(row.description, SESSION_CUES)
    level = f"For attendees at {row.level} level" if row.level else ""
    return {
        "what_you_will_learn": _about(row.title, said["what_you_will_learn"]),
        "problems_addressed": _about(row.title, said["problems_addressed"]),
        "who_should_attend": _join(level, row.track, said["who_should_attend"], row.title)
        if level or said["who_should_attend"]
        else "",
        "topics_and_technologies": _join(row.title, row.track, ", ".join(row.tags), _terms(row.description)),
        "format_and_level": _format_and_level(row),
        "why_attend": _about(row.title, said["why_attend"]),
    }


def _format_and_level(row: SessionRow) -> str:
    minutes = _minutes(row.start_time, row.end_time)
    form = ", ".join(
        part
        for part in (
            row.session_type,
            f"{row.level} level" if row.level else "",
            f"{minutes} minutes" if minutes else "",
            f"in {row.language}" if row.language else "",
        )
        if part
    )
    people = ", ".join(
        f"{person.name} ({person.company})" if person.company else person.name for person in row.speakers
    )
    return _join(form, row.title, row.track, f"With {people}" if people else "") if form or people else ""


def _exhibitor(row: ExhibitorRow) -> dict[str, str]:
    said = _divide(row.description, EXHIBITOR_CUES)
    tags = ", ".join(row.tags)
    sponsor = f"a {row.sponsor_level} sponsor" if row.sponsor_level else ""
    booth = f"at booth {row.booth_number}" if row.booth_number else ""
    visit = ", ".join(part for part in (booth, sponsor) if part)
    return {
        "what_we_sell": _about(row.name, _join(row.category, tags, said["what_we_sell"])),
        "problems_we_solve": _join(row.category, said["problems_we_solve"]) if said["problems_we_solve"] else "",
        "who_we_help": said["who_we_help"],
        "our_expertise": _about(row.name, _join(row.category, said["our_expertise"])),
        "industries_we_serve": _join(row.category, said["industries_we_serve"]),
        "why_visit_us": _about(f"Visit {row.name} {visit}".strip(), said["why_visit_us"] or (visit and row.category)),
    }


def _speaker(row: SpeakerRow) -> dict[str, str]:
    said = _divide(row.bio, SPEAKER_CUES)
    topics = ", ".join(row.topics)
    sessions = row.sessions[:_SESSIONS_PER_SPEAKER]
    role = ", ".join(part for part in (row.title, row.company) if part)
    return {
        "expertise": _join(topics, *(session.title for session in sessions), said["expertise"]),
        "what_they_speak_about": _join(
            *(_of_session(session, "what_you_will_learn") for session in sessions), "" if sessions else topics
        ),
        "background_and_role": _about(row.name, _join(role, said["background_and_role"])),
        "industries_and_communities": _join(row.company, said["industries_and_communities"]),
        "why_meet_them": _join(
            *(_of_session(session, "problems_addressed") for session in sessions), said["why_meet_them"]
        ),
    }


def _of_session(session: SessionBrief, facet_key: str) -> str:
    return _join(
        session.title, _say(SESSION_CUES[facet_key].pick(sentences(session.description), _SENTENCES_PER_FACET))
    )


def _divide(source: str, cues: dict[str, Cue]) -> dict[str, str]:
    """Each facet's sentences; a sentence may serve two facets, but one not yet taken goes before."""
    found = sentences(source)
    taken: set[Sentence] = set()
    said: dict[str, str] = {}
    for key, cue in cues.items():
        picked = cue.pick(found, _SENTENCES_PER_FACET, taken=taken)
        taken.update(picked)
        said[key] = _say(picked)
    return said


def _say(picked: Sequence[Sentence]) -> str:
    """The sentences in a row; what leads a list is said once."""
    said: list[str] = []
    lead = ""
    for sentence in picked:
        said.append(_ended(sentence.text if sentence.lead == lead else f"{sentence.lead}: {sentence.text}"))
        lead = sentence.lead
    return " ".join(said)


def _terms(source: str) -> str:
    terms = dict.fromkeys(_TERM.findall(plain_text(source)))
    return ", ".join([term for term in terms if len(term) > 1][:_TERMS_PER_FACET])


def _about(subject: str, said: str) -> str:
    """What is said of the subject, the subject first; nothing where nothing is said."""
    return _join(subject, said) if said else ""


def _join(*parts: str) -> str:
    return " ".join(_ended(part) for part in _present(parts))


def _present(parts: Iterable[str]) -> Iterable[str]:
    return (part.strip() for part in parts if part.strip())


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":", "\u2026", "\u3002")) else f"{text}."


def _minutes(start: str, end: str) -> int:
    """The length in minutes; 0 where the times do not tell."""
    try:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):
        return 0
    return max(0, round(seconds / 60))

"""Two or three questions to go on with, drawn from what was found, so that they can be answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistants.conference.entities import Entities
from assistants.conference.entries import moment_of
from assistants.conference.found import best, found
from assistants.conference.offline import FAQ_SHOWN
from assistants.conference.phrases import phrases_for
from assistants.conference.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assistants.conference.phrases import Phrases
    from assistants.interface import TurnView

__all__ = ["suggest"]

_MOST = 3
_NAME_CHARS = 90


def suggest(view: TurnView) -> list[str]:
    """At most three questions, in the question's language, none of them the one that was asked."""
    if view.scope_id is None:
        return []
    phrases = phrases_for(view.understanding.language if view.understanding else "en")
    entities = Entities.of(view.understanding)
    asked = view.question.strip().casefold()
    chosen: list[str] = []
    for question in _candidates(view, entities, phrases):
        if question.casefold() != asked and question not in chosen:
            chosen.append(question)
        if len(chosen) == _MOST:
            break
    return chosen


def _candidates(view: TurnView, entities: Entities, phrases: Phrases) -> Iterator[str]:
    # Registrations and announcements have no speakers, and little to ask.
    rows = sorted(best(view), key=lambda row: row["type"] == "sessions" and not row.get("speakers"))
    seen: set[str] = set()
    for row in rows[:_MOST]:
        kind = str(row["type"])
        if kind not in seen:
            yield from _about(row, entities, phrases)
            seen.add(kind)
    # More of the organisers' questions: they have answers.
    shown = [str(row.get("title")) for row in found(view) if row.get("type") == "faq"]
    yield from (_short(title) for title in shown[FAQ_SHOWN:])
    if not rows:
        yield phrases.ask_first_day
        yield phrases.ask_venue
    else:
        for row in rows[1:_MOST]:
            if row["type"] == "sessions":
                yield phrases.ask_more.format(title=_short(row["title"]))
            elif row["type"] == "exhibitors":
                yield phrases.ask_exhibitor.format(name=_short(row["title"]))
        yield phrases.ask_first_day


def _about(row: dict[str, Any], entities: Entities, phrases: Phrases) -> Iterator[str]:
    title = _short(row["title"])
    match row["type"]:
        case "sessions":
            if row.get("description"):
                yield phrases.ask_more.format(title=title)
            for name in list(row.get("speakers") or ())[:1]:
                yield phrases.ask_speaker.format(name=_short(name))
            start = moment_of(row.get("start_time"), entities.zone)
            if start is not None and row.get("room"):
                weekday = phrases.weekdays[start.weekday()]
                yield phrases.ask_room.format(room=_short(row["room"]), weekday=weekday)
        case "exhibitors":
            yield phrases.ask_exhibitor.format(name=title)
        case "speakers":
            if row.get("sessions"):
                yield phrases.ask_speaker.format(name=title)
        case _:
            return


def _short(text: object) -> str:
    """A name in one plain line; a visitor may send it back to us as a question."""
    line = plain(str(text))
    return line if len(line) <= _NAME_CHARS else line[:_NAME_CHARS].rsplit(" ", 1)[0] + " …"

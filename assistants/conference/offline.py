"""The answer without a model: what was found, put into sentences and lists in the question's language.

It is a mode of its own, not a stopgap: the demo runs on it, and every turn whose models fail ends
with it. All text from outside is escaped, so data can bring no link, image or markup into an answer.
"""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any

from assistants.conference.entities import Entities
from assistants.conference.entries import entry
from assistants.conference.found import best, found, given_up, lacks_the_name, offers
from assistants.conference.intents import Intent
from assistants.conference.phrases import Phrases, phrases_for
from assistants.conference.plain import escaped
from assistants.conference.plan import (
    CONFERENCE_INFO,
    PLACE,
    PLAN,
    SEARCH_EXHIBITORS,
    SEARCH_SESSIONS,
    SEARCH_SPEAKERS,
    TIME,
    TYPES,
)
from assistants.conference.tools.entity_search import NOT_INDEXED
from assistants.conference.understanding import EMPTY, GREETING, THANKS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assistants.interface import TurnView

__all__ = ["FAQ_SHOWN", "fixed_answer", "offline_answer"]

_SHOWN = 5
_SHOWN_EACH = 3
"""Of each kind, where there are several."""
_SHOWN_PROGRAMME = 12
"""A question for what is on wants the programme, not a choice."""
FAQ_SHOWN = 2
_OFFERED = 3
"""Of what is only near: enough to go on with, too few to pass for an answer."""
_FAQ_CHARS = 700
_FAQ_BESIDE = 0.6
"""An entry beside the conference's own dates and place must be very near, for these answer already."""


def fixed_answer(view: TurnView) -> str | None:
    """What needs neither search nor model: no conference, nothing asked, hello, thanks."""
    phrases = _phrases(view)
    entities = Entities.of(view.understanding)
    said = {EMPTY: phrases.nothing_asked, GREETING: phrases.greeting, THANKS: phrases.thanks}
    if entities.said in said:
        return said[entities.said]
    if view.scope_id is None:
        return phrases.which_conference
    if _intent(view) == Intent.CLARIFICATION and view.understanding and view.understanding.decided_by != "model":
        return phrases.ask_back
    return None


def offline_answer(view: TurnView) -> str:
    """A whole answer from the outcomes alone."""
    fixed = fixed_answer(view)
    if fixed is not None:
        return fixed
    phrases = _phrases(view)
    if _intent(view) == Intent.CLARIFICATION:
        return phrases.ask_back
    if any(outcome.error == NOT_INDEXED for outcome in view.outcomes) and not found(view):
        return phrases.not_indexed
    rows = best(view)
    if not rows:
        return "\n\n".join(_instead(view, phrases))
    parts = [_introduction(view, rows, phrases), *_lists(view, rows, phrases)]
    failed = _failed(view, phrases)
    if failed:
        parts.append(phrases.could_not_look_up.format(type=failed))
    return "\n\n".join(part for part in parts if part)


def _phrases(view: TurnView) -> Phrases:
    return phrases_for(view.understanding.language if view.understanding else "en")


def _intent(view: TurnView) -> str:
    return view.understanding.intent if view.understanding else ""


def _nothing(view: TurnView, phrases: Phrases) -> str:
    failed = _failed(view, phrases)
    if failed and all(outcome.error for outcome in view.outcomes):
        return phrases.nothing_could_be_looked_up.format(type=failed)
    entities = Entities.of(view.understanding)
    nothing = phrases.nothing_found
    if _intent(view) == Intent.GENERAL_INFO:
        nothing = phrases.nothing_known
    elif not entities.topic and (entities.time or entities.location):
        nothing = phrases.nothing_at.format(what=_time_and_place(entities))
    return f"{nothing} {phrases.could_not_look_up.format(type=failed)}" if failed else nothing


def _instead(view: TurnView, phrases: Phrases) -> list[str]:
    """That there is nothing, and what is near, called so; the FAQ's other entries are near to nothing."""
    rows = [row for row in offers(view) if row["type"] != "faq"][:_OFFERED]
    if not rows:
        return [_nothing(view, phrases)]
    zone = Entities.of(view.understanding).zone
    offered = "\n".join(entry(row, phrases, zone, brief=True) for row in rows)
    missing = _in_words(PLAN.get(_intent(view), ()), phrases)
    if missing and rows[0].get("answers", True):
        return [phrases.nothing_of_type.format(type=missing), offered]
    return [_nothing(view, phrases), phrases.nearest, offered]


def _time_and_place(entities: Entities) -> str:
    """In the visitor's own words."""
    return ", ".join(escaped(word) for word in (entities.time, entities.location) if word)


def _failed(view: TurnView, phrases: Phrases) -> str:
    """What could not be looked up, in words."""
    return _in_words(dict.fromkeys(outcome.call.tool for outcome in view.outcomes if outcome.error), phrases)


def _in_words(tools: Iterable[str], phrases: Phrases) -> str:
    """What these tools look up."""
    names = {
        SEARCH_SESSIONS: phrases.sessions,
        SEARCH_EXHIBITORS: phrases.exhibitors,
        SEARCH_SPEAKERS: phrases.speakers,
        CONFERENCE_INFO: phrases.information,
    }
    return ", ".join(names[tool] for tool in tools if tool in names)


def _introduction(view: TurnView, rows: list[dict[str, Any]], phrases: Phrases) -> str:
    """What the list is: an answer, or what is near to one because something had to be given up."""
    entities = Entities.of(view.understanding)
    kinds = {str(row["type"]) for row in rows}
    excuse = _excuse(view, entities, phrases)
    if excuse or kinds <= {"faq", "conferences"}:
        return excuse
    only = kinds.pop() if len(kinds) == 1 else "sessions"
    one = len(rows) == 1
    if only == "exhibitors":
        return phrases.exhibitor_found if one else phrases.exhibitors_found
    if only == "speakers":
        return phrases.speaker_found if one else phrases.speakers_found
    return _sessions_introduction(entities, phrases, people=any(row.get("speakers") for row in rows), one=one)


def _sessions_introduction(entities: Entities, phrases: Phrases, *, people: bool, one: bool) -> str:
    if not entities.topic:
        said = _time_and_place(entities)
        return phrases.programme_at.format(what=said) if said else phrases.programme
    if entities.who and people:
        return phrases.people_found
    return phrases.session_found if one else phrases.sessions_found


def _excuse(view: TurnView, entities: Entities, phrases: Phrases) -> str:
    """What was given up to find these, or that nothing has the name asked for; empty when all is well."""
    relaxed = given_up(view)
    without = [entities.time if TIME in relaxed else None, entities.location if PLACE in relaxed else None]
    words = ", ".join(escaped(word) for word in without if word)
    if words:
        return phrases.nothing_then.format(what=words)
    missing = _in_words(PLAN.get(_intent(view), ()), phrases)
    if TYPES in relaxed and missing and _intent(view) != Intent.GENERAL_INFO:
        return phrases.nothing_of_type.format(type=missing)
    only_facts = all(row["type"] in {"faq", "conferences"} for row in found(view))
    if relaxed or (lacks_the_name(view) and not only_facts):
        return phrases.near_instead
    return ""


def _lists(view: TurnView, rows: list[dict[str, Any]], phrases: Phrases) -> list[str]:
    """The rows by type, in the order found; a heading before each type but the first."""
    entities = Entities.of(view.understanding)
    headings = {
        "sessions": phrases.also_sessions,
        "exhibitors": phrases.also_exhibitors,
        "speakers": phrases.also_speakers,
    }
    groups = [(kind, list(group)) for kind, group in groupby(rows, key=lambda row: str(row["type"]))]
    listed = [kind for kind, _ in groups if kind in headings]
    parts: list[str] = []
    for kind, group in groups:
        if kind == "conferences":
            parts.append(_conference(group[0], phrases))
        elif kind == "faq":
            near = [row for row in group if not parts or row.get("score", 0.0) >= _FAQ_BESIDE]
            parts += [_faq(row) for row in near[:FAQ_SHOWN]]
        else:
            shown = _SHOWN_EACH if len(listed) > 1 else _SHOWN if entities.topic else _SHOWN_PROGRAMME
            brief = len(group[:shown]) > _SHOWN
            items = "\n".join(entry(row, phrases, entities.zone, brief=brief) for row in group[:shown])
            parts.append(f"{headings[kind]}\n\n{items}" if kind != listed[0] else items)
    return parts


def _conference(row: dict[str, Any], phrases: Phrases) -> str:
    """Name, dates and place in one line."""
    days = [_day(row.get(key), phrases) for key in ("start_date", "end_date")]
    first, last = days
    when = phrases.span.format(first=first, last=last) if first and last and first != last else first or last
    place = ", ".join(escaped(str(row[key])) for key in ("venue", "city", "country") if row.get(key))
    website = escaped(str(row.get("website") or ""))
    facts = " · ".join(part for part in (when, place, website) if part)
    return f"**{escaped(str(row.get('title') or ''))}**" + (f" · {facts}" if facts else "")


def _day(value: object, phrases: Phrases) -> str:
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        return ""
    return phrases.day.format(weekday=phrases.weekdays[day.weekday()], day=day.day, month=phrases.months[day.month - 1])


def _faq(row: dict[str, Any]) -> str:
    """The organisers' own words, quoted; cut at the end of a sentence where they are long."""
    answer = str(row.get("answer") or "")
    lines = [escaped(line) for line in answer.splitlines() if line.strip()]
    text = "  \n> ".join(lines)
    if len(text) > _FAQ_CHARS:
        text = text[:_FAQ_CHARS].rsplit(" ", 1)[0].rstrip("`\\ ,;:") + " …"
        text += "`" if text.count("`") % 2 else ""
    return f"**{escaped(str(row['title']))}**\n\n> {text}"

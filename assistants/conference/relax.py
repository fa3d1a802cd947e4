"""What to give up when nothing was found: one thing more in each loop, and never the same search twice."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from assistants.conference.entities import Span
from assistants.conference.found import found
from assistants.conference.plan import (
    CONFERENCE_INFO,
    PLACE,
    PLAN,
    RELAXATIONS,
    SEARCH_EXHIBITORS,
    SEARCH_SESSIONS,
    SEARCH_SPEAKERS,
    TIME,
    TYPES,
    arguments,
)
from assistants.interface import ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assistants.interface import TurnView

__all__ = ["is_enough", "relax"]

_NEIGHBOURS: dict[str, tuple[str, ...]] = {
    SEARCH_SESSIONS: (SEARCH_SPEAKERS, SEARCH_EXHIBITORS),
    SEARCH_EXHIBITORS: (SEARCH_SESSIONS, SEARCH_SPEAKERS),
    SEARCH_SPEAKERS: (SEARCH_SESSIONS, SEARCH_EXHIBITORS),
    CONFERENCE_INFO: (SEARCH_SESSIONS,),
}


def relax(view: TurnView) -> list[ToolCall]:
    """The next calls to try; empty when something was found, when nothing could be looked up, or nothing is left.

    A tool that failed has not found nothing: it is not asked again with other words.
    """
    if view.understanding is None or is_enough(view):
        return []
    tried = {_key(outcome.call) for outcome in view.outcomes}
    broken = {outcome.call.tool for outcome in view.outcomes if outcome.error}
    given_up = [step for step in RELAXATIONS if any(step in outcome.call.relaxed for outcome in view.outcomes)]
    for step in RELAXATIONS:
        if step in given_up:
            continue
        calls = [
            call
            for call in _calls(view, (*given_up, step))
            if call.tool not in broken and _key(call) not in tried and not _is_boundless(call)
        ]
        if calls:
            return calls
    return []


def is_enough(view: TurnView) -> bool:
    """Whether something was found, or there is no use in looking on."""
    return bool(found(view)) or all(outcome.error for outcome in view.outcomes)


def _calls(view: TurnView, steps: Sequence[str]) -> list[ToolCall]:
    """The plan with these things given up."""
    intent = view.understanding.intent if view.understanding else ""
    tools = PLAN.get(intent, ())
    if TYPES in steps:
        tools = tuple(dict.fromkeys(near for tool in tools for near in _NEIGHBOURS[tool] if near not in tools))
    calls = []
    for tool in tools:
        given = arguments(view, tool)
        for step in steps:
            given = _without(given, step)
        calls.append(ToolCall(tool=tool, arguments=given, relaxed=tuple(steps)))
    return calls


def _without(given: dict[str, Any], step: str) -> dict[str, Any]:
    if step == TIME and given.get("time_filter"):
        browsing = not given.get("query")
        wider = _whole_days(given["time_filter"]) if browsing else None
        return given | {"time_filter": None if wider == given["time_filter"] else wider}
    if step == PLACE and given.get("location_filter"):
        return given | {"location_filter": None}
    return given


def _whole_days(times: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Who asked for "Friday at eight" and looks around sees Friday, not the whole programme."""
    starts = [start for start in (Span.model_validate(span).start for span in times) if start is not None]
    midnights = dict.fromkeys(start.replace(hour=0, minute=0, second=0, microsecond=0) for start in starts)
    days = (Span(start=midnight, end=midnight + timedelta(days=1)) for midnight in midnights)
    return [day.dump() for day in days]


def _is_boundless(call: ToolCall) -> bool:
    """A search for nothing, nowhere, at no time is a list of everything: no answer to any question.

    Only the programme can be listed by time and place.
    """
    given = call.arguments
    if call.tool != SEARCH_SESSIONS:
        return not given.get("query")
    return not (given.get("query") or given.get("time_filter") or given.get("location_filter") or given.get("kind"))


def _key(call: ToolCall) -> str:
    return json.dumps([call.tool, call.arguments], sort_keys=True, default=str)

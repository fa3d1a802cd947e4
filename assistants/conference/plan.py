"""The plan table: which tools answer which intent, and with what arguments.

It is made from the question alone, before anything is retrieved: no text from outside can change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistants.conference.entities import Entities
from assistants.conference.intents import Intent, SearchType
from assistants.interface import ToolCall
from search.index import MAX_LIMIT

if TYPE_CHECKING:
    from assistants.interface import TurnView

__all__ = [
    "CONFERENCE_INFO",
    "LIMIT",
    "LIMIT_LISTED",
    "PLACE",
    "PLAN",
    "RELAXATIONS",
    "SEARCH_EXHIBITORS",
    "SEARCH_SESSIONS",
    "SEARCH_SPEAKERS",
    "TIME",
    "TYPES",
    "make_plan",
    "what_is_searched",
]

SEARCH_SESSIONS = "search_sessions"
SEARCH_EXHIBITORS = "search_exhibitors"
SEARCH_SPEAKERS = "search_speakers"
CONFERENCE_INFO = "get_conference_info"

PLAN: dict[str, tuple[str, ...]] = {
    Intent.SESSION_SEARCH: (SEARCH_SESSIONS,),
    Intent.EXHIBITOR_SEARCH: (SEARCH_EXHIBITORS,),
    Intent.SPEAKER_SEARCH: (SEARCH_SPEAKERS,),
    Intent.GENERAL_INFO: (CONFERENCE_INFO,),
    Intent.RECOMMENDATION: (SEARCH_SESSIONS, SEARCH_EXHIBITORS),
    Intent.CLARIFICATION: (),
}

TIME, PLACE, TYPES = RELAXATIONS = ("time", "place", "types")
"""What a plan may give up when nothing was found, in this order: a talk an hour later is nearer to what was asked
than another kind of thing. The index's mode is not among them: ``auto`` has looked in every way there is, and what
it refused is not asked for again in a way that refuses less."""

LIMIT = 10
LIMIT_LISTED = 20
"""Of a list that nothing ranks: half a day's programme."""


def make_plan(view: TurnView) -> list[ToolCall]:
    """The calls that answer the understood question; none when there is nothing to look up."""
    if view.understanding is None:
        return []
    intent = view.understanding.intent
    tools = PLAN.get(intent, ())
    if intent == Intent.RECOMMENDATION and not Entities.of(view.understanding).topic:
        tools = (SEARCH_SESSIONS,)  # "what should I not miss?": the programme has highlights, a hall of booths has none
    return [ToolCall(tool=tool, arguments=arguments(view, tool)) for tool in tools]


def what_is_searched(call: ToolCall) -> dict[str, Any]:
    """A call's arguments without those that change nothing."""
    ignored = {"use_faceted"} if call.arguments.get("mode") else frozenset[str]()
    return {key: value for key, value in call.arguments.items() if key not in ignored}


def arguments(view: TurnView, tool: str) -> dict[str, Any]:
    """A tool's arguments.

    Times hold for sessions and for speakers (by their sessions), rooms too; an exhibitor stands
    where it stands all day. ``mode`` is the index's best way; without it ``use_faceted`` decides
    between facets and whole profiles.
    """
    understanding = view.understanding
    entities = Entities.of(understanding)
    if understanding is None or tool == CONFERENCE_INFO:
        return {"query": understanding.query if understanding else view.question, "conference_id": view.scope_id}
    dated = tool != SEARCH_EXHIBITORS
    given: dict[str, Any] = {
        "query": entities.topic,
        "conference_id": view.scope_id,
        "use_faceted": understanding.search_type == SearchType.VAGUE.value,
        "mode": "auto",
        "time_filter": [span.dump() for span in entities.times] if dated and entities.times else None,
        "location_filter": list(entities.rooms) if dated and entities.rooms else None,
        "limit": min((LIMIT if entities.topic else LIMIT_LISTED) + len(entities.known), MAX_LIMIT),
    }
    if tool == SEARCH_SESSIONS and not entities.topic:
        unbounded = not (entities.kind or entities.times or entities.rooms)
        given["kind"] = "keynote" if unbounded and understanding.intent == Intent.RECOMMENDATION else entities.kind
    return given

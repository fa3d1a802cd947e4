"""What a turn would find for a question among one kind of thing, and why: what ``erleah search`` shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assistants.conference.intents import Intent
from assistants.conference.plan import SEARCH_EXHIBITORS, SEARCH_SESSIONS, SEARCH_SPEAKERS, TYPES, make_plan
from assistants.conference.relax import relax
from assistants.conference.tools.entity_search import SearchArguments
from assistants.conference.tools.look_up import look_up
from assistants.interface import ToolOutcome
from search.query import EntityType

if TYPE_CHECKING:
    from assistants.conference.tools.look_up import LookedUp
    from assistants.interface import Toolbox, ToolCall, TurnView, Understanding
    from search.query import Found

__all__ = ["search_as_a_turn"]

_SEARCHES: dict[EntityType, tuple[Intent, str]] = {
    EntityType.SESSIONS: (Intent.SESSION_SEARCH, SEARCH_SESSIONS),
    EntityType.EXHIBITORS: (Intent.EXHIBITOR_SEARCH, SEARCH_EXHIBITORS),
    EntityType.SPEAKERS: (Intent.SPEAKER_SEARCH, SEARCH_SPEAKERS),
}


async def search_as_a_turn(
    view: TurnView, understanding: Understanding, entity_type: EntityType, limit: int, toolbox: Toolbox
) -> dict[str, Any]:
    """The rows, the filters and what was relaxed; ``{mode, query, filters, relaxed, results, near, explain}``.

    The question's times and places are filters, given up in turn while nothing is found; other kinds of
    thing are not looked for. Raises what the index and, for a list, Directus raise.
    """
    intent, tool = _SEARCHES[entity_type]
    view = replace(view, understanding=understanding.model_copy(update={"intent": intent.value}))
    calls = [call for call in make_plan(view) if call.tool == tool]
    while True:
        call = calls[0]
        given = SearchArguments.model_validate(call.arguments | {"limit": limit})
        looked = await look_up(given, entity_type, toolbox)
        view = replace(view, outcomes=(*view.outcomes, ToolOutcome(call=call, results=looked.rows)))
        calls = [another for another in relax(view) if another.tool == tool and TYPES not in another.relaxed]
        if not calls:
            return _report(call, given, looked)


def _report(call: ToolCall, given: SearchArguments, looked: LookedUp) -> dict[str, Any]:
    why = looked.result
    hits = {hit.entity_id: hit for hit in (*why.results, *why.near)} if why else {}
    answers = [row for row in looked.rows if row.get("answers", True)]
    near = [row for row in looked.rows if row not in answers]
    return {
        "mode": given.search_mode.value,
        "query": given.query,
        "filters": _filters(given),
        "relaxed": list(call.relaxed),
        "results": [_row(row, hits.get(row["id"])) for row in answers],
        "near": [_row(row, hits.get(row["id"])) for row in near],
        "explain": why.explain if why else {},
    }


def _row(row: dict[str, Any], hit: Found | None) -> dict[str, Any]:
    """A row as operators read it; ``hit`` is None for what was listed and has no scores."""
    shown = {key: row[key] for key in ("id", "title", "score", "facet_scores", "type")}
    return shown | {"facet_matches": hit.facet_matches if hit else 0, "parts": hit.parts if hit else {}}


def _filters(given: SearchArguments) -> dict[str, Any]:
    """Times are [start, end] in ISO 8601, None where open."""
    times = [[span.start and span.start.isoformat(), span.end and span.end.isoformat()] for span in given.times]
    runs_at = next((span.runs_at.isoformat() for span in given.times if span.runs_at), None)
    named = {"times": times, "runs_at": runs_at, "rooms": list(given.rooms), "kind": given.kind}
    return {"conference_id": given.conference_id} | {key: value for key, value in named.items() if value}

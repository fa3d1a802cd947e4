"""One look-up: a search of the index, or a list where the question only browses; its rows as they are now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from assistants.conference.tools.entity_search import NOT_INDEXED, found_rows
from assistants.conference.tools.programme import list_entities, list_sessions
from assistants.conference.tools.rows_now import as_they_are_now, fits
from search.query import EntityType, SearchQuery
from services.errors import NotFoundError

if TYPE_CHECKING:
    from assistants.conference.tools.entity_search import SearchArguments
    from assistants.interface import Toolbox
    from search.query import SearchResult

__all__ = ["LookedUp", "look_up"]

_MORE = 5
"""Times the limit that is fetched when speakers are then chosen by their sessions' time or room."""
_MOST = 50


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The rows, and how the index found them; None where they were listed.

    A row that is only near, where nothing is an answer, has ``answers`` False. ``read_as`` has the
    mistyped words that the index read otherwise.
    """

    rows: list[dict[str, Any]]
    result: SearchResult | None = None


async def look_up(given: SearchArguments, entity_type: EntityType, toolbox: Toolbox) -> LookedUp:
    """What fits the query and the filters; without a query what the filters leave.

    Times and rooms hold for sessions, and for speakers by their sessions; exhibitors have neither.
    Raises NotFoundError when the index has nothing at all of this conference: that is another thing
    than finding nothing.
    """
    if not given.query.strip():
        if entity_type is EntityType.SESSIONS:
            return LookedUp(await list_sessions(given, toolbox))
        return LookedUp(await list_entities(entity_type, given, toolbox))
    if entity_type is EntityType.SPEAKERS and (given.times or given.rooms):
        more = given.model_copy(update={"limit": max(given.limit, min(given.limit * _MORE, _MOST))})
        looked = await _search(more, entity_type, toolbox)
        then = [row for row in (_only_then(row, given) for row in looked.rows) if row["sessions"]]
        return replace(looked, rows=then[: given.limit])
    return await _search(given, entity_type, toolbox)


async def _search(given: SearchArguments, entity_type: EntityType, toolbox: Toolbox) -> LookedUp:
    conference_id = given.conference_id or ""
    query = SearchQuery(
        text=given.query,
        conference_id=conference_id,
        entity_type=entity_type,
        mode=given.search_mode,
        limit=given.limit,
        times=given.times,
        rooms=given.rooms,
    )
    result = await toolbox.index.search(query)
    if not (result.results or result.near) and not any((await toolbox.index.counts(conference_id)).values()):
        raise NotFoundError(NOT_INDEXED)
    near = [row | {"answers": False} for row in found_rows(result.near)]
    corrected = result.explain.get("corrected")
    read_as = {"read_as": corrected} if corrected else {}
    rows = [row | read_as for row in (*found_rows(result.results), *near)]
    return LookedUp(await as_they_are_now(rows, entity_type, given, toolbox), result)


def _only_then(row: dict[str, Any], given: SearchArguments) -> dict[str, Any]:
    """The speaker with those of his sessions that lie within the filters."""
    return row | {"sessions": [session for session in row.get("sessions") or () if fits(session, given)]}

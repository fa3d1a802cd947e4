"""The tool ``search_speakers``: people, by meaning, and by when and where they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistants.conference.plan import SEARCH_SPEAKERS
from assistants.conference.tools.entity_search import SearchArguments, run_tool, search_rows
from assistants.conference.tools.programme import list_entities
from assistants.conference.tools.rows_now import fits
from search.query import EntityType

if TYPE_CHECKING:
    from assistants.interface import Toolbox, ToolOutcome, TurnView

__all__ = ["search_speakers"]

_MORE = 5
"""Times the limit that is fetched when speakers are then chosen by their sessions' time or room."""
_MOST = 50


async def search_speakers(arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
    """Speakers that fit the query; with a time or a place, those who have a session then and there."""

    async def find(given: SearchArguments) -> list[dict[str, Any]]:
        if not given.query.strip():
            return await list_entities(EntityType.SPEAKERS, given, toolbox)
        if not given.times and not given.rooms:
            return await search_rows(given, EntityType.SPEAKERS, toolbox)
        limit = min(given.limit * _MORE, _MOST)
        rows = await search_rows(given, EntityType.SPEAKERS, toolbox, limit=limit)
        return [row for row in (_only_then(row, given) for row in rows) if row["sessions"]][: given.limit]

    return await run_tool(SEARCH_SPEAKERS, arguments, view, find)


def _only_then(row: dict[str, Any], given: SearchArguments) -> dict[str, Any]:
    """The speaker with those of his sessions that lie within the filters."""
    return row | {"sessions": [session for session in row.get("sessions") or () if fits(session, given)]}

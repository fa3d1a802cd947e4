"""The tool ``search_sessions``: talks, tutorials, panels; by meaning, time and room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistants.conference.plan import SEARCH_SESSIONS
from assistants.conference.tools.entity_search import SearchArguments, run_tool, search_rows
from assistants.conference.tools.programme import list_sessions
from search.query import EntityType

if TYPE_CHECKING:
    from assistants.interface import Toolbox, ToolOutcome, TurnView

__all__ = ["search_sessions"]


async def search_sessions(arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
    """Sessions that fit the query and the filters; without a query, the programme within the filters."""

    async def find(given: SearchArguments) -> list[dict[str, Any]]:
        if not given.query.strip():
            return await list_sessions(given, toolbox)
        return await search_rows(given, EntityType.SESSIONS, toolbox)

    return await run_tool(SEARCH_SESSIONS, arguments, view, find)

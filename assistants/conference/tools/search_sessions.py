"""The tool ``search_sessions``: talks, tutorials, panels; by meaning, time and room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistants.conference.plan import SEARCH_SESSIONS
from assistants.conference.tools.entity_search import SearchArguments, run_tool
from assistants.conference.tools.look_up import look_up
from search.query import EntityType

if TYPE_CHECKING:
    from assistants.interface import Toolbox, ToolOutcome, TurnView

__all__ = ["search_sessions"]


async def search_sessions(arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
    """Sessions that fit the query and the filters; without a query, the programme within the filters."""

    async def find(given: SearchArguments) -> list[dict[str, Any]]:
        return (await look_up(given, EntityType.SESSIONS, toolbox)).rows

    return await run_tool(SEARCH_SESSIONS, arguments, view, find)

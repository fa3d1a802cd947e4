"""The tool ``search_exhibitors``: companies and their booths, by meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistants.conference.plan import SEARCH_EXHIBITORS
from assistants.conference.tools.entity_search import SearchArguments, run_tool
from assistants.conference.tools.look_up import look_up
from search.query import EntityType

if TYPE_CHECKING:
    from assistants.interface import Toolbox, ToolOutcome, TurnView

__all__ = ["search_exhibitors"]


async def search_exhibitors(arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
    """Exhibitors that fit the query; without a query, the first by name. They have neither time nor room."""

    async def find(given: SearchArguments) -> list[dict[str, Any]]:
        return (await look_up(given, EntityType.EXHIBITORS, toolbox)).rows

    return await run_tool(SEARCH_EXHIBITORS, arguments, view, find)

"""The tool ``search_speakers``: people, by meaning, and by when and where they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistants.conference.plan import SEARCH_SPEAKERS
from assistants.conference.tools.entity_search import SearchArguments, run_tool
from assistants.conference.tools.look_up import look_up
from search.query import EntityType

if TYPE_CHECKING:
    from assistants.interface import Toolbox, ToolOutcome, TurnView

__all__ = ["search_speakers"]


async def search_speakers(arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
    """Speakers that fit the query; with a time or a place, those who have a session then and there."""

    async def find(given: SearchArguments) -> list[dict[str, Any]]:
        return (await look_up(given, EntityType.SPEAKERS, toolbox)).rows

    return await run_tool(SEARCH_SPEAKERS, arguments, view, find)

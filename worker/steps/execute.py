"""The step ``execute``: make the planned calls, all at the same time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from assistants.interface import ToolCall, ToolOutcome
from services.errors import ErleahError
from services.logging import get_logger
from worker.next_step import Continue, NextStep
from worker.turn import State

if TYPE_CHECKING:
    from assistants.interface import TurnView
    from worker.services import StepServices
    from worker.turn import Turn

log = get_logger(__name__)

TOOL_TIMEOUT_S = 10.0
"""The longest a tool may take: a visitor waits for the slowest, and most take milliseconds."""


async def execute(turn: Turn, services: StepServices) -> NextStep:
    """Make each planned call that has no outcome yet; a tool that fails is recorded, the turn goes on.

    Reads planned and outcomes; adds outcomes and one iteration; leaves the rest alone.
    """
    made = {outcome.call.model_dump_json() for outcome in turn.outcomes}
    due = [call for call in turn.planned if call.model_dump_json() not in made]
    view = turn.view()
    turn.outcomes += await asyncio.gather(*(_call(call, view, services) for call in due))
    turn.iterations += 1
    return Continue(State.REFLECT)


async def _call(call: ToolCall, view: TurnView, services: StepServices) -> ToolOutcome:
    began = time.perf_counter()
    tool = services.assistant.tools.get(call.tool)
    try:
        if tool is None:
            outcome = ToolOutcome(call=call, error=f"there is no tool {call.tool}")
        else:
            async with asyncio.timeout(TOOL_TIMEOUT_S):
                outcome = await tool(dict(call.arguments), view=view, toolbox=services.toolbox)
            # The record says what was planned, whatever the tool made of it.
            outcome = outcome.model_copy(update={"call": call})
    except TimeoutError:
        outcome = ToolOutcome(call=call, error="it took too long")
    except ErleahError as error:
        outcome = ToolOutcome(call=call, error=str(error))
    except Exception:  # a tool's defect costs its own result only
        log.exception("tool.failed", tool=call.tool)
        outcome = ToolOutcome(call=call, error="it failed")
    if outcome.error is not None:
        log.warning("tool.no_result", tool=call.tool, reason=outcome.error)
    outcome.took_ms = round((time.perf_counter() - began) * 1000, 2)
    return outcome

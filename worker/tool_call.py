"""One call of a tool: within its time, and with a failure recorded in its stead."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from assistants.interface import ToolCall, ToolOutcome
from services.errors import ErleahError
from services.logging import get_logger

if TYPE_CHECKING:
    from assistants.interface import TurnView
    from worker.services import StepServices

__all__ = ["TOOL_TIMEOUT_S", "make_call"]

log = get_logger(__name__)

TOOL_TIMEOUT_S = 10.0
"""The longest a tool may take: a visitor waits for the slowest, and most take milliseconds."""


async def make_call(call: ToolCall, *, view: TurnView, services: StepServices) -> ToolOutcome:
    """Do it; raises nothing but cancellation. ``took_ms`` is the call's own time."""
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

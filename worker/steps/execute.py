"""The step ``execute``: make the planned calls, all at the same time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from worker.next_step import Continue, NextStep
from worker.tool_call import make_call
from worker.turn import SAVED, State

if TYPE_CHECKING:
    from assistants.interface import ToolCall, ToolOutcome, TurnView
    from worker.services import StepServices
    from worker.turn import Turn


async def execute(turn: Turn, services: StepServices) -> NextStep:
    """Make each planned call that has no outcome yet; a tool that fails is recorded, the turn goes on.

    What was looked up ahead is taken over, the rest of it dropped.
    Reads planned and outcomes; adds outcomes, one iteration and the time saved; leaves the rest alone.
    """
    made = {outcome.call.model_dump_json() for outcome in turn.outcomes}
    due = [call for call in turn.planned if call.model_dump_json() not in made]
    view = turn.view()
    began = time.perf_counter()
    ahead = {call.model_dump_json(): services.speculation.take(call, services.assistant.same_call) for call in due}
    services.speculation.call_off()
    outcomes = await asyncio.gather(*(_outcome(call, ahead[call.model_dump_json()], view, services) for call in due))
    if any(ahead.values()):
        # Without it this step would have taken as long as its slowest call.
        slowest = max(outcome.took_ms for outcome in outcomes)
        turn.timings_ms[SAVED] = round(max(slowest - (time.perf_counter() - began) * 1000, 0.0), 2)
    turn.outcomes += outcomes
    turn.iterations += 1
    return Continue(State.REFLECT)


async def _outcome(
    call: ToolCall, ahead: asyncio.Task[ToolOutcome] | None, view: TurnView, services: StepServices
) -> ToolOutcome:
    if ahead is None:
        return await make_call(call, view=view, services=services)
    return (await ahead).model_copy(update={"call": call})

"""The state machine: every state, the step that does its work, and where it may go next.

    understand ─▶ plan ─▶ execute ─▶ reflect ─▶ respond ─▶ completed
                    │        ▲──────────┘           ▲
                    └───────────────────────────────┘  (nothing to look up)

Any state but respond may also end in respond with ``degraded_because`` set (time is up, a step
failed): a turn lands gracefully, with what it has. What keeps it even from that is not the machine's:
worker/ending.py then ends it as ``failed`` or ``cancelled``. Stops, lost leases, refusals and shutdowns
are signals (worker/signals.py) and cancel the task.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from services.errors import ServiceUnavailableError
from services.logging import get_logger
from worker.next_step import Continue, NextStep
from worker.steps.execute import execute
from worker.steps.plan import plan
from worker.steps.reflect import reflect
from worker.steps.respond import respond
from worker.steps.understand import understand
from worker.turn import State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from worker.services import StepServices
    from worker.turn import Turn

    Step = Callable[[Turn, StepServices], Awaitable[NextStep]]
    Save = Callable[[Turn], Awaitable[None]]

__all__ = ["STEPS", "TRANSITIONS", "run"]

log = get_logger(__name__)

STEPS: Mapping[State, Step] = {
    State.UNDERSTAND: understand,
    State.PLAN: plan,
    State.EXECUTE: execute,
    State.REFLECT: reflect,
    State.RESPOND: respond,
}

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.UNDERSTAND: frozenset({State.PLAN, State.RESPOND}),
    State.PLAN: frozenset({State.EXECUTE, State.RESPOND}),
    State.EXECUTE: frozenset({State.REFLECT, State.RESPOND}),
    State.REFLECT: frozenset({State.EXECUTE, State.RESPOND}),
    State.RESPOND: frozenset({State.COMPLETED}),
}


class WrongWayError(Exception):
    """A step's defect: it leads where the table has no way. The turn is ended as failed."""


async def run(turn: Turn, services: StepServices, save: Save) -> None:
    """Run a turn from the state it is in to its end, saving it after each step.

    ``save`` may refuse (the claim is lost): the turn then stops where it is. Only respond has
    effects that a visitor sees, so a step done twice after a crash costs time, not truth. However it
    ends, nothing that was looked up ahead goes on running.
    """
    try:
        await _run(turn, services, save)
    finally:
        await services.speculation.end()


async def _run(turn: Turn, services: StepServices, save: Save) -> None:
    while not turn.is_over:
        began = time.perf_counter()
        state = turn.state
        next_step = await _do(turn, services)
        turn.spent(state, (time.perf_counter() - began) * 1000)
        following = next_step.state
        if following not in TRANSITIONS[state]:
            raise WrongWayError(f"no way leads from {state} to {following}")
        if following is State.RESPOND:
            services.speculation.call_off()
        turn.state = following
        if not turn.is_over:
            await save(turn)
        log.debug("turn.step", state=state.value, next=following.value)


async def _do(turn: Turn, services: StepServices) -> NextStep:
    """Do the work of the turn's state within the turn's time; what goes wrong leads to respond."""
    if turn.state is State.RESPOND:
        # It minds the time itself: what is on the screen already must be brought to an end.
        return await respond(turn, services)
    time_left = services.settings.turn_timeout_s - (time.time() - turn.started_at)
    try:
        async with asyncio.timeout(max(time_left, 0)):
            return await STEPS[turn.state](turn, services)
    except TimeoutError:
        log.warning("turn.out_of_time", state=turn.state.value)
        turn.degraded_because = "timeout"
    except ServiceUnavailableError as error:
        log.warning("turn.service_away", state=turn.state.value, service=error.service)
        turn.degraded_because = f"{error.service} unavailable"
    except Exception:  # one step's defect must not leave a visitor without an answer
        log.exception("turn.step_failed", state=turn.state.value)
        turn.degraded_because = f"{turn.state.value} failed"
    return Continue(State.RESPOND)

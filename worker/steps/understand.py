"""The step ``understand``: what does the question ask for?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.next_step import Continue, NextStep
from worker.turn import State

if TYPE_CHECKING:
    from worker.services import StepServices
    from worker.turn import Turn


async def understand(turn: Turn, services: StepServices) -> NextStep:
    """Let the assistant say what is asked.

    Reads question and history; sets understanding and usage; leaves the rest alone.
    """
    understood = await services.assistant.understand(turn.view(), services.model, services.toolbox)
    turn.understanding = understood.understanding
    turn.pay(understood.usage)
    return Continue(State.PLAN)

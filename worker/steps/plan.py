"""The step ``plan``: which tools answer it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.next_step import Continue, NextStep
from worker.turn import State

if TYPE_CHECKING:
    from worker.services import StepServices
    from worker.turn import Turn


async def plan(turn: Turn, services: StepServices) -> NextStep:
    """Freeze the calls before anything from outside is read, so that no found text can add one.

    Reads understanding; sets planned; leaves the rest alone.
    """
    view = turn.view()
    if services.assistant.fixed_answer(view) is None:
        turn.planned = services.assistant.plan(view)
    return Continue(State.EXECUTE if turn.planned else State.RESPOND)

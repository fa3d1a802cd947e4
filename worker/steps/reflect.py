"""The step ``reflect``: is it enough, or is there something else to try?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.next_step import Continue, NextStep
from worker.turn import State

if TYPE_CHECKING:
    from worker.services import StepServices
    from worker.turn import Turn


async def reflect(turn: Turn, services: StepServices) -> NextStep:
    """Ask the assistant what to relax; never the same call twice, at most MAX_ITERATIONS rounds.

    Reads outcomes and iterations; sets planned; leaves the rest alone.
    """
    turn.planned = []
    if turn.iterations < services.settings.max_iterations:
        made = {(outcome.call.tool, _arguments(outcome.call.arguments)) for outcome in turn.outcomes}
        turn.planned = [
            call
            for call in services.assistant.relax(turn.view())
            if (call.tool, _arguments(call.arguments)) not in made
        ]
    return Continue(State.EXECUTE if turn.planned else State.RESPOND)


def _arguments(arguments: dict[str, object]) -> str:
    return repr(sorted(arguments.items()))

"""The step ``understand``: what does the question ask for?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from worker.next_step import Continue, NextStep
from worker.tool_call import make_call
from worker.turn import State

if TYPE_CHECKING:
    from assistants.interface import Guess, TurnView
    from worker.services import StepServices
    from worker.turn import Turn


async def understand(turn: Turn, services: StepServices) -> NextStep:
    """Let the assistant say what is asked, and look up what it guesses while the model is asked.

    Reads question and history; sets understanding and usage, begins a speculation; leaves the rest alone.
    """
    view = turn.view()
    guess = await services.assistant.guess(view, services.toolbox)
    if guess is not None and not guess.sure and services.model.has_model:
        _look_ahead(view, guess, services)
    understood = await services.assistant.understand(replace(view, guess=guess), services.model, services.toolbox)
    turn.understanding = understood.understanding
    turn.pay(understood.usage)
    return Continue(State.PLAN)


def _look_ahead(view: TurnView, guess: Guess, services: StepServices) -> None:
    """Begin the calls that the plan would be, were the guess right."""
    guessed = replace(view, understanding=guess.understanding)
    if services.assistant.fixed_answer(guessed) is None:
        calls = services.assistant.plan(guessed)
        services.speculation.begin(calls, partial(make_call, view=guessed, services=services))

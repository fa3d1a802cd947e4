"""The step ``respond``: write the answer while the visitor watches."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from services.errors import ProviderError
from services.llm.calls import AnswerEnd, Budget, Switch, TextDelta
from services.llm.chain import writing_model
from services.llm.continuation import kept_of
from services.llm.meter import Meter
from services.llm.offline import OfflineProvider
from services.llm.prices import estimated_usage, prompt_tokens, tokens_in
from services.logging import get_logger
from worker.answer_row import completed_fields, question_marks
from worker.next_step import Finish, NextStep
from worker.turn import State

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from services.llm.calls import Prompt, StreamEvent
    from worker.services import StepServices
    from worker.turn import Turn

log = get_logger(__name__)

LOOK_CHARACTERS = 100
"""So much text lies between two looks at what is left of the budget: some 25 tokens."""
LANDING_S = 2.0
"""Time kept for bringing an answer to its end when the turn's time is up."""
BUDGET = "budget"

# What PostgreSQL can't store in a text and JSON can't carry unescaped.
_UNSTORABLE = {code: None for code in range(32) if chr(code) not in "\n\t"}


async def respond(turn: Turn, services: StepServices) -> NextStep:
    """Stream the answer into the row; the last write holds the whole text and all metadata.

    Reads everything; sets timings, usage, degraded_because and switched_from; returns when the last
    write is in Directus.
    """
    began = time.perf_counter()
    prompt = services.assistant.prompt(turn.view())
    _pay_for_what_is_lost(turn, prompt, services)
    budget = _budget_left(turn, services)
    room = budget.tokens - prompt_tokens(prompt)
    if turn.degraded_because is None and (room <= 0 or budget.cost_usd <= 0):
        turn.degraded_because = BUDGET
    meter = Meter(budget)
    try:
        text, end = await _write(turn, _events(turn, prompt, services, meter), services, meter, room=room)
    finally:
        turn.pay(meter.usage)  # what a stop or a later message cuts off has been paid for as well
    text = services.assistant.clean(text, turn.view(), whole=True)
    if not text.strip():
        text = services.assistant.offline_answer(turn.view())
        end = AnswerEnd(provider="offline", model="template", degraded=True)
    # The row needs the figure now; the machine adds the whole step's afterwards, for the log.
    turn.timings_ms[State.RESPOND.value] = round((time.perf_counter() - began) * 1000, 2)
    final = completed_fields(turn, services.assistant, end, first_shown_at=services.answer.first_shown_at)
    await services.answer.finish(text, final, question_marks(turn))
    del turn.timings_ms[State.RESPOND.value]
    return Finish(State.COMPLETED)


async def _write(
    turn: Turn, stream: AsyncGenerator[StreamEvent, None], services: StepServices, meter: Meter, *, room: int
) -> tuple[str, AnswerEnd]:
    """The text as far as it came, and how it ended; a text that was cut ends with a whole sentence.

    A provider is told how much room it has. For one that does not heed it, what ``meter`` has left is minded here, and
    ``room``, the tokens that the prompt has left by our own estimate: not every provider tells what its prompt was.
    """
    text = ""
    looked_at = 0
    end: AnswerEnd | None = None
    view = turn.view()

    def fit(draft: str) -> str:
        return services.assistant.clean(draft, view, whole=False)

    try:
        async with asyncio.timeout(_seconds_left(turn, services)), aclosing(stream) as events:
            async for event in events:
                match event:
                    case TextDelta(text=piece):
                        text += piece.translate(_UNSTORABLE)
                        services.answer.show(text, fit)
                        if turn.degraded_because is not None or len(text) - looked_at < LOOK_CHARACTERS:
                            continue
                        looked_at = len(text)
                        if meter.is_spent or tokens_in(len(text)) > room:
                            log.warning("answer.over_budget", characters=len(text))
                            turn.degraded_because = BUDGET
                            break
                    case Switch() as switch:
                        text = switch.kept.translate(_UNSTORABLE)
                        looked_at = len(text)
                        turn.switched_from.append(switch.from_provider)
                        log.warning("answer.switched", provider=switch.to_provider, reason=switch.reason)
                    case AnswerEnd():
                        end = event
    except TimeoutError:
        log.warning("answer.out_of_time", characters=len(text))
        turn.degraded_because = "timeout"
    except ProviderError as error:
        # Only where the settings leave offline out of the providers: what was shown stands.
        log.warning("answer.no_provider", provider=error.provider, reason=str(error))
        turn.degraded_because = f"{error.provider}: {error.code}"
    return _landed(text, end, turn)


def _landed(text: str, end: AnswerEnd | None, turn: Turn) -> tuple[str, AnswerEnd]:
    """What is kept of a text that was cut, by us (no end) or at its budget."""
    if end is None:
        return kept_of(text), AnswerEnd(provider="cut", model="", degraded=True)
    if end.stop_reason == "budget":
        log.warning("answer.over_budget", characters=len(text))
        turn.degraded_because = BUDGET
        if not end.degraded:  # a template is whole
            text = kept_of(text)
    return text, end


def _seconds_left(turn: Turn, services: StepServices) -> float:
    return max(services.settings.turn_timeout_s - (time.time() - turn.started_at) - LANDING_S, LANDING_S)


def _pay_for_what_is_lost(turn: Turn, prompt: Prompt, services: StepServices) -> None:
    """Count the call of an attempt that went with its worker: nobody heard what it cost, its text is on the screen."""
    model = writing_model(services.settings)
    by_model = turn.degraded_because is None and services.assistant.fixed_answer(turn.view()) is None
    if services.lost_characters and by_model and model is not None:
        turn.pay(estimated_usage(model, prompt, services.lost_characters))


def _budget_left(turn: Turn, services: StepServices) -> Budget:
    """What the answer's calls may cost, now that the steps before it have been paid."""
    settings, paid = services.settings, turn.usage
    return Budget(
        settings.turn_max_tokens - paid.input_tokens - paid.output_tokens, settings.turn_max_cost_usd - paid.cost_usd
    )


async def _events(
    turn: Turn, prompt: Prompt, services: StepServices, meter: Meter
) -> AsyncGenerator[StreamEvent, None]:
    """Where the answer's text comes from: a fixed one, a template, or a model."""
    view = turn.view()
    assistant = services.assistant
    fixed = assistant.fixed_answer(view) if turn.degraded_because is None else None
    if fixed is not None:
        async for piece in OfflineProvider(fixed).stream(prompt):
            yield piece if isinstance(piece, TextDelta) else AnswerEnd(provider="none", model="fixed")
    elif turn.degraded_because is not None:
        async for piece in OfflineProvider(assistant.offline_answer(view)).stream(prompt):
            yield piece
    else:
        stream = services.model.stream(prompt, offline=lambda: assistant.offline_answer(view), meter=meter)
        async with aclosing(stream) as events:
            async for event in events:
                yield event

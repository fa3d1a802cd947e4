"""The step ``respond``: write the answer while the visitor watches."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from services.errors import ProviderError
from services.llm.calls import AnswerEnd, Switch, TextDelta
from services.llm.offline import OfflineProvider
from services.logging import get_logger
from worker.answer_row import completed_fields, question_marks
from worker.next_step import Finish, NextStep
from worker.turn import State

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from services.llm.calls import StreamEvent
    from worker.services import StepServices
    from worker.turn import Turn

log = get_logger(__name__)

LANDING_S = 2.0
"""Time kept for bringing an answer to its end when the turn's time is up."""

# What PostgreSQL can't store in a text and JSON can't carry unescaped.
_UNSTORABLE = {code: None for code in range(32) if chr(code) not in "\n\t"}


async def respond(turn: Turn, services: StepServices) -> NextStep:
    """Stream the answer into the row; the last write holds the whole text and all metadata.

    Reads everything; sets timings and usage; returns when the last write is in Directus.
    """
    began = time.perf_counter()
    text, end, because = await _write(turn, services)
    if not text.strip():
        text = services.assistant.offline_answer(turn.view())
        end, because = AnswerEnd(provider="offline", model="template", degraded=True), because or "empty answer"
    turn.pay(end.usage)
    turn.degraded_because = turn.degraded_because or because
    # The row needs the figure now; the machine puts the whole step's in its place for the log.
    turn.timings_ms[State.RESPOND.value] = round((time.perf_counter() - began) * 1000, 2)
    final = completed_fields(turn, services.assistant, end, first_shown_at=services.answer.first_shown_at)
    await services.answer.finish(text, final, question_marks(turn))
    return Finish(State.COMPLETED)


async def _write(turn: Turn, services: StepServices) -> tuple[str, AnswerEnd, str | None]:
    """The text as far as it came, how it ended, and why it is degraded, if it is."""
    text = ""
    end: AnswerEnd | None = None
    because: str | None = None
    time_left = services.settings.turn_timeout_s - (time.time() - turn.started_at) - LANDING_S
    try:
        async with asyncio.timeout(max(time_left, LANDING_S)), aclosing(_events(turn, services)) as events:
            async for event in events:
                match event:
                    case TextDelta(text=piece):
                        text += piece.translate(_UNSTORABLE)
                        services.answer.show(text)
                    case Switch() as switch:
                        text = switch.kept
                        because = f"{switch.from_provider}: {switch.reason}"
                        log.warning("answer.switched", provider=switch.to_provider, reason=switch.reason)
                    case AnswerEnd():
                        end = event
    except TimeoutError:
        log.warning("answer.out_of_time", characters=len(text))
        because = "timeout"
    except ProviderError as error:
        # Only where the settings leave offline out of the providers: what was shown stands.
        log.warning("answer.no_provider", provider=error.provider, reason=str(error))
        because = f"{error.provider}: {error.code}"
    return text, end or AnswerEnd(provider="cut", model="", degraded=True), because


async def _events(turn: Turn, services: StepServices) -> AsyncGenerator[StreamEvent, None]:
    """Where the answer's text comes from: a fixed one, a template, or a model."""
    view = turn.view()
    assistant = services.assistant
    prompt = assistant.prompt(view)
    fixed = assistant.fixed_answer(view) if turn.degraded_because is None else None
    if fixed is not None:
        async for piece in OfflineProvider(fixed).stream(prompt):
            yield piece if isinstance(piece, TextDelta) else AnswerEnd(provider="none", model="fixed")
    elif turn.degraded_because is not None:
        async for piece in OfflineProvider(assistant.offline_answer(view)).stream(prompt):
            yield piece
    else:
        stream = services.model.stream(prompt, offline=lambda: assistant.offline_answer(view))
        async with aclosing(stream) as events:
            async for event in events:
                yield event

"""The answer job: one user message from the queue to its settled answer.

One job, one exit: the turn is finished, called off, handed over, or tried again later.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from services.answer_ids import answer_id_of
from services.errors import ErleahError, ServiceUnavailableError
from services.logging import bind_trace, get_logger, new_trace_id
from services.queue.jobs import AnswerJob
from services.queue.runner import RetryLater
from worker import machine
from worker.answer_row import new_fields
from worker.conversation_line import Place
from worker.ending import end_failed, mark, settle
from worker.intake import Incoming, read_incoming, read_talk
from worker.recording import TurnRecorder
from worker.services import StepServices
from worker.signals import HandedOver, LeaseLost, RowGone
from worker.turn import Turn
from worker.turn_store import ClaimLostError
from worker.turn_watch import LiveTurn

if TYPE_CHECKING:
    from assistants.interface import Assistant
    from services.queue.runner import JobContext
    from worker.services import Services

__all__ = ["answer_message"]

log = get_logger(__name__)

RETRY_CAP_S = 5.0
"""Longest wait between tries while a service is away: an answer should follow its return closely."""
LAST_WRITE_GRACE_S = 5.0
"""A last write that is on its way when the process is told to stop may take this long."""
SAVE_PATIENCE_S = 2.0
"""A turn goes on unsaved when Redis does not answer for this long; the visitor is not kept waiting."""
NUDGES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Pauses between tries to ask for the next turn: its job id may still belong to the job that found the line taken and
is just ending, which takes a round trip to Redis (on a starved machine 0.3 s were too few; then the sweep had to)."""
DEFAULT_SOURCE = "mini"


async def answer_message(job: AnswerJob, context: JobContext, services: Services) -> None:
    """Answer one user message, whoever asks for it and however often.

    Raises RetryLater when a service it can't begin without is away.
    """
    bind_trace(job.trace_id or new_trace_id(), message_id=job.message_id)
    try:
        incoming = await read_incoming(services.directus, job.message_id)
        if incoming is None:
            log.info("turn.no_such_message")
            return
        if incoming.trace_id:
            # The question's own trace, whoever reported it first: the receiver, the Flow or the sweep.
            job = job.model_copy(update={"trace_id": incoming.trace_id})
            bind_trace(job.trace_id, message_id=job.message_id)
        place = Place(incoming.conversation_id, incoming.message_id, incoming.asked_at)
        if incoming.is_settled:
            await _leave_line(place, services)
            return
        if not await services.line.enter(place):
            log.info("turn.waits_in_line", conversation_id=place.conversation_id)
            return
        goes_on_elsewhere = False
        try:
            goes_on_elsewhere = await _take_turn(job, incoming, services)
        except asyncio.CancelledError:
            goes_on_elsewhere = True
            raise
        finally:
            # Who goes on with the turn enters under the same message: the others wait until he leaves.
            if not goes_on_elsewhere:
                await asyncio.shield(_leave_line(place, services))
    except ServiceUnavailableError as error:
        delay = min(0.5 * 2 ** min(context.attempt - 1, 10), RETRY_CAP_S)
        log.warning("turn.put_off", service=error.service, reason=str(error), delay_s=delay)
        raise RetryLater(delay) from error


async def _take_turn(job: AnswerJob, incoming: Incoming, services: Services) -> bool:
    """Claim the turn, begin it or go on with it, and see to its end; whether another worker goes on with it."""
    saved = await services.turns.load(incoming.message_id)
    claim = await services.turns.claim(incoming.message_id, least_attempt=saved.attempt + 1 if saved else 1)
    source = incoming.conversation.get("source") or DEFAULT_SOURCE
    assistant = services.assistants.get(source)
    turn = saved or await _begin(job, incoming, assistant, services)
    if turn is None:
        await services.turns.finish(claim)
        return False
    turn.attempt = claim.attempt
    is_on_screen = claim.attempt > 1 and await _is_on_screen(turn.answer_id, services)
    live = LiveTurn(turn, claim, partial(services.pump.open, claim, turn.answer_id, new_fields(turn)))
    live.is_on_screen = is_on_screen
    recorder = TurnRecorder(turn, services.model, services.toolbox, services.settings)
    services.watch.enter(live)
    try:
        if assistant is None:
            log.error("turn.no_assistant", source=source)
            await end_failed(live, f"There is no assistant for “{source}” here.")
        elif live.turn.attempt > 1 or not await services.turn_limit.turns_away(live):
            await _run(live, assistant, recorder, services)
        await settle(live, services)
        if services.recordings is not None and not isinstance(live.signal, LeaseLost | RowGone):
            await services.recordings.keep(partial(recorder.recording, live))
    finally:
        services.watch.leave(live)
        services.pump.forget(live.answer)
    return isinstance(live.signal, LeaseLost)


async def _is_on_screen(answer_id: str, services: Services) -> bool:
    """Whether the worker before has shown something of the answer."""
    rows = await services.directus.read_items(
        "messages", filter={"id": {"_eq": answer_id}}, fields=["messageText"], limit=1
    )
    return bool(rows and rows[0]["messageText"])


async def _begin(job: AnswerJob, incoming: Incoming, assistant: Assistant | None, services: Services) -> Turn | None:
    """A fresh turn, or None if its answer has ended already."""
    answer_id = answer_id_of(incoming.message_id)
    talk = await read_talk(
        services.directus, incoming, answer_id=answer_id, history_limit=services.settings.history_limit
    )
    if talk.answer_status not in {None, "streaming"}:
        # The answer is whole, but the message was not marked: somebody stopped it, or a write was lost.
        await mark(services, [{"id": incoming.message_id, "status": "answered"}])
        return None
    conversation = dict(incoming.conversation)
    if not conversation.get("conference_id"):
        conversation["conference_id"] = job.conference_id
    now = time.time()
    return Turn(
        message_id=incoming.message_id,
        answer_id=answer_id,
        conversation_id=incoming.conversation_id,
        assistant=assistant.name if assistant else "none",
        scope_id=assistant.scope_of(conversation, services.settings) if assistant else None,
        trace_id=job.trace_id,
        question=talk.question,
        covers=talk.covers,
        history=talk.history,
        now=datetime.now(UTC),
        asked_at=incoming.asked_at,
        queued_at=job.queued_at or now,
        started_at=now,
    )


async def _run(live: LiveTurn, assistant: Assistant, recorder: TurnRecorder, services: Services) -> None:
    """Run the machine as a task of its own, which a signal can cancel; leaves the signal on ``live``."""
    answer = live.answer

    async def save(turn: Turn) -> None:
        try:
            async with asyncio.timeout(SAVE_PATIENCE_S):
                await services.turns.save(turn, live.claim)
        except (TimeoutError, ServiceUnavailableError):
            log.warning("turn.not_saved", state=turn.state.value)

    step_services = StepServices(services.settings, recorder.model, recorder.toolbox, assistant, answer)
    live.task = asyncio.create_task(machine.run(live.turn, step_services, save), name=f"turn {live.turn.message_id}")
    try:
        await live.task
    except asyncio.CancelledError:
        if live.signal is not None:
            return
        if answer.final is not None:
            await answer.settled(LAST_WRITE_GRACE_S)
        live.interrupt(HandedOver())
        await asyncio.shield(services.turns.release(live.claim))
        log.info("turn.handed_over", state=live.turn.state.value)
        raise
    except ClaimLostError:
        live.interrupt(LeaseLost())
    except ErleahError as error:
        log.error("turn.failed", reason=str(error), error=error.code)  # noqa: TRY400 - a refusal has no trace worth reading
        live.interrupt(RowGone())
    except Exception:  # the turn's one exit: whatever a step let through ends here
        log.exception("turn.failed")
        await end_failed(live, "Sorry, something went wrong here. Please ask again.")


async def _leave_line(place: Place, services: Services) -> None:
    """Free the conversation, and begin the turn of whoever waited longest behind it."""
    following = await services.line.leave(place)
    if following is None or following == place.message_id:
        return
    for pause_s in (0.0, *NUDGES_S):
        await asyncio.sleep(pause_s)
        if await services.queue.enqueue(AnswerJob(message_id=following)) or await services.turns.is_held(following):
            return

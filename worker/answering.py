"""The answer job: one user message from the queue to its settled answer.

One job, one exit: the turn is finished, called off, handed over, or tried again later.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from services import redis_keys
from services.answer_ids import answer_id_of
from services.errors import ServiceUnavailableError
from services.logging import bind_trace, get_logger, new_trace_id
from services.queue.jobs import AnswerJob
from services.queue.runner import RetryLater
from services.turn_leases import LineTakenError
from worker import machine
from worker.answer_row import new_fields, question_marks
from worker.conversation_line import Place
from worker.ending import end_failed, mark, settle
from worker.intake import read_incoming, read_standing, read_talk
from worker.recording import TurnRecorder
from worker.services import StepServices
from worker.signals import HandedOver, LeaseLost, RowGone
from worker.turn import Turn
from worker.turn_order import may_begin
from worker.turn_store import ClaimLostError
from worker.turn_watch import LiveTurn

if TYPE_CHECKING:
    from assistants.interface import Assistant
    from services.queue.runner import JobContext
    from services.turn_leases import Claim
    from worker.intake import Incoming, Talk
    from worker.services import Services

__all__ = ["answer_message"]

log = get_logger(__name__)

RETRY_CAP_S = 5.0
"""Longest wait between tries while a service is away: an answer should follow its return closely."""
LAST_WRITE_GRACE_S = 5.0
"""A last write that is on its way when the process is told to stop may take this long."""
SAVE_PATIENCE_S = 2.0
"""A turn goes on unsaved when Redis does not answer for this long; the visitor is not kept waiting."""
NUDGES_S = (0.05, 0.1, 0.2, 0.4)
"""Pauses between tries to ask for the next turn: its job id may still belong to the job that found the line taken and
is just ending, which takes a round trip to Redis. They hold a worker's slot: what takes longer is the sweep's."""
READ_WITHIN_S = redis_keys.CONVERSATION_LOCK_TTL_S / 2
"""Until a turn is watched nobody keeps its place in the line; reads that take longer may have outlasted it."""
HELD_S = 1.0
"""A turn that another worker holds is looked at again after this: a dead one's lease lapses after 5 s."""
DEFAULT_SOURCE = "mini"


class HeldElsewhere(RetryLater):
    """Another live worker has the turn, and with it the place in the line."""


async def answer_message(job: AnswerJob, context: JobContext, services: Services) -> None:
    """Answer one user message, whoever asks for it and however often.

    Raises RetryLater when a service it can't begin without is away, or another live worker has the turn.
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
        await _answer_in_line(job, incoming, services)
    except ServiceUnavailableError as error:
        delay = min(0.5 * 2 ** min(context.attempt - 1, 10), RETRY_CAP_S)
        log.warning("turn.put_off", service=error.service, reason=str(error), delay_s=delay)
        raise RetryLater(delay) from error


async def _answer_in_line(job: AnswerJob, incoming: Incoming, services: Services) -> None:
    """Wait for no one: take the turn if the conversation is free, and let the next one in afterwards."""
    place = Place(incoming.conversation_id, incoming.message_id, incoming.asked_at)
    if incoming.is_settled:
        await _leave_line(place, job.trace_id, services)
        return
    if not await services.line.enter(place):
        log.info("turn.waits_in_line", conversation_id=place.conversation_id)
        return
    goes_on_elsewhere = False
    try:
        goes_on_elsewhere = await _take_turn(job, incoming, services)
    except (asyncio.CancelledError, HeldElsewhere):
        goes_on_elsewhere = True
        raise
    finally:
        # Who goes on with the turn enters under the same message: the others wait until he leaves.
        if not goes_on_elsewhere:
            await asyncio.shield(_leave_line(place, job.trace_id, services))


async def _take_turn(job: AnswerJob, incoming: Incoming, services: Services) -> bool:
    """Claim the turn and see to its end; whether another worker goes on with it.

    Raises HeldElsewhere while another live worker has it.
    """
    saved = await services.turns.load(incoming.message_id)
    try:
        claim = await services.leases.claim(
            incoming.message_id,
            conversation_id=incoming.conversation_id,
            least_attempt=saved.attempt + 1 if saved else 1,
        )
    except LineTakenError:
        claim = None  # this process stood still, or Redis was emptied: the next try waits in line
    if claim is None:
        log.info("turn.held_elsewhere")
        raise HeldElsewhere(HELD_S)
    live: LiveTurn | None = None
    try:
        if claim.attempt > 1:  # whoever had it may have come further, or have ended it, since it was read
            saved = await services.turns.load(incoming.message_id)
        live = await _enliven(job, incoming, saved, claim, services)
        if live is None:
            await services.turns.finish(claim)
            return False
        live.turn.attempt = saved.attempt + 1 if saved else 1
        return await _see_through(live, _source(incoming), services)
    except BaseException:
        # Whoever tries it again, here or elsewhere, need not wait for the lease to lapse.
        await asyncio.shield(_give_back(claim, services, is_untouched=live is None))
        raise


async def _enliven(
    job: AnswerJob, incoming: Incoming, saved: Turn | None, claim: Claim, services: Services
) -> LiveTurn | None:
    """The turn begun, or gone on with as it was saved; None if no answer is due any more.

    Asked only now that the line is ours: while we came here, a later message's turn may have covered this one.

    Raises RetryLater while another answer of the conversation has to end first.
    """
    began = time.monotonic()
    answer_id = answer_id_of(incoming.message_id)
    standing = await read_standing(services.directus, incoming.message_id, answer_id) if saved is not None else None
    turn = saved
    if standing is None or standing.is_untouched:
        history_limit = services.settings.history_limit
        talk = await read_talk(services.directus, incoming, answer_id=answer_id, history_limit=history_limit)
        standing = talk.standing
        if standing.is_due and not await may_begin(talk, incoming, services):
            return None
        if turn is None or set(turn.covers) != set(talk.covers):
            turn = _begin(job, incoming, talk, services)
    if turn is None or standing.is_settled:
        log.info("turn.settled_meanwhile")
        return None
    if standing.has_ended:
        # The answer is whole, but the message was not marked: somebody stopped it, or a write was lost.
        await mark(services, question_marks(turn) if saved else [{"id": turn.message_id, "status": "answered"}])
        return None
    place = Place(turn.conversation_id, turn.message_id, turn.asked_at)
    if time.monotonic() - began > READ_WITHIN_S and not await services.line.still_has(place):
        log.info("turn.line_lost")
        raise RetryLater(0)  # others had it meanwhile: what was read is old
    begun_at = await _seq_of_what_was_begun(claim, services)
    live = LiveTurn(turn, claim, partial(services.pump.open, claim, turn.answer_id, new_fields(turn)))
    live.is_on_screen = standing.is_on_screen
    live.lost_characters = standing.shown_characters
    live.answer.outrank(begun_at)
    return live


async def _seq_of_what_was_begun(claim: Claim, services: Services) -> int:
    """The ``seq`` with which the answer was opened anew: the row may be behind it by a late write of the old turn."""
    if claim.attempt == 1:
        return 0
    expected = (await services.watched.expected([claim.message_id])).get(claim.message_id)
    return expected[0]["seq"] if expected else 0


def _begin(job: AnswerJob, incoming: Incoming, talk: Talk, services: Services) -> Turn:
    """A fresh turn."""
    assistant = services.assistants.get(_source(incoming))
    conversation = dict(incoming.conversation)
    if not conversation.get("conference_id"):
        conversation["conference_id"] = job.conference_id
    now = time.time()
    return Turn(
        message_id=incoming.message_id,
        answer_id=answer_id_of(incoming.message_id),
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


def _source(incoming: Incoming) -> str:
    return incoming.conversation.get("source") or DEFAULT_SOURCE


async def _see_through(live: LiveTurn, source: str, services: Services) -> bool:
    """Run the turn under the watch's eyes, settle and record it; whether another worker goes on with it."""
    assistant = services.assistants.get(source)
    recorder = TurnRecorder(live.turn, services.model, services.toolbox, services.settings)
    services.watch.enter(live)
    try:
        if assistant is None:
            log.error("turn.no_assistant", source=source)
            await end_failed(live, f"There is no assistant for “{source}” here.")
        elif live.turn.attempt > 1 or not await services.turn_limit.turns_away(live):
            await _run(live, assistant, recorder, services)
        ended = await settle(live, services)
        has_run = live.task is not None  # else there is nothing to run again
        if ended and has_run and services.recordings is not None and not isinstance(live.signal, RowGone):
            await services.recordings.keep(partial(recorder.recording, live))
    finally:
        services.watch.leave(live)
        services.pump.forget(live.answer)
    return not ended


async def _run(live: LiveTurn, assistant: Assistant, recorder: TurnRecorder, services: Services) -> None:
    """Run the machine as a task of its own, which a signal can cancel; leaves the signal on ``live``."""
    if live.signal is not None:
        return  # seen by the watch before there was a task to cancel
    answer = live.answer

    async def save(turn: Turn) -> None:
        try:
            async with asyncio.timeout(SAVE_PATIENCE_S):
                await services.turns.save(turn, live.claim)
        except (TimeoutError, ServiceUnavailableError):
            log.warning("turn.not_saved", state=turn.state.value)

    step_services = StepServices(
        services.settings,
        recorder.model,
        recorder.toolbox,
        assistant,
        answer,
        lost_characters=live.lost_characters,
    )
    live.task = asyncio.create_task(machine.run(live.turn, step_services, save), name=f"turn {live.turn.message_id}")
    try:
        await live.task
    except asyncio.CancelledError:
        if live.signal is not None:
            return
        if answer.final is not None:
            await answer.settled(LAST_WRITE_GRACE_S)
        live.interrupt(HandedOver())
        log.info("turn.handed_over", state=live.turn.state.value)
        raise
    except ClaimLostError:
        live.interrupt(LeaseLost())
    except Exception:  # the turn's one exit: whatever a step let through ends here
        log.exception("turn.failed")
        await end_failed(live, "Sorry, something went wrong here. Please ask again.")


async def _give_back(claim: Claim, services: Services, *, is_untouched: bool) -> None:
    """Free a turn that does not end here; without Redis its lease lapses by itself."""
    with contextlib.suppress(ServiceUnavailableError):
        await services.leases.release(claim, is_untouched=is_untouched)


async def _leave_line(place: Place, trace_id: str, services: Services) -> None:
    """Free the conversation, and begin the turn of whoever waited longest behind it."""
    following = await services.line.leave(place)
    if following is None or following == place.message_id:
        return
    job = AnswerJob(message_id=following, trace_id=trace_id)
    for pause_s in (0.0, *NUDGES_S):
        await asyncio.sleep(pause_s)
        if await services.queue.enqueue(job) or await services.leases.held_among([following]):
            return

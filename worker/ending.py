"""How a turn ends: rows, saved state and counts are brought in line with what happened to it."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from services.errors import (
    AccessDeniedError,
    ConflictError,
    ErleahError,
    ServiceRejectedError,
    ServiceUnavailableError,
)
from services.llm.prices import tokens_in
from services.logging import get_logger
from services.queue.runner import RetryLater
from worker.answer_row import cancelled_fields, failed_fields, new_fields, question_marks
from worker.answer_stream import SEQ_GAP_AFTER_TAKEOVER
from worker.signals import LeaseLost, Refused, RowGone, Signal, Stopped, Superseded
from worker.turn import State
from worker.turn_store import ClaimLostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.llm.calls import Usage
    from services.metrics import Metrics
    from worker.answer_stream import AnswerStream
    from worker.services import Services
    from worker.turn_watch import LiveTurn

__all__ = ["end_failed", "mark", "settle"]

log = get_logger(__name__)

REFUSED_FIRST_S = 15.0
REFUSED_CAP_S = 900.0
"""Pauses before a turn whose row Directus refused is tried again, doubling: each try asks a model anew, and what
refuses it, a lost permission mostly, is there until a person mends it."""


async def settle(live: LiveTurn, services: Services) -> bool:
    """Bring rows and saved state in line with how the turn ended; False where another worker goes on with it.

    Raises RetryLater when Directus refuses the answer: nothing is settled then.
    """
    signal: Signal | None = live.signal
    match signal:
        case Stopped():
            try:
                await _end_stopped(live, services)
            except (AccessDeniedError, ServiceRejectedError) as refusal:
                await _put_off(live, str(refusal), services)
        case Refused(reason=reason):
            await _put_off(live, reason, services)
        case LeaseLost():
            log.info("turn.lease_lost", attempt=live.claim.attempt)
            return False
        case RowGone():
            await mark(services, question_marks(live.turn))
        case Superseded(by_message_id=later):
            log.info("turn.superseded", by=later)
        case _:
            pass
    services.watch.leave(live)  # the mark of the end would look to it like another's lease
    ended = await _finish(live, services)
    _count_usage(live.turn.usage, services.metrics)
    if signal is not None:
        services.metrics.count("erleah_turns_called_off", signal=type(signal).__name__)
    elif live.answer.final is not None:
        _count(live.answer.final, services.metrics)
    log.info(
        "turn.ended",
        signal=type(signal).__name__ if signal else None,
        state=live.turn.state.value,
        intent=live.turn.understanding.intent if live.turn.understanding else None,
        attempt=live.claim.attempt,
        timings_ms=live.turn.timings_ms,
    )
    return ended


async def _finish(live: LiveTurn, services: Services) -> bool:
    """Forget the turn, and have its row watched where a late write may hit it; False if another attempt has it."""
    is_unheard = services.pump.unheard(live.answer) is not None
    # Also where we heard of all our own: what an attempt or a turn before us waited for in vain, nobody here knows.
    may_be_hit = live.claim.attempt > 1 or live.answer.is_taken_up or is_unheard
    last_row = live.answer.last_row if may_be_hit else None
    suspect = partial(services.late_writes.suspect, live.turn.message_id, live.turn.answer_id, is_unheard=True)
    try:
        ended = await services.turns.finish(live.claim, last_row)
    except ServiceUnavailableError:
        if last_row is not None:
            suspect(last_row=last_row)  # Redis has it not
        raise
    if last_row is not None:
        suspect()
    return ended


async def _put_off(live: LiveTurn, reason: str, services: Services) -> NoReturn:
    """Save the turn as it is, with what it has cost, to be tried again after a pause that grows."""
    delay_s = min(REFUSED_FIRST_S * 2 ** min(live.claim.attempt - 1, 10), REFUSED_CAP_S)
    log.error(
        "turn.refused",
        attempt=live.claim.attempt,
        retry_in_s=delay_s,
        reason=f"{reason}; if Erleah has lost a permission or a field, run `erleah bootstrap`",
    )
    services.metrics.count("erleah_turns_called_off", signal=Refused.__name__)
    with contextlib.suppress(ClaimLostError):
        await services.turns.save(live.turn, live.claim)
    raise RetryLater(delay_s)


def _count(final: Mapping[str, Any], metrics: Metrics) -> None:
    """Count a turn that ended by itself, from what its row says."""
    metrics.count(
        "erleah_turns",
        assistant=final["assistant"],
        outcome=final["outcome"],
        degraded="yes" if final["degraded"] else "no",
    )
    metrics.observe("erleah_turn_seconds", final["total_ms"] / 1000)
    if final["first_token_ms"] is not None:
        metrics.observe("erleah_first_token_seconds", final["first_token_ms"] / 1000)


def _count_usage(usage: Usage, metrics: Metrics) -> None:
    """Count what a turn has cost, whichever way it ended."""
    metrics.count("erleah_tokens", usage.input_tokens, kind="input")
    metrics.count("erleah_tokens", usage.output_tokens, kind="output")
    metrics.count("erleah_tokens", usage.cache_read_tokens, kind="cache_read")
    metrics.count("erleah_cost_usd", usage.cost_usd)


async def _end_stopped(live: LiveTurn, services: Services) -> None:
    """Write that the answer was stopped; what was written stays."""
    turn, answer = live.turn, live.answer
    await services.pump.at_rest()
    unkept = answer.unkept_characters
    services.metrics.count("erleah_characters_after_stop", unkept)
    fields: dict[str, Any] = {"id": turn.answer_id, **cancelled_fields(turn, first_shown_at=answer.first_shown_at)}
    fields["metadata"]["tokens_after_stop"] = tokens_in(unkept)
    if not answer.exists:
        # Nothing was shown: the visitor's client still waits for this row to say how it ended.
        try:
            first = new_fields(turn) | {"messageText": "", "seq": answer.seq + 1} | fields
            await services.directus.create_items("messages", [first])
            answer.last_row = first
        except ConflictError:
            await _adopt(answer, services)
    if answer.exists:
        if answer.previous:
            fields["metadata"] |= {"previous": answer.previous}
        fields["seq"] = answer.seq + 1
        text = _text_that_stays(answer, services)
        if services.pump.unheard(answer) is not None:
            fields |= text  # an older one may have come late meanwhile, over what was written
        await services.directus.update_items("messages", [fields])
        answer.last_row = fields | text
    await mark(services, question_marks(turn))
    turn.state = State.CANCELLED


def _text_that_stays(answer: AnswerStream, services: Services) -> dict[str, str]:
    """The text of a stopped answer, for where a late write puts an older one there, or has."""
    unheard = services.pump.unheard(answer)
    texts = [answer.written_text, unheard["messageText"] if unheard is not None else None]
    known = [text for text in texts if text is not None]
    return {"messageText": max(known, key=len)} if known else {}


async def _adopt(answer: AnswerStream, services: Services) -> None:
    """Learn of a row that an earlier attempt made, and how far it came."""
    rows = await services.directus.read_items(
        "messages",
        filter={"id": {"_eq": answer.answer_id}},
        fields=["id", "status", "seq", "messageText", "metadata"],
        limit=1,
    )
    if rows and rows[0]["status"] in {"streaming", State.CANCELLED}:
        answer.exists = True
        answer.written_text = rows[0]["messageText"] or ""
        answer.previous = (rows[0]["metadata"] or {}).get("previous", [])
        answer.seq = max(answer.seq, (rows[0]["seq"] or 0) + SEQ_GAP_AFTER_TAKEOVER)


async def end_failed(live: LiveTurn, apology: str) -> None:
    """Write a failed answer in place of whatever there is, so that nobody waits for it."""
    answer = live.answer
    if not answer.is_live:
        return
    text = f"{answer.text}\n\n{apology}".strip()
    fields = failed_fields(live.turn, first_shown_at=answer.first_shown_at)
    await answer.finish(text, fields, question_marks(live.turn))
    if answer.last_row is not None:
        live.turn.state = State.FAILED


async def mark(services: Services, marks: list[dict[str, Any]]) -> None:
    """Mark user messages as settled; one that was deleted needs no mark."""
    for each in marks:
        try:
            # Tried again here, where the line is held: by a later try the message may have been answered by itself.
            await services.directus.update_items("messages", [each], retry=True)
        except ServiceUnavailableError:
            raise
        except ErleahError as error:
            log.info("turn.mark_refused", reason=str(error))

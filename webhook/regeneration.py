"""POST /api/messages/{id}/regenerate: a visitor wants an answer written anew.

The answer keeps its id (it is worked out from the question's), so its row begins again; what it said
before is kept in its metadata under ``previous``, newest last.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from services.answer_ids import answer_id_of
from services.directus_names import MESSAGES
from services.errors import NotFoundError, ServiceUnavailableError
from services.logging import get_logger
from services.queue.jobs import AnswerJob
from services.redis import speaking_plainly
from services.redis_keys import REGENERATION_LEASE_TTL_S, cancel_flag, turn, turn_rows
from services.turn_leases import TurnLeases
from services.watched_rows import WatchedRows
from webhook.access import as_erleah, as_visitor, bearer_token
from webhook.body import is_uuid
from webhook.clients import client_address
from webhook.handover import hand_over
from webhook.middleware import trace_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from services.directus.client import Directus, Row
    from services.queue.job_queue import JobQueue
    from services.rate_limits import RateLimits
    from services.redis import RedisClient
    from services.turn_leases import Claim

__all__ = ["Regeneration"]

PREVIOUS_AT_MOST: Final = 5
"""Earlier texts that a row keeps; metadata is read with every update of the row."""

SEQ_GAP: Final = 1000
"""Ahead of whatever the last worker still had on its way."""

LOOK_EVERY_S: Final = 0.05
SETTLED_WITHIN_S: Final = 1.5
"""A worker sees a stop after 0.5 s at most and writes its last; a visitor who waited longer should rather be told."""

ASK_EVERY_S: Final = 0.1
JOB_ENDED_WITHIN_S: Final = 2.0
"""An ended turn's job still records it and leaves the line: milliseconds, with a slow Redis a second or so."""

_REDIS_TIMEOUT_S: Final = 2.0
_OPENED_WITHIN_S: Final = 10.0
"""The turn is ours for REGENERATION_LEASE_TTL_S, and each phase of a call to Directus has a time-out of its own."""

_BEING_WRITTEN: Final = "The answer is still being written; stop it first"
_BEING_ENDED: Final = "The answer is still being ended; ask again in a few seconds"
_NOT_YET: Final = "The question has no answer yet; it is on its way"
_NO_ANSWER: Final = {
    "superseded": "The question was answered together with a later one; ask for that answer anew",
    "answered": "The question's answer was deleted; ask the question again",
}

_log = get_logger(__name__)


class Regeneration:
    """Begins an answer again."""

    def __init__(self, *, directus: Directus, redis: RedisClient, queue: JobQueue, limits: RateLimits) -> None:
        self._directus = directus
        self._redis = redis
        self._leases = TurnLeases(redis)
        self._watched = WatchedRows(redis)
        self._queue = queue
        self._limits = limits

    async def regenerate(self, request: Request) -> JSONResponse:
        """202 when it is on its way; ``id`` is the answer's or its question's.

        404 for what this token can't see, 409 while the answer is still being written or ended or where there is none,
        429 over the limit (a new answer costs as much as a new question), 503 while Redis is away.
        """
        token = bearer_token(request)
        await self._limits.spend("question:address", client_address(request))
        message_id = request.path_params["message_id"].lower()
        if not is_uuid(message_id):
            raise _unknown(message_id)
        visitor = self._directus.with_token(token)
        with as_visitor():
            question_id, conversation_id = await _question_of(visitor, message_id)
        await self._limits.spend("question:conversation", conversation_id.lower())
        with as_erleah():
            await self.begin_again(question_id, trace_of(request))
        return JSONResponse({"message_id": question_id, "answer_id": answer_id_of(question_id)}, status_code=202)

    async def begin_again(self, question_id: str, trace_id: str) -> None:
        """Open an ended answer anew and ask for its turn.

        Raises HTTPException 409 where no ended answer is there, a worker is still at it, or somebody else is just
        opening it; ServiceUnavailableError without Redis or Directus.
        """
        async with self._turn_of(question_id) as (claim, seen):
            question, answer = await self._rows(question_id)
            if seen is not None and _asked_again_at(question) != _asked_again_at(seen):
                raise HTTPException(409, _BEING_WRITTEN)  # somebody else's, and maybe written by now
            async with _soon(self._redis):
                # An old stop would stop the new answer, what an old turn left saved be gone on with, and its last
                # write be put over what is written anew.
                await self._redis.delete(cancel_flag(answer["id"]), turn(question_id), turn_rows(question_id))
                held = await self._leases.renew([claim], lease_s=REGENERATION_LEASE_TTL_S)
            if not held[question_id]:
                raise HTTPException(409, _BEING_ENDED)
            # Both rows or none: a question without a status waits, for a worker and for the sweep alike. Not tried
            # again: a second try might come when a worker has begun.
            rows = [_opened(answer), _waiting(question, trace_id)]
            try:
                async with asyncio.timeout(_OPENED_WITHIN_S):
                    await self._directus.update_items(MESSAGES, rows)
            except TimeoutError as error:
                message = f"Directus has not opened the answer anew within {_OPENED_WITHIN_S:g} s"
                raise ServiceUnavailableError("directus", message) from error
            with suppress(ServiceUnavailableError):  # then a write of the old turn that comes late undoes it
                async with _soon(self._redis):
                    await self._watched.expect(question_id, rows)
        try:
            await self._ask_for_turn(AnswerJob(message_id=question_id, trace_id=trace_id))
        except ServiceUnavailableError as error:
            _log.warning("handover_left_to_the_sweep", message_id=question_id, problem=str(error))

    async def _ask_for_turn(self, job: AnswerJob) -> None:
        """Ask for the new turn, again and again while the old turn's job, which has the same id, is just ending.

        After JOB_ENDED_WITHIN_S it is the sweep's. Raises ServiceUnavailableError without Redis.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + JOB_ENDED_WITHIN_S
        while not await hand_over(self._queue, job):
            if await self._is_held(job.message_id):
                return  # somebody else's job (the sweep's, say) has begun the new turn
            if loop.time() >= until:
                _log.warning("handover_left_to_the_sweep", message_id=job.message_id, problem="its job has not ended")
                return
            await asyncio.sleep(ASK_EVERY_S)

    @asynccontextmanager
    async def _turn_of(self, question_id: str) -> AsyncIterator[tuple[Claim, Row | None]]:
        """Have the turn, as a worker has it: no job of it begins while its answer is being opened.

        A worker that still has it is waited for: a stopped row says so before its worker has noticed. Opened under its
        hands, the row would go on with the old text, or be ended by the old turn's last write. With the claim comes
        the question's row as it was before that wait, if there was one.

        Raises HTTPException 409 if that takes longer than SETTLED_WITHIN_S, ServiceUnavailableError without Redis.
        """
        claim, seen = await self._claim(question_id), None
        if claim is None:
            seen, _ = await self._rows(question_id)  # a live answer is refused at once
            claim = await self._settled(question_id)
        is_untouched = False
        try:
            yield claim, seen
        except (HTTPException, NotFoundError):
            is_untouched = True  # it was refused: nothing was written
            raise
        finally:
            with suppress(ServiceUnavailableError):  # then it lapses
                async with _soon(self._redis):
                    await self._leases.release(claim, is_untouched=is_untouched)

    async def _settled(self, question_id: str) -> Claim:
        loop = asyncio.get_running_loop()
        until = loop.time() + SETTLED_WITHIN_S
        while loop.time() < until:
            await asyncio.sleep(LOOK_EVERY_S)
            if (claim := await self._claim(question_id)) is not None:
                return claim
        await self._rows(question_id)  # somebody else may have opened it meanwhile
        raise HTTPException(409, _BEING_ENDED)

    async def _claim(self, question_id: str) -> Claim | None:
        async with _soon(self._redis):
            return await self._leases.claim(question_id, lease_s=REGENERATION_LEASE_TTL_S)

    async def _is_held(self, question_id: str) -> bool:
        """Whether a live worker has the turn. Raises ServiceUnavailableError without Redis."""
        async with _soon(self._redis):
            return question_id in await self._leases.held_among([question_id])

    async def _rows(self, question_id: str) -> tuple[Row, Row]:
        """The question and its ended answer."""
        answer_id = answer_id_of(question_id)
        fields = ["id", "messageText", "status", "seq", "outcome", "metadata"]
        found = await self._directus.read_by_ids(MESSAGES, [question_id, answer_id], fields=fields)
        rows = {row["id"]: row for row in found}
        if question_id not in rows:
            raise _unknown(question_id)
        if answer_id not in rows:
            raise HTTPException(409, _NO_ANSWER.get(rows[question_id]["status"], _NOT_YET))
        if rows[answer_id]["status"] == "streaming":
            raise HTTPException(409, _BEING_WRITTEN)
        return rows[question_id], rows[answer_id]


@asynccontextmanager
async def _soon(redis: RedisClient) -> AsyncIterator[None]:
    """Raise ServiceUnavailableError where Redis takes longer than a visitor should wait."""
    with speaking_plainly(redis):
        async with asyncio.timeout(_REDIS_TIMEOUT_S):
            yield


def _opened(answer: Row) -> Row:
    """The answer's row begun again: empty, ahead in ``seq``, with what it said and covered before."""
    metadata: dict[str, Any] = answer["metadata"] or {}
    before = {
        "text": answer["messageText"] or "",
        "outcome": answer["outcome"],
        "provider": metadata.get("provider"),
        "model": metadata.get("model"),
        "trace_id": metadata.get("trace_id"),
    }
    previous = [*metadata.get("previous", []), before][-PREVIOUS_AT_MOST:]
    return {
        "id": answer["id"],
        "status": "streaming",
        "messageText": "",
        "seq": (answer["seq"] or 0) + SEQ_GAP,
        "metadata": {"previous": previous, "covers": metadata.get("covers", [])},
    }


def _asked_again_at(question: Row) -> object:
    metadata = question["metadata"]
    return metadata.get("asked_again_at") if isinstance(metadata, dict) else None


def _waiting(question: Row, trace_id: str) -> Row:
    """The question as it was when it was new, but for when it was asked."""
    asked_again_at = datetime.now(UTC).isoformat()
    return {
        "id": question["id"],
        "status": None,
        "metadata": {"trace_id": trace_id, "asked_again_at": asked_again_at},
    }


async def _question_of(visitor: Directus, message_id: str) -> tuple[str, str]:
    """The question's and the conversation's id, as far as this token can see them."""
    try:
        row = await visitor.read_item(MESSAGES, message_id, fields=["id", "role", "conversation_id"])
    except NotFoundError:
        raise _unknown(message_id) from None
    if row["role"] == "user":
        return row["id"], row["conversation_id"]
    questions = visitor.iterate_items(
        MESSAGES,
        filter={"_and": [{"role": {"_eq": "user"}}, {"conversation_id": {"_eq": row["conversation_id"]}}]},
        fields=["id"],
    )
    async for question in questions:
        if answer_id_of(question["id"]) == row["id"]:
            return question["id"], row["conversation_id"]
    raise _unknown(message_id)


def _unknown(message_id: str) -> NotFoundError:
    return NotFoundError(f"There is no message {message_id[:36]} that this token can see")

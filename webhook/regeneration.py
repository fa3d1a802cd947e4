"""POST /api/messages/{id}/regenerate: a visitor wants an answer written anew.

The answer keeps its id (it is worked out from the question's), so its row begins again; what it said
before is kept in its metadata under ``previous``, newest last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from services.answer_ids import answer_id_of
from services.directus_names import MESSAGES
from services.errors import NotFoundError, ServiceUnavailableError
from services.logging import get_logger
from services.queue.jobs import AnswerJob
from services.redis_keys import cancel_flag
from webhook.access import as_erleah, as_visitor, bearer_token
from webhook.body import is_uuid
from webhook.handover import hand_over
from webhook.clients import client_address
from webhook.middleware import trace_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from services.directus.client import Directus
    from services.queue.job_queue import JobQueue
    from services.redis import RedisClient
    from services.rate_limits import RateLimits

__all__ = ["Regeneration"]

PREVIOUS_AT_MOST: Final = 5
"""Earlier texts that a row keeps; metadata is read with every update of the row."""

SEQ_GAP: Final = 1000
"""Ahead of whatever the last worker still had on its way."""

_log = get_logger(__name__)


class Regeneration:
    """Begins an answer again."""

    def __init__(self, *, directus: Directus, redis: RedisClient, queue: JobQueue, limits: RateLimits) -> None:
        self._directus = directus
        self._redis = redis
        self._queue = queue
        self._limits = limits

    async def regenerate(self, request: Request) -> JSONResponse:
        """202 when it is on its way; ``id`` is the answer's or its question's.

        404 for what this token can't see, 409 while the answer is still being written, 429 over the
        limit: a new answer costs as much as a new question.
        """
        token = bearer_token(request)
        await self._limits.spend("question:address", client_address(request))
        message_id = request.path_params["message_id"].lower()
        if not is_uuid(message_id):
            raise _unknown(message_id)
        visitor = self._directus.with_token(token)
        with as_visitor():
            question_id, conversation_id = await _question_of(visitor, message_id)
        await self._limits.spend("question:conversation", conversation_id)
        answer_id = answer_id_of(question_id)
        with as_erleah():
            await self._begin_again(question_id, answer_id, trace_of(request))
        try:
            await self._redis.delete(cancel_flag(answer_id))
            await hand_over(self._queue, AnswerJob(message_id=question_id, trace_id=trace_of(request)))
        except ServiceUnavailableError as error:
            _log.warning("handover_left_to_the_sweep", message_id=question_id, problem=str(error))
        return JSONResponse({"message_id": question_id, "answer_id": answer_id}, status_code=202)

    async def _begin_again(self, question_id: str, answer_id: str, trace_id: str) -> None:
        rows = await self._directus.read_items(
            MESSAGES,
            filter={"id": {"_eq": answer_id}},
            fields=["messageText", "status", "seq", "outcome", "metadata"],
            limit=1,
        )
        if not rows:
            raise HTTPException(409, "The question has no answer yet; it is on its way")
        answer = rows[0]
        if answer["status"] == "streaming":
            raise HTTPException(409, "The answer is still being written; stop it first")
        metadata: dict[str, Any] = answer["metadata"] or {}
        before = {
            "text": answer["messageText"] or "",
            "outcome": answer["outcome"],
            "provider": metadata.get("provider"),
            "model": metadata.get("model"),
            "trace_id": metadata.get("trace_id"),
        }
        previous = [*metadata.get("previous", []), before][-PREVIOUS_AT_MOST:]
        ended = {"_and": [{"id": {"_eq": answer_id}}, {"status": {"_neq": "streaming"}}]}
        again = {
            "status": "streaming",
            "messageText": "",
            "seq": (answer["seq"] or 0) + SEQ_GAP,
            "metadata": {"previous": previous},
        }
        await self._directus.update_where(MESSAGES, ended, again)
        # Without a status it is a question that waits, for a worker and for the sweep alike.
        waiting = {"status": None, "metadata": {"trace_id": trace_id}}
        await self._directus.update_item(MESSAGES, question_id, waiting)


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

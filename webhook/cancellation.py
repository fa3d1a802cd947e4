"""POST /api/messages/{answer id}/cancel: a visitor stops an answer that is being written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from services.answer_ids import answer_id_of
from services.directus_names import MESSAGES
from services.errors import InvalidInputError, NotFoundError, ServiceUnavailableError
from services.logging import get_logger
from services.redis import speaking_plainly
from services.redis_keys import TURN_TTL_S, cancel_flag
from webhook.access import as_erleah, as_visitor, bearer_token
from webhook.body import is_uuid
from webhook.clients import client_address

if TYPE_CHECKING:
    from starlette.requests import Request

    from services.directus.client import Directus
    from services.rate_limits import RateLimits
    from services.redis import RedisClient

__all__ = ["Cancellation"]

NEWEST_QUESTIONS: Final = 50
"""How far back a question is looked for whose answer has no row yet; such a question is seconds old."""

_REDIS_TIMEOUT_S: Final = 2.0

_log = get_logger(__name__)


class Cancellation:
    """Tells the worker twice: a flag in Redis, and the status of the row if there is one.

    The flag alone stops an answer that has no row yet; the row alone stops one while Redis is away.
    """

    def __init__(self, *, directus: Directus, redis: RedisClient, limits: RateLimits) -> None:
        self._directus = directus
        self._redis = redis
        self._limits = limits

    async def cancel(self, request: Request) -> JSONResponse:
        """202 when the stop is on its way; 404 for what this token can't see; 409 if it has ended."""
        token = bearer_token(request)
        await self._limits.spend("cancel:address", client_address(request))
        answer_id = request.path_params["answer_id"].lower()
        if not is_uuid(answer_id):
            raise _unknown(answer_id)
        visitor = self._directus.with_token(token)
        with as_visitor():
            answer = await _answer_row(visitor, answer_id)
            if answer is None:
                await _check_is_due(visitor, answer_id, request.query_params.get("conversation_id"))
        if answer is None:
            await self._set_flag(answer_id)
        else:
            await self._stop(answer)
        _log.info("cancel_accepted", answer_id=answer_id, begun=answer is not None)
        return JSONResponse({"cancelled": True, "answer_id": answer_id}, status_code=202)

    async def _stop(self, answer: dict[str, Any]) -> None:
        if answer["role"] != "assistant":
            raise _unknown(answer["id"])
        if answer["status"] != "streaming":
            raise _ended(answer["status"])
        try:
            await self._set_flag(answer["id"])
        except ServiceUnavailableError as error:
            _log.warning("cancel_flag_not_set", answer_id=answer["id"], problem=str(error))
        # Only while it streams: an answer that ends in this very moment stays completed. The row's
        # seq is left alone, it belongs to the worker that writes.
        streaming = {"_and": [{"id": {"_eq": answer["id"]}}, {"status": {"_eq": "streaming"}}]}
        with as_erleah():
            await self._directus.update_where(MESSAGES, streaming, {"status": "cancelled"})

    async def _set_flag(self, answer_id: str) -> None:
        with speaking_plainly(self._redis):
            async with asyncio.timeout(_REDIS_TIMEOUT_S):
                await self._redis.set(cancel_flag(answer_id), "1", ex=TURN_TTL_S)


async def _answer_row(visitor: Directus, answer_id: str) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = await visitor.read_item(MESSAGES, answer_id, fields=["id", "role", "status"])
    except NotFoundError:
        return None
    return row


async def _check_is_due(visitor: Directus, answer_id: str, conversation_id: str | None) -> None:
    """Pass if a question that this token can read is going to have this answer."""
    conditions: list[dict[str, Any]] = [{"role": {"_eq": "user"}}]
    if conversation_id is not None:
        if not is_uuid(conversation_id):
            problem = "conversation_id: wants a UUID"
            raise InvalidInputError(problem)
        conditions.append({"conversation_id": {"_eq": conversation_id}})
    questions = await visitor.read_items(
        MESSAGES, filter={"_and": conditions}, fields=["id"], sort=["-date_created"], limit=NEWEST_QUESTIONS
    )
    if not any(answer_id_of(question["id"]) == answer_id for question in questions):
        raise _unknown(answer_id)


def _unknown(answer_id: str) -> NotFoundError:
    return NotFoundError(f"There is no answer {answer_id[:36]} that this token can see")


def _ended(status: str | None) -> HTTPException:
    return HTTPException(409, f"The answer has ended already ({status or 'unknown'})")

"""POST /api/chat: the widget's contract of the first version, for installations without the Flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel
from starlette.responses import JSONResponse

from services.answer_ids import answer_id_of
from services.directus_names import MESSAGES
from services.errors import InvalidInputError, NotFoundError
from services.queue.jobs import AnswerJob
from webhook.access import as_erleah
from webhook.body import RowId, read_body
from webhook.clients import client_address
from webhook.handover import hand_over
from webhook.middleware import trace_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from services.directus.client import Directus
    from services.queue.job_queue import JobQueue
    from services.rate_limits import RateLimits
    from webhook.responses import ErrorAnswers

__all__ = ["Chat", "ChatRequest"]

_FAILED: Final[dict[str, Any]] = {"success": False, "assistant_message_id": None}


class ChatRequest(BaseModel):
    """A message that the client has written into Directus by itself."""

    conversation_id: RowId
    message_id: RowId
    conference_id: RowId | None = None


class Chat:
    """Asks for an answer; ``{success, assistant_message_id, error}`` whatever happens.

    It needs no token: it changes nothing but when an answer that is due anyway begins, and says
    nothing that its caller, who must know both ids, has not said.
    """

    def __init__(self, *, directus: Directus, queue: JobQueue, limits: RateLimits, answers: ErrorAnswers) -> None:
        self._directus = directus
        self._queue = queue
        self._limits = limits
        self._answers = answers

    async def answer(self, request: Request) -> JSONResponse:
        """Answer 200 with the answer's id, or an error's own status with the same members."""
        try:
            answer_id = await self._accept(request)
        except Exception as error:  # noqa: BLE001 - every error of this call has this call's shape
            return self._answers.of(error, also=_FAILED)
        return JSONResponse({"success": True, "assistant_message_id": answer_id, "error": None})

    async def _accept(self, request: Request) -> str:
        await self._limits.spend("question:address", client_address(request))
        wanted = await read_body(request, ChatRequest)
        unknown = f"message_id: there is no message {wanted.message_id} in this conversation"
        try:
            with as_erleah():
                message = await self._directus.read_item(
                    MESSAGES, wanted.message_id, fields=["id", "role", "conversation_id"]
                )
        except NotFoundError:
            raise NotFoundError(unknown) from None
        if str(message["conversation_id"]).lower() != wanted.conversation_id.lower():
            raise NotFoundError(unknown)
        if message["role"] != "user":
            problem = "message_id: is not a user's message"
            raise InvalidInputError(problem)
        await self._limits.spend("question:conversation", wanted.conversation_id.lower())
        job = AnswerJob(message_id=str(message["id"]), conference_id=wanted.conference_id, trace_id=trace_of(request))
        await hand_over(self._queue, job)
        return answer_id_of(job.message_id)

"""What a visitor's client calls: begin a conversation, ask a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import uuid4

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from services.answer_ids import answer_id_of
from services.directus_names import CONFERENCES, CONVERSATIONS, MESSAGES, VISITOR_ROLE_ID
from services.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ServiceUnavailableError,
)
from services.logging import get_logger
from services.queue.jobs import AnswerJob
from webhook.access import as_erleah, bearer_token
from webhook.body import RowId, read_body
from webhook.clients import client_address
from webhook.handover import hand_over
from webhook.middleware import trace_of
from webhook.question import clean_question

if TYPE_CHECKING:
    from starlette.requests import Request

    from services.directus.client import Directus
    from services.queue.job_queue import JobQueue
    from services.rate_limits import RateLimits
    from webhook.access import VisitorAccess

__all__ = ["SHARE_DAYS", "Visitors"]

SHARE_DAYS: Final = 7
"""How long a conversation can be come back to; a conference lasts a few days."""

_log = get_logger(__name__)


class NewConversation(BaseModel):
    """Body of POST /api/conversations."""

    conference_id: RowId | None = None
    source: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")] = "mini"


class NewMessage(BaseModel):
    """Body of POST /api/messages."""

    conversation_id: RowId
    text: str


class Visitors:
    """Writes for visitors, whose own tokens can only read."""

    def __init__(
        self,
        *,
        directus: Directus,
        queue: JobQueue,
        access: VisitorAccess,
        limits: RateLimits,
        default_conference_id: str | None,
    ) -> None:
        self._directus = directus
        self._queue = queue
        self._access = access
        self._limits = limits
        self._default_conference_id = default_conference_id

    async def begin_conversation(self, request: Request) -> JSONResponse:
        """POST /api/conversations: a conversation and the share that opens it, and nothing else."""
        await self._limits.spend("conversation:address", client_address(request))
        wanted = await read_body(request, NewConversation)
        conference_id = wanted.conference_id or self._default_conference_id
        if conference_id is None:
            message = "conference_id: is required; this installation has no default conference"
            raise InvalidInputError(message)
        conversation_id = str(uuid4())
        row = {"id": conversation_id, "source": wanted.source, "conference_id": conference_id}
        date_end = datetime.now(UTC) + timedelta(days=SHARE_DAYS)
        with as_erleah():
            await self._check_conference(conference_id)
            await self._create(CONVERSATIONS, row)
            share_id = await self._directus.create_share(
                CONVERSATIONS, conversation_id, role=VISITOR_ROLE_ID, date_end=date_end
            )
        _log.info("conversation_begun", conversation_id=conversation_id, source=wanted.source)
        return JSONResponse({"conversation_id": conversation_id, "share_id": share_id}, status_code=201)

    async def ask(self, request: Request) -> JSONResponse:
        """POST /api/messages: the user's message, and the id its answer is going to have."""
        token = bearer_token(request)
        await self._limits.spend("question:address", client_address(request))
        asked = await read_body(request, NewMessage)
        text = clean_question(asked.text)
        await self._access.check(token, asked.conversation_id)
        # Only now, or a stranger could use up the conversation's questions. PostgreSQL takes an id in any case, each of
        # which would have a limit of its own.
        await self._limits.spend("question:conversation", asked.conversation_id.lower())
        message_id = str(uuid4())
        row = {
            "id": message_id,
            "conversation_id": asked.conversation_id,
            "role": "user",
            "messageText": text,
            # In the row, for the Flow's hook may reach a worker before our own job does.
            "metadata": {"trace_id": trace_of(request)},
        }
        with as_erleah():
            await self._create(MESSAGES, row)
        job = AnswerJob(message_id=message_id, trace_id=trace_of(request))
        try:
            # The Flow reports the same message a little later; one id makes both one job.
            await hand_over(self._queue, job)
        except ServiceUnavailableError as error:
            # The message is kept: the Flow's hook or the sweep brings it to a worker.
            _log.warning("handover_left_to_the_sweep", message_id=message_id, problem=str(error))
        answer_id = answer_id_of(message_id)
        _log.info("question_asked", message_id=message_id, characters=len(text))
        return JSONResponse({"message_id": message_id, "answer_id": answer_id}, status_code=201)

    async def _check_conference(self, conference_id: str) -> None:
        try:
            await self._directus.read_item(CONFERENCES, conference_id, fields=["id"])
        except NotFoundError:
            message = f"conference_id: there is no conference {conference_id}"
            raise NotFoundError(message) from None

    async def _create(self, collection: str, row: dict[str, Any]) -> None:
        try:
            await self._directus.create_item(collection, row)
        except ConflictError:
            # The id is new, so this row is our own first try, whose answer was lost on the way.
            _log.info("row_was_written", collection=collection, id=row["id"])

"""The two hooks that Directus Flows call. A payload is a hint: the worker reads the row itself."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from services.directus_names import CONFERENCES, EXHIBITORS, MESSAGES, SESSIONS, SESSIONS_SPEAKERS, SPEAKERS
from services.errors import RateLimitedError
from services.logging import get_logger
from services.queue.jobs import AnswerJob, IndexItemJob, ReindexJob
from webhook.body import is_uuid, read_body
from webhook.clients import client_address
from webhook.handover import hand_over
from webhook.middleware import trace_of
from webhook.responses import WrongShapeError

if TYPE_CHECKING:
    from pydantic import SecretStr
    from starlette.requests import Request

    from services.queue.job_queue import JobQueue
    from services.rate_limits import RateLimits

__all__ = ["SECRET_HEADER", "FlowEvent", "Hooks"]

SECRET_HEADER: Final = "X-Erleah-Secret"  # noqa: S105 - the name of a header, not what it holds

CONTENT_COLLECTIONS: Final = frozenset({CONFERENCES, SESSIONS, EXHIBITORS, SPEAKERS, SESSIONS_SPEAKERS})
"""What is in the index; the junction too, for a talk is found by its speakers' names."""

ENTITY_COLLECTIONS: Final = frozenset({SESSIONS, EXHIBITORS, SPEAKERS})

CONTENT_ACTIONS: Final = frozenset({"create", "update", "delete"})

MAX_ITEM_JOBS: Final = 500
"""One event that changes more rows than this (an import) asks for one reindex instead."""

HOOKS_PER_MINUTE: Final = 12_000
"""Of one client, and Directus is one: 200 a second is twice the burst that is measured (docs/benchmarks.md)."""

Key = Annotated[str, Field(min_length=1, max_length=128)] | int

_log = get_logger(__name__)


class FlowEvent(BaseModel):
    """What ``{{$trigger}}`` of an event Flow holds.

    A create has ``key``; an update or delete has ``keys``. ``payload`` has only the fields that
    the client sent: a default, a role say, is not in it.
    """

    model_config = ConfigDict(extra="ignore")

    event: Annotated[str, Field(min_length=1, max_length=200)]
    collection: Annotated[str, Field(min_length=1, max_length=200)]
    key: Key | None = None
    keys: list[Key] | None = None
    payload: Any = None

    @property
    def action(self) -> str:
        """``create``, ``update`` or ``delete``: the last part of ``messages.items.create``."""
        return self.event.rsplit(".", 1)[-1]

    @property
    def item_ids(self) -> list[str]:
        """Every row the event is about, each once, in order."""
        named = [] if self.key is None else [self.key]
        return list(dict.fromkeys(str(key) for key in [*named, *(self.keys or [])]))


class Hooks:
    """Checks a Flow's call and hands on what it asks for. Only who knows the secret gets in."""

    def __init__(self, *, secret: SecretStr, queue: JobQueue, limits: RateLimits) -> None:
        self._secret_digest = sha256(secret.get_secret_value().encode()).digest()
        self._queue = queue
        self._limits = limits

    async def message_created(self, request: Request) -> JSONResponse:
        """POST /hooks/message-created: one AnswerJob for a user's message.

        Over the limit it is refused and nothing is lost: the sweep finds the message in Directus.
        """
        await self._check_secret(request)
        await self._limits.spend("hook:message", client_address(request), per_minute=HOOKS_PER_MINUTE)
        event = await read_body(request, FlowEvent)
        if event.collection != MESSAGES:
            return _not_accepted(f"collection is not {MESSAGES}")
        if event.action != "create":
            return _not_accepted("event is not a create")
        role = event.payload.get("role") if isinstance(event.payload, dict) else None
        if role is not None and role != "user":
            return _not_accepted("not a user's message")
        message_ids = event.item_ids
        if len(message_ids) != 1 or not is_uuid(message_ids[0]):
            raise _wrong_field("key", "wants the UUID of the message")
        job = AnswerJob(message_id=message_ids[0], trace_id=trace_of(request))
        new = await hand_over(self._queue, job)
        _log.info("message_accepted", message_id=job.message_id, new=new)
        return JSONResponse({"accepted": True, "job_id": job.job_id}, status_code=202)

    async def content_changed(self, request: Request) -> JSONResponse:
        """POST /hooks/content-changed: one IndexItemJob for each row that changed, one ReindexJob for very many."""
        await self._check_secret(request)
        event = await read_body(request, FlowEvent)
        if event.collection not in CONTENT_COLLECTIONS:
            return _not_accepted("collection is not indexed")
        if event.action not in CONTENT_ACTIONS:
            return _not_accepted("event is not a create, update or delete")
        item_ids = event.item_ids
        if not item_ids:
            raise _wrong_field("keys", "wants the id of at least one changed row (key or keys)")
        trace_id = trace_of(request)
        if len(item_ids) > MAX_ITEM_JOBS or await self._is_flood(request):
            # A reindex that is waiting or running already may have passed these rows: then one by one.
            reindex = _reindex_of(event.collection, trace_id)
            if await hand_over(self._queue, reindex):
                _log.info("reindex_asked", collection=event.collection, rows=len(item_ids))
                return JSONResponse({"accepted": True, "job_id": reindex.job_id, "jobs": 1}, status_code=202)
        jobs = [
            IndexItemJob(collection=event.collection, item_id=item_id, change_id=uuid4().hex, trace_id=trace_id)
            for item_id in item_ids
        ]
        await hand_over(self._queue, *jobs)
        _log.info("content_change_accepted", collection=event.collection, rows=len(jobs))
        return JSONResponse({"accepted": True, "job_id": jobs[0].job_id, "jobs": len(jobs)}, status_code=202)

    async def _is_flood(self, request: Request) -> bool:
        """Whether a client reports more changes than the limit. None may be refused: no sweep would find it again."""
        try:
            await self._limits.spend("hook:content", client_address(request), per_minute=HOOKS_PER_MINUTE)
        except RateLimitedError:
            return True
        return False

    async def _check_secret(self, request: Request) -> None:
        """Refuse before the body is read; two headers are refused, or each side might believe another.

        Who guesses is held to a visitor's limit; who knows the secret is not counted there, so that a stranger
        behind the same proxy can't shut Directus out.
        """
        sent = request.headers.getlist(SECRET_HEADER)
        # Digests are of one length, so the comparison tells nothing of the secret's, either.
        if len(sent) != 1 or not hmac.compare_digest(sha256(sent[0].encode("latin-1")).digest(), self._secret_digest):
            _log.warning("hook_refused", headers=len(sent))
            await self._limits.spend("hook:refused", client_address(request))
            raise HTTPException(
                401, f"Wants the header {SECRET_HEADER}, once, with the shared secret", {"Connection": "close"}
            )


def _reindex_of(collection: str, trace_id: str) -> ReindexJob:
    entity_type = collection if collection in ENTITY_COLLECTIONS else None
    return ReindexJob(entity_type=entity_type, trace_id=trace_id)


def _not_accepted(reason: str) -> JSONResponse:
    return JSONResponse({"accepted": False, "reason": reason})


def _wrong_field(field: str, problem: str) -> WrongShapeError:
    return WrongShapeError(f"{field}: {problem}", [{"field": field, "problem": problem}])

"""The whole of Erleah for the end-to-end tests, each part a real process, started once for all of them.

A Directus and a redis-server of its own (a worker's sweep answers every question it finds, so it must
not see other tests' rows), a receiver, a worker with the sample conference in its index, and a model
provider's stand-in over HTTP, which serves both Anthropic's and OpenAI's API.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import pytest
import redis

from cli.load import load_data
from cli.local_directus import free_port
from services.answer_ids import answer_id_of
from services.queue.job_queue import JobQueue
from services.queue.jobs import Job, ReindexJob, SearchJob
from services.redis import connect_redis
from services.redis_keys import BREAKER_PREFIX
from services.settings import Settings
from standins.models import ModelStandIn, Script
from tests.e2e.directus_server import DirectusServer, Rest, provision_directus, start_directus
from tests.e2e.processes import ROOT, ErleahProcess
from tests.e2e.redis_server import RedisServer
from tests.e2e.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from standins.models import RecordedRequest

__all__ = ["ANSWER", "CONFERENCE_ID", "WRITES", "Stack", "eventually", "shared_stack", "stack", "until"]

T = TypeVar("T")

CONFERENCE_ID = "87324dc9-9ee0-5a07-9057-3b7b4feeeecb"
"""The sample conference of ``cli/demo_data``."""

ANSWER = (
    "There are several talks about testing. **Pytest Design Patterns** is one of them. "
    "You may also like *Mutation Testing in Python with Cosmic Ray*. Enjoy the conference!"
)
WRITES = Script(text=ANSWER, tokens_per_second=60)
"""What the stand-in does when a test asks for nothing else: an answer of 0.4 s."""

LLM_TIMEOUT_S = 2.0
"""A stalled provider costs a test this long; the stand-in's own pauses are far shorter."""

_LOOK_S = 0.05

_UNDER_PRESSURE = 503
"""Directus's answer for a moment after its start: ask again."""


@dataclass
class Stack:
    """The parts, and what tests do with them. Waiting methods raise TimeoutError."""

    directus: DirectusServer
    redis: RedisServer
    model: ModelStandIn
    folder: Path
    settings: dict[str, str] = field(repr=False)
    webhook: ErleahProcess
    worker: ErleahProcess
    secrets: set[str] = field(default_factory=set, repr=False)
    """What no log may hold: keys, secrets, tokens, and every text that was asked."""
    spares: list[ErleahProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rest = Rest(self.directus.url, self.directus.service_token)
        self.admin = Rest(self.directus.url, self.directus.admin_token)

    # Processes.

    def spare_worker(self, *, grace_s: float | None = None) -> ErleahProcess:
        """One more worker on the same queue, with an empty index of its own; it ends with the test."""
        name = f"spare-worker-{len(self.spares)}"
        own = self.settings | {"QDRANT_URL": "embedded://"}
        spare = ErleahProcess("worker", own, self.folder, name=name, grace_s=grace_s)
        self.spares.append(spare)
        spare.start()
        return spare

    @contextmanager
    def worker_with(self, **settings: str) -> Iterator[ErleahProcess]:
        """The worker, started anew with other settings for as long as it takes; then as it was."""
        self.worker.stop()
        try:
            self.worker.start(settings)
            yield self.worker
        finally:
            self.worker.stop()
            self.worker.start()

    def all_output(self) -> str:
        """Every line that any process has written since the first start, Directus's too."""
        workers = [self.webhook, self.worker, *self.spares]
        said = [process.output(of_all_starts=True) for process in workers]
        return "\n".join([*said, self.directus.process.log_path.read_text(encoding="utf-8", errors="replace")])

    # What a client of Directus does.

    async def conversation(self, conference_id: str | None = CONFERENCE_ID) -> str:
        """Begin a conversation by plain REST; its id."""
        row = await self.call("POST", "/items/conversations", json={"conference_id": conference_id})
        return str(row["id"])

    async def say(self, conversation_id: str, text: str, message_id: str | None = None) -> str:
        """Write a user's message by plain REST, as any client of Directus may; its id."""
        self.keep_out_of_logs(text)
        body = {"conversation_id": conversation_id, "role": "user", "messageText": text}
        row = await self.call("POST", "/items/messages", json=body | ({"id": message_id} if message_id else {}))
        return str(row["id"])

    async def ask(self, text: str) -> str:
        """Write a message into a conversation of its own; its id."""
        return await self.say(await self.conversation(), text)

    async def row(self, message_id: str) -> dict[str, Any]:
        """A message's row."""
        row: dict[str, Any] = await self.call("GET", f"/items/messages/{message_id}")
        return row

    async def rows(self, conversation_id: str) -> list[dict[str, Any]]:
        """All messages of a conversation, oldest first."""
        params = {"filter[conversation_id][_eq]": conversation_id, "sort": "date_created", "limit": -1}
        rows: list[dict[str, Any]] = await self.call("GET", "/items/messages", params=params)
        return rows

    async def answers(self, message_id: str) -> list[dict[str, Any]]:
        """Every assistant's row of the conversation that a message is in."""
        conversation_id = (await self.row(message_id))["conversation_id"]
        return [row for row in await self.rows(conversation_id) if row["role"] == "assistant"]

    async def answer(self, message_id: str) -> dict[str, Any] | None:
        """The answer to a message as it is now, None while there is none."""
        params = {"filter[id][_eq]": answer_id_of(message_id)}
        rows: list[dict[str, Any]] = await self.call("GET", "/items/messages", params=params)
        return rows[0] if rows else None

    async def answered(self, message_id: str, within_s: float = 20.0) -> dict[str, Any]:
        """Wait until the answer to a message has ended and the message is marked; the answer's row."""
        async with asyncio.timeout(within_s):
            while True:
                row = await self.answer(message_id)
                if row and row["status"] != "streaming" and (await self.row(message_id))["status"]:
                    return row
                await asyncio.sleep(_LOOK_S)

    async def begun(self, message_id: str, within_s: float = 20.0) -> dict[str, Any]:
        """Wait until some text of the answer is in Directus; the answer's row."""
        async with asyncio.timeout(within_s):
            while True:
                row = await self.answer(message_id)
                if row and row["messageText"]:
                    return row
                await asyncio.sleep(_LOOK_S)

    async def call(self, method: str, path: str, *, json: Any = None, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Call Directus with Erleah's token, beside Erleah's own client; the ``data`` of the answer."""
        while True:
            answer = await asyncio.to_thread(self.rest.call, method, path, json=json, params=params)
            if answer.status_code != _UNDER_PRESSURE:
                break
            await asyncio.sleep(_LOOK_S)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()["data"] if answer.content else None

    def visitor(self, conference_id: str = CONFERENCE_ID) -> Visitor:
        """A visitor, not yet arrived."""
        return Visitor(self.directus.receiver_url, self.directus.url, conference_id)

    # The queue and the model.

    async def job(self, job: Job, within_s: float = 60.0) -> Any:  # noqa: ANN401 - any JSON
        """Ask the worker for a job that keeps its result, and wait for that."""
        client = connect_redis(self.redis.url, retries=1)
        queue = JobQueue(client)
        try:
            await queue.enqueue(job)
            return await queue.result(job, within_s)
        finally:
            await client.aclose()

    async def search(
        self,
        query: str,
        entity_type: str = "sessions",
        *,
        conference_id: str = CONFERENCE_ID,
        **more: Any,  # noqa: ANN401 - the job's own fields
    ) -> list[dict[str, Any]]:
        """What ``erleah search`` finds."""
        found = await self.job(
            SearchJob(request_id=uuid4().hex, query=query, conference_id=conference_id, entity_type=entity_type, **more)
        )
        results: list[dict[str, Any]] = found["results"]
        return results

    def asked_of_model(self, words: str) -> list[RecordedRequest]:
        """The calls for an answer whose question holds those words."""
        return [one for one in self.model.requests if one.streamed and words in one.last_user_text]

    def keep_out_of_logs(self, *words: str) -> None:
        """Remember what no log may hold; a word or two would be found by chance."""
        self.secrets.update(word for word in words if len(word) >= 20)


async def until(what: Callable[[], T], within_s: float = 10.0) -> T:
    """Wait until ``what()`` is something and give it. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            if found := what():
                return found
            await asyncio.sleep(0.01)


async def eventually(what: Callable[[], Awaitable[T]], within_s: float = 10.0) -> T:
    """As ``until``, for what has to be waited for itself. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            if found := await what():
                return found
            await asyncio.sleep(_LOOK_S)


def _settings(directus: DirectusServer, redis_server: RedisServer, model: ModelStandIn, folder: Path) -> dict[str, str]:
    return {
        "DIRECTUS_URL": directus.url,
        "DIRECTUS_API_KEY": directus.service_token,
        "DIRECTUS_WEBHOOK_SECRET": directus.webhook_secret,
        "WEBHOOK_PORT": str(directus.receiver_port),
        "RATE_LIMIT_PER_MINUTE": "10000",
        "REDIS_URL": redis_server.url,
        "QDRANT_URL": f"embedded://{folder / 'index'}",
        "EMBEDDING_PROVIDER": "local",
        "FACET_WRITER": "template",
        "ANTHROPIC_BASE_URL": model.anthropic_url,
        "ANTHROPIC_API_KEY": f"sk-ant-{secrets.token_urlsafe(24)}",
        "OPENAI_BASE_URL": model.openai_url,
        "OPENAI_API_KEY": f"sk-{secrets.token_urlsafe(24)}",
        "LLM_TIMEOUT_S": str(LLM_TIMEOUT_S),
        "LOG_LEVEL": "DEBUG",
    }


@contextmanager
def _own_directus(folder: Path) -> Iterator[DirectusServer]:
    process, own = start_directus(folder)
    server = DirectusServer(
        url=process.url,
        admin_token=own.admin_token,
        service_token=secrets.token_urlsafe(24),
        webhook_secret=own.webhook_secret,
        receiver_port=free_port(),
        process=process,
    )
    try:
        asyncio.run(
            provision_directus(
                server.url,
                server.admin_token,
                api_key=server.service_token,
                webhook_url=server.receiver_url,
                webhook_secret=server.webhook_secret,
                secret_from_env=True,
            )
        )
        yield server
    finally:
        process.stop()


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The session's stack; tests ask for ``stack``."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "redis").mkdir()
    redis_server = RedisServer(folder / "redis")
    with _own_directus(folder / "directus") as directus, ModelStandIn(WRITES).in_thread() as model:
        settings = _settings(directus, redis_server, model, folder)
        whole = Stack(
            directus,
            redis_server,
            model,
            folder,
            settings,
            ErleahProcess("webhook", settings, folder),
            ErleahProcess("worker", settings, folder),
        )
        whole.keep_out_of_logs(
            *(settings[name] for name in settings if name.endswith(("_KEY", "_SECRET"))), directus.admin_token
        )
        redis_server.start()
        try:
            given: dict[str, Any] = {name.lower(): value for name, value in settings.items()}
            asyncio.run(load_data(Settings(_env_file=None, **given), ROOT / "cli" / "demo_data"))
            whole.worker.start()
            asyncio.run(whole.job(ReindexJob(conference_id=CONFERENCE_ID)))
            # Last: the load itself is not to be reported row by row.
            whole.webhook.start()
            yield whole
        finally:
            for process in (whole.webhook, whole.worker, *whole.spares):
                process.kill()
            whole.rest.__exit__()
            whole.admin.__exit__()
            redis_server.stop()


@pytest.fixture
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """The stack, all of it running; whatever a test stops is started again."""
    _mend(shared_stack)
    with redis.Redis(port=shared_stack.redis.port, socket_timeout=5) as client:
        # A provider that failed in one test is asked again in the next.
        for key in client.scan_iter(match=f"{BREAKER_PREFIX}*"):
            client.delete(key)
    shared_stack.model.reply_with(WRITES)
    shared_stack.model.requests.clear()
    yield shared_stack
    for spare in shared_stack.spares:
        spare.kill()
    _mend(shared_stack)


def _mend(whole: Stack) -> None:
    if not whole.directus.process.is_running:
        whole.directus.process.start()
    if not whole.redis.is_running:
        whole.redis.start()
    for process in (whole.webhook, whole.worker):
        if process.is_running:
            process.resume()
        else:
            process.start()

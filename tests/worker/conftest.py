"""A workshop on stand-ins: fakeredis, Directus in memory, and a model that says what a test scripts.

Time is virtual in every asynchronous test here: what takes the workshop two seconds takes a test none,
and no busy machine makes it miss them.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest

from assistants.interface import (
    Assistant,
    Source,
    Toolbox,
    ToolCall,
    ToolOutcome,
    TurnView,
    Understanding,
    Understood,
)
from services import redis_keys
from services.answer_ids import answer_id_of
from services.llm.calls import AnswerEnd, Parsed, Prompt, TextDelta, Usage
from services.llm.chain import LanguageModel
from services.llm.offline import OfflineProvider
from services.metrics import Metrics
from services.queue.job_queue import JobQueue
from services.queue.jobs import AnswerJob
from services.queue.runner import JobContext
from services.rate_limits import RateLimits
from services.redis import RedisClient, connect_redis
from services.settings import Settings
from services.turn_leases import TurnLeases
from services.watched_rows import WatchedRows
from standins.directus import DirectusStandIn
from tests.worker.virtual_time import Clock, VirtualLoop, virtual_time
from worker.answer_pump import AnswerPump
from worker.answering import answer_message
from worker.conversation_line import ConversationLine
from worker.intake import read_begun
from worker.late_writes import LateWrites
from worker.services import Services
from worker.turn_limit import TurnLimit
from worker.turn_store import TurnStore
from worker.turn_watch import TurnWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from assistants.interface import Tool
    from search.index import SearchIndex
    from services.embeddings.embedder import Embedder
    from services.llm.calls import Provider


CLOCK = Clock()
"""Goes on from test to test."""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every asynchronous test of this room runs in virtual time."""
    return {"virtual": lambda: VirtualLoop(CLOCK)}


@pytest.fixture(autouse=True)
def _virtual_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """The clock's time for the test's loop; a command's test makes loops of its own, in real time."""
    with virtual_time(CLOCK) if inspect.iscoroutinefunction(request.function) else contextlib.nullcontext():
        yield


@dataclass
class ScriptedProvider:
    """Says ``pieces``, ``pace_s`` apart, then ends; raises ``error`` instead of piece ``error_at``."""

    pieces: list[str] = field(default_factory=lambda: ["Hello ", "there."])
    pace_s: float = 0.0
    error: Exception | None = None
    error_at: int = 0
    name: str = "scripted"
    prompts: list[Prompt] = field(default_factory=list)
    closed_early: int = 0

    async def parse(self, prompt: Prompt, schema: type[BaseModel]) -> Parsed[Any]:
        raise NotImplementedError

    async def stream(self, prompt: Prompt) -> AsyncIterator[TextDelta | AnswerEnd]:
        self.prompts.append(prompt)
        done = False
        try:
            for number, piece in enumerate(self.pieces):
                if self.error is not None and number == self.error_at:
                    raise self.error
                await asyncio.sleep(self.pace_s)
                yield TextDelta(piece)
            done = True
            yield AnswerEnd(self.name, "model-1", Usage(10, len(self.pieces), 0, 0.001))
        finally:
            self.closed_early += not done

    async def aclose(self) -> None:
        """Nothing is open."""


async def look_up(arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
    """A tool that finds what it is asked for, in the turn's own scope."""
    del toolbox
    return ToolOutcome(
        call=ToolCall(tool="look_up"), results=[{"id": "1", "title": f"{arguments['query']} in {view.scope_id}"}]
    )


class Librarian(Assistant):
    """An assistant with one tool, for tests of the machine."""

    name = "librarian"
    sources = frozenset({"mini"})

    def __init__(self) -> None:
        self.tools: Mapping[str, Tool] = {"look_up": look_up}
        self.relaxed: list[list[ToolCall]] = []
        self.understand_calls = 0

    def scope_of(self, conversation: Mapping[str, Any], settings: Settings) -> str | None:
        return conversation.get("conference_id") or settings.default_conference_id

    async def understand(self, view: TurnView, model: LanguageModel, toolbox: Toolbox) -> Understood:
        del model, toolbox
        self.understand_calls += 1
        return Understood(Understanding(intent="look", query=view.question), Usage(5, 1, 0, 0.0001))

    def plan(self, view: TurnView) -> list[ToolCall]:
        return [ToolCall(tool="look_up", arguments={"query": view.question})]

    def relax(self, view: TurnView) -> list[ToolCall]:
        del view
        return self.relaxed.pop(0) if self.relaxed else []

    def offline_answer(self, view: TurnView) -> str:
        return "I found: " + ", ".join(row["title"] for outcome in view.outcomes for row in outcome.results)

    def sources_used(self, view: TurnView) -> list[Source]:
        return [Source(type="book", id=row["id"], title=row["title"]) for o in view.outcomes for row in o.results]


@dataclass
class Workshop:
    """One worker process's parts, and what a test does with them."""

    services: Services
    directus: DirectusStandIn
    provider: ScriptedProvider
    assistant: Librarian
    redis: RedisClient
    ran: int = 0

    def conversation(self, **fields: Any) -> str:  # noqa: ANN401 - any field
        return str(self.directus.put("conversations", id=str(uuid4()), source="mini", **fields)["id"])

    def ask(self, text: str = "Where is it?", conversation_id: str | None = None, **fields: Any) -> str:  # noqa: ANN401
        """A user message, as a client writes it; its id."""
        row = self.directus.put(
            "messages",
            id=str(uuid4()),
            conversation_id=conversation_id or self.conversation(),
            role="user",
            messageText=text,
            **fields,
        )
        return str(row["id"])

    async def answer(self, message_id: str, attempt: int = 1, **job: Any) -> None:  # noqa: ANN401 - job fields
        """Run the job, as the runner would."""
        await answer_message(
            AnswerJob(message_id=message_id, trace_id="trace-1", **job),
            JobContext(job_id=f"turn:{message_id}", attempt=attempt, queued_at=0.0),
            self.services,
        )

    async def stand_still(self, message_id: str) -> None:
        """What a pause past its lease does to this process: the watch notices nothing, and the turn is free."""
        watch: Any = self.services.watch
        watch._live.clear()
        await self.redis.delete(redis_keys.turn_lease(message_id))

    def answer_to(self, message_id: str) -> dict[str, Any] | None:
        try:
            return self.directus.row("messages", answer_id_of(message_id))
        except KeyError:
            return None

    def status_of(self, message_id: str) -> str | None:
        status: str | None = self.directus.row("messages", message_id)["status"]
        return status


def make_settings(**changes: Any) -> Settings:  # noqa: ANN401 - one per setting
    values: dict[str, Any] = {
        "directus_api_key": "k" * 20,
        "directus_webhook_secret": "s" * 20,
        "redis_url": "embedded://",
        "qdrant_url": "embedded://",
        "stream_interval_ms": 10,
        "_env_file": None,
    } | changes
    return Settings(**values)


def make_services(toolbox: Toolbox, providers: Sequence[Provider], assistants: Mapping[str, Assistant]) -> Services:
    """One worker process's parts, put together as ``worker/main.py`` does it."""
    settings, directus, redis = toolbox.settings, toolbox.directus, toolbox.redis
    turns, leases, line = TurnStore(redis), TurnLeases(redis), ConversationLine(redis)
    watch, metrics = TurnWatch(redis, leases, line, partial(read_begun, directus)), Metrics(redis)
    watched = WatchedRows(redis)
    late = LateWrites(directus, watched, metrics, at_most=settings.worker_max_turns)
    return Services(
        settings=settings,
        directus=directus,
        queue=JobQueue(redis),
        model=LanguageModel([*providers, OfflineProvider()]),
        toolbox=toolbox,
        assistants=assistants,
        turns=turns,
        leases=leases,
        line=line,
        watch=watch,
        pump=AnswerPump(
            directus,
            interval_s=settings.stream_interval_ms / 1000,
            still_ours=watch.still_ours,
            metrics=metrics,
            late_writes=late,
        ),
        late_writes=late,
        watched=watched,
        metrics=metrics,
        turn_limit=TurnLimit(RateLimits(per_minute=settings.rate_limit_per_minute, redis=redis)),
    )


def begin_upkeep(services: Services) -> list[asyncio.Task[None]]:
    """What a worker process does beside its turns."""
    upkeep = (services.pump.run(), services.watch.run(), services.late_writes.run(), services.late_writes.keep())
    return [asyncio.create_task(each) for each in upkeep]


@pytest.fixture
async def make_workshop() -> AsyncIterator[Callable[..., Workshop]]:
    """Build workshops that share one Redis and one Directus: several are several worker processes."""
    directus_standin = DirectusStandIn()
    redis = connect_redis("embedded://")
    tasks: list[asyncio.Task[None]] = []
    open_clients: list[Any] = []

    def make(*, provider: ScriptedProvider | None = None, **changes: Any) -> Workshop:  # noqa: ANN401 - settings
        settings = make_settings(**changes)
        directus = directus_standin.directus()
        open_clients.append(directus)
        assistant = Librarian()
        scripted = provider or ScriptedProvider()
        toolbox = Toolbox(
            settings=settings,
            directus=directus,
            redis=redis,
            index=cast("SearchIndex", None),
            embedder=cast("Embedder", None),
        )
        services = make_services(toolbox, [scripted], {"mini": assistant})
        tasks.extend(begin_upkeep(services))
        return Workshop(services, directus_standin, scripted, assistant, redis)

    yield make
    # Again and again: fakeredis waits with wait_for, which may swallow a cancellation until Python 3.12.
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.5)
    for client in open_clients:
        await client.aclose()
    with contextlib.suppress(Exception):
        await redis.aclose()


@pytest.fixture
async def workshop(make_workshop: Callable[..., Workshop]) -> Workshop:
    return make_workshop()

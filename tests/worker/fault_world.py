"""A small installation in one process: workers, Directus, Redis and models, and everything that befalls them.

Each worker has its own connections, so that it can be cut off (killed) while the others go on; each
request and command takes a time of its own, drawn from the world's seed, so that they overtake each
other; and each can be lost, before it is done or after. A write can also be given up and done much later.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import httpx
from fakeredis import FakeAsyncRedis, FakeServer
from fakeredis.aioredis import FakeAsyncRedisConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.exceptions import HTTPException

from assistants.interface import Toolbox
from services.directus.client import Directus
from services.errors import (
    ErleahError,
    ProviderBrokenStreamError,
    ProviderBusyError,
    ProviderRefusedError,
    ServiceUnavailableError,
)
from services.llm.calls import AnswerEnd, TextDelta, Usage
from services.queue.job_queue import JobQueue
from services.queue.jobs import AnswerJob, Queue
from services.queue.runner import JobContext, JobRunner, RetryLater
from services.redis import RedisClient, retry_options
from standins.directus import SERVICE_TOKEN, URL, DirectusStandIn
from tests.worker.conftest import Librarian, begin_upkeep, make_services, make_settings
from webhook.regeneration import Regeneration
from worker.answering import answer_message
from worker.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from assistants.interface import Tool
    from search.index import SearchIndex
    from services.embeddings.embedder import Embedder
    from services.llm.calls import Prompt
    from services.rate_limits import RateLimits

__all__ = ["Connection", "LateWrite", "ModelFault", "SimWorker", "World", "script_of"]

JOB_TIMEOUT_S = 60.0
STALL_S = 5.0
WORDS = ("alpha", "bravo", "delta", "echo", "golf", "hotel", "india", "kilo", "lima", "oscar", "papa", "quebec")
ERRORS = {
    "busy": ProviderBusyError,
    "broken": ProviderBrokenStreamError,
    "refused": ProviderRefusedError,
}

ModelFault = tuple[str, int]
"""What a call of a model does: an error of ERRORS, or "stall", before the piece of that number."""


def script_of(question: str) -> str:
    """The whole answer to a question's last line: sentences of which no two are alike."""
    tag = question.rsplit("\n", 1)[-1].removesuffix("?").strip()
    return " ".join(f"About {tag} there is {word} to say." for word in WORDS[: 2 + len(tag) % 9])


class Connection:
    """One process's line to the outside: cut when the process is killed, silent while it stands still."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_cut = False
        self.has_redis = True
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def pass_through(self, longest_s: float) -> None:
        """Take a moment, longer while the process stands still; never come back from a killed process."""
        await asyncio.sleep(self._world.random.uniform(0, longest_s))
        await self.goes_on.wait()
        if self.is_cut:
            await asyncio.get_running_loop().create_future()


class _DirectusLine(httpx.AsyncBaseTransport):
    def __init__(self, world: World, connection: Connection) -> None:
        self._world = world
        self._connection = connection
        self._inner = httpx.ASGITransport(world.directus.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        world = self._world
        await self._connection.pass_through(world.directus_slow_s)
        if world.directus.away or world.takes(world.directus_unreached):
            raise httpx.ConnectError("nobody is there", request=request)
        if self._connection is not world.outside and request.method not in {"GET", "SEARCH"}:
            write = LateWrite(request, self._connection)
            late_s = world.directus_made_late_s if write.makes_rows else world.directus_late_s
            if late_s:
                world.do_late(write, late_s.pop())
                raise httpx.ReadError("a proxy has cut it", request=request)
        response = await self._inner.handle_async_request(request)
        world.note_writes()
        await self._connection.pass_through(world.directus_slow_s)
        if world.directus.away or world.takes(world.directus_unheard):
            raise httpx.ReadError("the connection was closed", request=request)
        return response


@dataclass(eq=False)
class LateWrite:
    """A worker's write that it has given up, and that Directus is still to do."""

    request: httpx.Request
    sender: Connection
    sent_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    """On the loop's clock."""
    task: asyncio.Task[None] | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What is written, where it is written by id."""
        body = json.loads(self.request.content)
        return body if isinstance(body, list) else []

    @property
    def ids(self) -> set[str]:
        return {row["id"] for row in self.rows}

    @property
    def makes_rows(self) -> bool:
        return self.request.method == "POST" and self.request.url.path.startswith("/items/")

    @property
    def is_text(self) -> bool:
        """Whether it only brings newer texts: it makes no row, and ends none."""
        return bool(self.rows) and not any("status" in row for row in self.rows)


def _redis_client(world: World, connection: Connection) -> RedisClient:
    class Line(FakeAsyncRedisConnection):
        async def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002 - redis-py's signature
            await connection.pass_through(0.003)
            if not connection.has_redis or world.takes(world.redis_unreached):
                raise RedisConnectionError("nobody is there")
            await super().send_packed_command(command, check_health)
            if world.takes(world.redis_unheard):
                raise RedisConnectionError("the connection was closed")

    fake = FakeAsyncRedis(server=world.redis_server, connection_class=Line, **retry_options(6))
    return RedisClient.over(fake.connection_pool)


class _Model:
    """A provider that says the question's script, and fails as often as the world has faults for that question."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.name = name

    async def parse(self, prompt: Prompt, schema: type[Any]) -> Any:  # noqa: ANN401 - the protocol's
        raise NotImplementedError

    async def stream(self, prompt: Prompt) -> AsyncIterator[TextDelta | AnswerEnd]:
        question = prompt.messages[-1].text
        text = script_of(question)
        # A model that is told to go on does, or begins anew although it was told: both happen.
        if prompt.partial and self._world.random.random() < 0.7 and text.startswith(prompt.partial.rstrip()):
            text = text[len(prompt.partial.rstrip()) :]
        faults = self._world.model_faults.get(question.rsplit("\n", 1)[-1], [])
        kind, at = faults.pop(0) if faults else ("", -1)
        pace = self._world.random.choice((0.0, 0.01, 0.05, 0.2))
        await asyncio.sleep(self._world.random.choice((0.0, 0.1, 0.8)))
        for number, piece in enumerate([*text.split(" "), ""]):
            if number == at and kind == "stall":
                await asyncio.sleep(STALL_S)
                raise ProviderBrokenStreamError(self.name, "silence") if number else ProviderBusyError(self.name, kind)
            if number == at and kind:
                raise ERRORS[kind](self.name, kind)
            if not piece and number:
                break
            await asyncio.sleep(pace)
            yield TextDelta(piece if number == 0 else f" {piece}")
        yield AnswerEnd(self.name, "model-1", Usage(10, 10, 0, 0.001))

    async def aclose(self) -> None:
        """Nothing is open."""


class World:
    """Everything outside the workers, and the knobs that break it."""

    def __init__(self, seed: int, model_faults: Mapping[str, list[ModelFault]]) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a simulation's dice
        self.directus = DirectusStandIn()
        self.redis_server = FakeServer()
        self.model_faults = {question: list(faults) for question, faults in model_faults.items()}
        self.directus_slow_s = 0.03
        self.directus_unreached: list[None] = []
        self.directus_unheard: list[None] = []
        self.directus_late_s: list[float] = []
        """Of so many of the workers' writes nobody hears anything, and each is done after so many seconds."""
        self.directus_made_late_s: list[float] = []
        """The same of those that make rows."""
        self.late_writes: list[LateWrite] = []
        """Those that are still to be done."""
        self.redis_unreached: list[None] = []
        self.redis_unheard: list[None] = []
        self.written_at: list[float] = []
        """When each of Directus's writes was done, or sent if it was done late, on the loop's clock."""
        self.workers: list[SimWorker] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.outside = Connection(self)
        self.redis = _redis_client(self, self.outside)
        self.queue = JobQueue(self.redis)
        self.receivers = Directus(URL, SERVICE_TOKEN, transport=_DirectusLine(self, self.outside), retry_for_s=1)

    def note_writes(self) -> None:
        """Note when the newest writes were done."""
        new = len(self.directus.writes) - len(self.written_at)
        self.written_at += [asyncio.get_running_loop().time()] * new

    def do_late(self, write: LateWrite, after_s: float) -> None:
        """Go on with a write whose client has given it up, also if its process is dead by then."""
        self.late_writes.append(write)
        write.task = self.begin(self._do_late(write, after_s))
        write.task.add_done_callback(lambda _: self.late_writes.remove(write))

    async def _do_late(self, write: LateWrite, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if self._looks_like_a_stop(write):
            return
        before = len(self.directus.writes)
        await httpx.ASGITransport(self.directus.app).handle_async_request(write.request)
        self.note_writes()
        for number in range(before, len(self.directus.writes)):
            if [*self.directus.writes[number].rows] == write.rows:
                self.written_at[number] = write.sent_at

    def _looks_like_a_stop(self, write: LateWrite) -> bool:
        """Whether an old turn's end as stopped would hit its answer when it has been begun anew.

        Left out: nobody can tell it from the stop of a visitor who does not want the new answer either, and which
        nothing may revive.
        """
        rows = self.directus.tables.rows["messages"]
        return any(
            end.get("status") == "cancelled" and end["id"] in rows and rows[end["id"]]["status"] == "streaming"
            for end in write.rows
        )

    def leave_out(self, chosen: Callable[[LateWrite], bool]) -> None:
        """Let Directus not do some of the late writes after all."""
        for write in self.late_writes:
            if write.task is not None and chosen(write):
                write.task.cancel()

    @staticmethod
    def takes(faults: list[None]) -> bool:
        """Whether one of so many ordered faults happens now."""
        return bool(faults) and faults.pop() is None

    def calm(self) -> None:
        """No more faults."""
        self.directus.away = False
        self.directus._faults.clear()
        self.directus_slow_s = 0.03
        self.redis_server.connected = True
        for faults in (self.directus_unreached, self.directus_unheard, self.redis_unreached, self.redis_unheard):
            faults.clear()
        self.directus_late_s.clear()
        self.directus_made_late_s.clear()
        self.model_faults.clear()
        for worker in self.workers:
            worker.connection.has_redis = True
            worker.connection.goes_on.set()

    def begin(self, what: Any) -> asyncio.Task[Any]:  # noqa: ANN401 - any coroutine
        """Run something beside the rest."""
        task = asyncio.create_task(what)
        self.tasks.append(task)
        return task

    async def deliver(self, message_id: str) -> None:
        """What the receiver does with a hook; while Redis is away, nothing (it says 503)."""
        with contextlib.suppress(ServiceUnavailableError, TimeoutError):
            await self.queue.enqueue(AnswerJob(message_id=message_id, trace_id="trace"))

    async def regenerate(self, message_id: str) -> bool:
        """What the receiver does for a visitor who wants an answer anew; False where it says no."""
        limits = cast("RateLimits", None)  # it counts before, not here
        receiver = Regeneration(directus=self.receivers, redis=self.redis, queue=self.queue, limits=limits)
        try:
            await receiver.begin_again(message_id, "trace again")
        except (ErleahError, HTTPException):
            return False
        return True

    def start_worker(self) -> SimWorker:
        """One more process."""
        worker = SimWorker(self)
        self.workers.append(worker)
        return worker

    async def close(self) -> None:
        """End everything, without ceremony."""
        for worker in self.workers:
            self.tasks += worker.tasks
        for task in self.tasks:
            task.cancel()
        # Again and again: what is cut off may wait for its last word for ever.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=0.1)
            for task in others:
                if task.done() and not task.cancelled():
                    task.exception()
        await self.receivers.aclose()
        for worker in self.workers:
            await worker.directus.aclose()


class SimWorker:
    """One worker process, with a runner and a sweep of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.connection = Connection(world)
        self.is_running = True
        settings = make_settings(stream_interval_ms=100, turn_timeout_s=40)
        self.directus = Directus(URL, SERVICE_TOKEN, transport=_DirectusLine(world, self.connection), retry_for_s=15)
        redis = _redis_client(world, self.connection)
        toolbox = Toolbox(settings, self.directus, redis, cast("SearchIndex", None), cast("Embedder", None))
        models = [_Model(world, "first"), _Model(world, "second")]
        self.services = make_services(toolbox, models, {"mini": _Librarian()})

        async def answer(job: AnswerJob, context: JobContext) -> None:
            await answer_message(job, context, self.services)

        self._runner = JobRunner(
            redis, Queue.TURNS, {AnswerJob: answer}, max_jobs=20, job_timeout_s=JOB_TIMEOUT_S, poll_delay_s=0.2
        )
        sweep = Sweep(self.directus, self.services.queue, redis, self.services.metrics)
        self.tasks = [asyncio.create_task(self._runner.run()), *begin_upkeep(self.services)]
        self.tasks.append(asyncio.create_task(sweep.run()))

    async def answer_directly(self, message_id: str) -> None:
        """Run a turn beside the queue, as a worker does that has taken it up from another."""
        with contextlib.suppress(RetryLater, ServiceUnavailableError):
            await answer_message(
                AnswerJob(message_id=message_id, trace_id="trace"), JobContext("direct", 1, 0.0), self.services
            )

    def kill(self) -> None:
        """Die without a word: what it had sent is done, nothing follows."""
        self.connection.is_cut = True
        self.is_running = False

    async def pause(self, for_s: float) -> None:
        """Stand still, as under SIGSTOP or in a machine that is moved: nothing it sends or is sent passes."""
        self.connection.goes_on.clear()
        await asyncio.sleep(for_s)
        self.connection.goes_on.set()

    async def be_without_redis(self, for_s: float) -> None:
        """Be cut off from Redis, alone; Directus and the models are still there."""
        self.connection.has_redis = False
        await asyncio.sleep(for_s)
        self.connection.has_redis = True

    async def stop(self, grace_s: float) -> None:
        """Shut down as told by SIGTERM."""
        self.is_running = False
        await self._runner.stop(grace_s)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class _Librarian(Librarian):
    """The tests' assistant; its tool takes a moment."""

    def __init__(self) -> None:
        super().__init__()
        plain = self.tools["look_up"]

        async def look_up(arguments: dict[str, Any], **rest: Any) -> Any:  # noqa: ANN401 - the protocol's
            await asyncio.sleep(0.05)
            return await plain(arguments, **rest)

        self.tools = {"look_up": cast("Tool", look_up)}

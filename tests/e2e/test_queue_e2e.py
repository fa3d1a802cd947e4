"""The queue on a real Redis, with real processes that are killed, stopped and paused."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import structlog

from services.errors import ServiceUnavailableError
from services.queue.job_queue import JobQueue
from services.queue.jobs import AnswerJob, Queue
from services.redis import RedisClient, check_redis, connect_redis
from services.redis_embedded import EmbeddedRedis
from tests.services.queue_promises import QueuePromises, Worked, empty, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.e2e.redis_server import RedisServer

pytestmark = pytest.mark.e2e


class TestOnRealRedis(QueuePromises):
    """Every promise once more, on a real server."""

    @pytest.fixture
    async def connect(self, redis_server: RedisServer) -> AsyncIterator[Callable[[], RedisClient]]:
        clients: list[RedisClient] = []

        def open_client() -> RedisClient:
            clients.append(connect_redis(redis_server.url))
            return clients[-1]

        yield open_client
        for client in clients:
            await client.aclose()


class WorkerProcess:
    """A worker in a process of its own; ``lines`` are what it has said, each with when."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[tuple[str, float]] = []

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append((line.decode().strip(), time.monotonic()))

    def said(self, line: str) -> bool:
        return any(said == line for said, _ in self.lines)

    def when(self, line: str) -> float:
        return next(at for said, at in self.lines if said == line)


@asynccontextmanager
async def worker_process(url: str, *, job_s: float, lease_s: float = 3.0) -> AsyncIterator[WorkerProcess]:
    """A worker process that is ready; it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.e2e.queue_process", url, str(job_s), str(lease_s)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    worker = WorkerProcess(process)
    listening = asyncio.create_task(worker.listen())
    try:
        await until(lambda: worker.said("ready"), within_s=20)
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[RedisClient]:
    client = connect_redis(redis_server.url)
    yield client
    await client.aclose()


@pytest.fixture
def queue(redis: RedisClient) -> JobQueue:
    return JobQueue(redis)


async def test_a_killed_workers_job_is_taken_up_within_four_seconds(redis_server: RedisServer, queue: JobQueue) -> None:
    """SIGKILL in mid-job, whatever the job's time-out (600 s here): another takes it up when the lease lapses."""
    async with worker_process(redis_server.url, job_s=300) as first:
        await queue.enqueue(AnswerJob(message_id="m1"))
        await until(lambda: first.said("begun turn:m1 1"))
        async with worker_process(redis_server.url, job_s=0.1) as second:
            await asyncio.sleep(3.5)  # longer than a lease: the first renews it
            assert not second.said("begun turn:m1 2")
            killed_at = time.monotonic()
            first.process.kill()
            await until(lambda: second.said("ended turn:m1 2"))
            taken_after_s = second.when("begun turn:m1 2") - killed_at
            assert 1.5 <= taken_after_s <= 4
    await empty(queue)


async def test_sigterm_hands_a_job_over_at_once(redis_server: RedisServer, queue: JobQueue) -> None:
    """A worker that is told to stop gives its job back; another begins it long before the lease would lapse."""
    async with (
        worker_process(redis_server.url, job_s=300, lease_s=60) as first,
        worker_process(redis_server.url, job_s=300, lease_s=60) as second,
    ):
        await queue.enqueue(AnswerJob(message_id="m1"))
        await until(lambda: first.said("begun turn:m1 1") or second.said("begun turn:m1 1"))
        busy, idle = (first, second) if first.said("begun turn:m1 1") else (second, first)
        busy.process.send_signal(signal.SIGTERM)
        await until(lambda: idle.said("begun turn:m1 2"), within_s=3)
        assert await asyncio.wait_for(busy.process.wait(), 3) == 0
        assert busy.said("cancelled turn:m1 1")


async def test_a_paused_worker_lets_go_of_what_another_took(redis_server: RedisServer, queue: JobQueue) -> None:
    """SIGSTOP for longer than the lease, then SIGCONT: the other's run is the one that ends, the first is cancelled."""
    async with worker_process(redis_server.url, job_s=4, lease_s=1) as first:
        await queue.enqueue(AnswerJob(message_id="m1"))
        await until(lambda: first.said("begun turn:m1 1"))
        async with worker_process(redis_server.url, job_s=4, lease_s=1) as second:
            os.kill(first.process.pid, signal.SIGSTOP)
            await until(lambda: second.said("begun turn:m1 2"))
            os.kill(first.process.pid, signal.SIGCONT)
            await until(lambda: first.said("cancelled turn:m1 1"), within_s=2)
            await until(lambda: second.said("ended turn:m1 2"))
            await empty(queue)
            assert not first.said("ended turn:m1 1")


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_restart_of_redis_is_outlived(
    redis_server: RedisServer, redis: RedisClient, queue: JobQueue, end: str
) -> None:
    """Redis goes for two seconds in mid-job: the job runs once and is recorded as ended, and later jobs run."""
    gate = asyncio.Event()
    worked = Worked(gate)
    async with running(redis, {AnswerJob: worked}):
        await queue.enqueue(AnswerJob(message_id="during"))
        await until(lambda: bool(worked.begun))
        await asyncio.sleep(1.1)  # its file is written every second
        await asyncio.to_thread(getattr(redis_server, end))
        await asyncio.sleep(1)
        gate.set()  # it ends while Redis is away
        await asyncio.sleep(1)
        await asyncio.to_thread(redis_server.start)
        await empty(queue)
        await queue.enqueue(AnswerJob(message_id="after"))
        await until(lambda: worked.ended == ["turn:during", "turn:after"])


async def test_a_long_outage_ends_no_loop(redis_server: RedisServer) -> None:
    """Even past all retries the runner waits on, saying once which address is away, and goes on when it is back."""
    impatient = connect_redis(redis_server.url, retries=1)
    queue = JobQueue(impatient)
    worked = Worked()
    try:
        with structlog.testing.capture_logs() as lines:
            async with running(impatient, {AnswerJob: worked}):
                await asyncio.sleep(0.2)
                await asyncio.to_thread(redis_server.stop)
                await asyncio.sleep(3)
                await asyncio.to_thread(redis_server.start)
                await queue.enqueue(AnswerJob(message_id="after"))
                await until(lambda: bool(worked.ended))
        away = [line["what"] for line in lines if line["event"] == "redis_away"]
        assert away == [
            f"Redis is not reachable at {redis_server.url}; start it (redis-server) or set REDIS_URL",
        ]
        assert [line["event"] for line in lines].count("redis_back") == 1
    finally:
        await impatient.aclose()


async def test_a_worker_can_be_stopped_while_redis_is_away(
    redis_server: RedisServer, redis: RedisClient, queue: JobQueue
) -> None:
    """Nobody has to wait for Redis to stop a worker; its job is run again when Redis is back."""
    worked, again = Worked(asyncio.Event()), Worked()
    async with running(redis, {AnswerJob: worked}) as runner:
        await queue.enqueue(AnswerJob(message_id="m1"))
        await until(lambda: bool(worked.begun))
        await asyncio.sleep(1.1)  # its file is written every second
        await asyncio.to_thread(redis_server.stop)
        began = time.monotonic()
        await runner.stop(0.1)
    assert time.monotonic() - began < 8
    assert worked.cancelled == ["turn:m1"]
    await asyncio.to_thread(redis_server.start)
    async with running(redis, {AnswerJob: again}):
        await until(lambda: again.ended == ["turn:m1"])


async def test_an_absent_redis_is_said_at_once(redis_server: RedisServer, redis: RedisClient, queue: JobQueue) -> None:
    """While Redis is away an enqueue fails within its two seconds, and works again when Redis is back."""
    await queue.enqueue(AnswerJob(message_id="before"))
    await asyncio.to_thread(redis_server.stop)
    began = time.monotonic()
    answers = await asyncio.gather(
        *(queue.enqueue(AnswerJob(message_id=str(number))) for number in range(100)), return_exceptions=True
    )
    assert all(isinstance(answer, ServiceUnavailableError) for answer in answers)
    assert time.monotonic() - began < 3
    with pytest.raises(ServiceUnavailableError, match="Redis is not reachable"):
        await check_redis(redis, timeout_s=0.5)
    await asyncio.to_thread(redis_server.start)
    assert await queue.enqueue(AnswerJob(message_id="after"))
    assert (await queue.depth(Queue.TURNS)).waiting == 2


async def test_a_password_is_never_told(redis_server: RedisServer) -> None:
    """Neither the error nor its cause's words nor a repr of ours name the password of REDIS_URL."""
    wrong = connect_redis(f"redis://me:hunter2@127.0.0.1:{redis_server.port}/0", retries=0)
    gone = connect_redis("redis://me:hunter2@127.0.0.1:1/0", retries=0)
    try:
        with pytest.raises(ServiceUnavailableError, match="refuses the log-in; check user and password") as refused:
            await wrong.ping()
        with pytest.raises(ServiceUnavailableError, match=r"not reachable at redis://127\.0\.0\.1:1/0") as away:
            await gone.ping()
        for error in (refused.value, away.value):
            assert "hunter2" not in f"{error} {error!r} {error.__cause__!r}"
        assert "hunter2" not in repr(gone)
    finally:
        await wrong.aclose()
        await gone.aclose()


async def test_the_embedded_redis_serves_other_processes() -> None:
    """A job put in from another process over TCP runs where the server is embedded, and the other way round."""
    with EmbeddedRedis() as embedded:
        url = embedded.listen()
        assert embedded.listen() == url
        inside, outside = RedisClient.over(embedded.pool()), connect_redis(url)
        worked = Worked()
        try:
            async with running(inside, {AnswerJob: worked}):
                assert await JobQueue(outside).enqueue(AnswerJob(message_id="from outside"))
                await until(lambda: worked.ended == ["turn:from outside"], within_s=1)
            async with worker_process(url, job_s=0) as elsewhere:
                await JobQueue(inside).enqueue(AnswerJob(message_id="from inside"))
                await until(lambda: elsewhere.said("ended turn:from inside 1"))
            text = "ü" * 2_000_000  # more than a socket's buffer holds
            await outside.set("large", text)
            assert (await outside.get("large")).decode() == text
            began = time.perf_counter()
            for _ in range(20):
                async with outside.pipeline(transaction=True) as pipe:
                    pipe.set("a", "1")
                    pipe.get("a")
                    await pipe.execute()
            assert time.perf_counter() - began < 20 * 0.02  # 0.04 s each with Nagle's algorithm
        finally:
            await outside.aclose()
            await inside.aclose()

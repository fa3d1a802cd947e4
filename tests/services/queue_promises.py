"""What the queue promises, whatever Redis is behind it: run on fakeredis and on a real server."""

from __future__ import annotations

import asyncio
import pickle
import time
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from arq.constants import in_progress_key_prefix, job_key_prefix

from services import redis_keys
from services.errors import InvalidInputError, NotFoundError, ServiceUnavailableError
from services.queue import leased_worker
from services.queue.announcing import announce
from services.queue.job_queue import JobQueue, Progress
from services.queue.jobs import AnswerJob, IndexItemJob, Queue, ReindexJob, SearchJob
from services.queue.runner import JobContext, JobRunner, RetryLater

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from services.queue.jobs import Job
    from services.queue.runner import Handler
    from services.redis import RedisClient

SEARCH = SearchJob(request_id="r1", query="rust", conference_id="c1", entity_type="sessions")


@asynccontextmanager
async def running(
    redis: RedisClient,
    handlers: Mapping[type[Job], Handler],
    *,
    queue: Queue = Queue.TURNS,
    **limits: Any,  # noqa: ANN401 - the runner's own keywords
) -> AsyncIterator[JobRunner]:
    """A runner that runs; it is stopped at the end."""
    runner = JobRunner(redis, queue, handlers, **({"max_jobs": 10, "job_timeout_s": 10.0} | limits))
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        await runner.stop(0)
        await task


async def until(condition: Callable[[], bool], *, within_s: float = 5.0) -> None:
    """Wait until something is so; fail if it is not within ``within_s``."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - conditions of tests have no event to wait for
            await asyncio.sleep(0.005)


async def empty(queue: JobQueue, name: Queue = Queue.TURNS) -> None:
    """Wait until no job waits or runs."""
    async with asyncio.timeout(5):
        while (depth := await queue.depth(name)).waiting or depth.running:  # noqa: ASYNC110 - the queue tells nobody
            await asyncio.sleep(0.005)


class Worked:
    """A handler that counts its runs, and waits at a gate if it has one."""

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self.contexts: list[JobContext] = []
        self._gate = gate

    async def __call__(self, _job: Job, context: JobContext) -> None:
        self.begun.append(context.job_id)
        self.contexts.append(context)
        if self._gate is not None:
            try:
                await self._gate.wait()
            except asyncio.CancelledError:
                self.cancelled.append(context.job_id)
                raise
        self.ended.append(context.job_id)


class QueuePromises:
    """Inherit it and give a fixture ``connect``: a function that opens a client of one empty Redis."""

    @pytest.fixture
    def redis(self, connect: Callable[[], RedisClient]) -> RedisClient:
        return connect()

    @pytest.fixture
    def queue(self, redis: RedisClient) -> JobQueue:
        return JobQueue(redis)

    async def test_a_job_runs_with_its_payload_and_its_history(self, redis: RedisClient, queue: JobQueue) -> None:
        """The handler gets the job as it was asked for, the attempt's number and when it was asked for."""
        seen: list[tuple[Job, JobContext]] = []

        async def handler(job: AnswerJob, context: JobContext) -> None:
            seen.append((job, context))

        async with running(redis, {AnswerJob: handler}):
            asked_at = time.time()
            assert await queue.enqueue(AnswerJob(message_id="m1", conference_id="c1", trace_id="t1"))
            await empty(queue)
        [(job, context)] = seen
        assert job == AnswerJob(message_id="m1", conference_id="c1", trace_id="t1", queued_at=job.queued_at)
        assert context == JobContext(job_id="turn:m1", attempt=1, queued_at=job.queued_at)
        assert abs(job.queued_at - asked_at) < 1

    async def test_a_waiting_job_is_not_asked_for_twice(self, redis: RedisClient, queue: JobQueue) -> None:
        """Fifty requests at once for one message make one job."""
        answers = await asyncio.gather(*(queue.enqueue(AnswerJob(message_id="m1")) for _ in range(50)))
        assert sorted(answers) == [False] * 49 + [True]
        worked = Worked()
        async with running(redis, {AnswerJob: worked}):
            await empty(queue)
        assert worked.ended == ["turn:m1"]

    async def test_a_running_job_is_not_asked_for_twice_and_an_ended_one_is(
        self, redis: RedisClient, queue: JobQueue
    ) -> None:
        """The id is taken while the job runs, and free as soon as it has ended."""
        gate = asyncio.Event()
        worked = Worked(gate)
        async with running(redis, {AnswerJob: worked}):
            await queue.enqueue(AnswerJob(message_id="m1"))
            await until(lambda: len(worked.begun) == 1)
            assert not await queue.enqueue(AnswerJob(message_id="m1"))
            gate.set()
            await empty(queue)
            assert await queue.enqueue(AnswerJob(message_id="m1"))
            await until(lambda: len(worked.ended) == 2, within_s=0.5)

    async def test_a_failed_job_ends_and_may_be_asked_for_again(self, redis: RedisClient, queue: JobQueue) -> None:
        """An exception of a handler ends the job, is logged once without its words, and harms no other job."""
        ended: list[str] = []

        async def handler(job: AnswerJob, _context: JobContext) -> None:
            if job.message_id == "bad":
                raise KeyError("what the visitor wrote")
            ended.append(job.message_id)

        with structlog.testing.capture_logs() as lines:
            async with running(redis, {AnswerJob: handler}):
                await queue.enqueue(AnswerJob(message_id="bad"))
                await queue.enqueue(AnswerJob(message_id="good"))
                await empty(queue)
        assert ended == ["good"]
        [failure] = [line for line in lines if line["event"] == "job_failed"]
        assert failure["error_type"] == "KeyError"
        assert "visitor" not in str(lines)
        assert await queue.enqueue(AnswerJob(message_id="bad"))

    async def test_retry_later_runs_again_after_its_delay(self, redis: RedisClient, queue: JobQueue) -> None:
        """RetryLater runs the same job again, not before its delay, with the attempt counted; the id stays taken."""
        begun: list[tuple[int, float]] = []

        async def handler(_job: AnswerJob, context: JobContext) -> None:
            begun.append((context.attempt, time.monotonic()))
            if context.attempt < 3:
                raise RetryLater(0.3)

        async with running(redis, {AnswerJob: handler}, lease_s=0.2):
            await queue.enqueue(AnswerJob(message_id="m1"))
            await until(lambda: len(begun) == 1)
            assert not await queue.enqueue(AnswerJob(message_id="m1"))
            await empty(queue)
        assert [attempt for attempt, _ in begun] == [1, 2, 3]
        for (_, earlier), (_, later) in pairwise(begun):
            assert 0.28 <= later - earlier < 0.9

    async def test_a_deferred_job_waits(self, redis: RedisClient, queue: JobQueue) -> None:
        """A job that was put off does not begin before its time."""
        worked = Worked()
        async with running(redis, {AnswerJob: worked}):
            began = time.monotonic()
            await queue.enqueue(AnswerJob(message_id="m1"), defer_s=0.4)
            await until(lambda: bool(worked.ended))
            assert time.monotonic() - began >= 0.38

    async def test_a_job_that_comes_before_its_time_begins_in_time(
        self, redis: RedisClient, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A job announced by a machine whose clock is ahead is begun when it is due, not at some later read."""
        monkeypatch.setattr(leased_worker, "_UNANNOUNCED_S", 30.0)  # the next read, were it not for the job's time
        worked = Worked()
        async with running(redis, {AnswerJob: worked}):
            await queue.enqueue(AnswerJob(message_id="m1"), defer_s=0.2)
            if not redis.is_embedded:
                await announce(redis, Queue.TURNS)
            await until(lambda: bool(worked.ended))

    async def test_a_full_runner_rests_though_a_job_is_due(
        self, redis: RedisClient, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It looks for a free place now and then, and does not spin until there is one."""
        gate = asyncio.Event()
        worked = Worked(gate)
        looks = 0
        look = leased_worker.LeasedWorker.take_due_jobs

        async def counted(worker: leased_worker.LeasedWorker) -> None:
            nonlocal looks
            looks += 1
            await look(worker)

        monkeypatch.setattr(leased_worker.LeasedWorker, "take_due_jobs", counted)
        await queue.enqueue(AnswerJob(message_id="m1"))
        await queue.enqueue(AnswerJob(message_id="m2"), defer_s=0.09)  # within what the first read sees
        async with running(redis, {AnswerJob: worked}, max_jobs=1, poll_delay_s=0.05):
            await until(lambda: bool(worked.begun))
            await asyncio.sleep(0.5)
            assert looks < 40
            gate.set()
            await until(lambda: len(worked.ended) == 2)

    async def test_a_job_that_takes_too_long_is_ended(self, redis: RedisClient, queue: JobQueue) -> None:
        """The time-out cancels the handler and ends the job; it is not run again."""
        worked = Worked(asyncio.Event())
        with structlog.testing.capture_logs() as lines:
            async with running(redis, {AnswerJob: worked}, job_timeout_s=0.2):
                await queue.enqueue(AnswerJob(message_id="m1"))
                await until(lambda: bool(worked.cancelled))
                await empty(queue)
        assert worked.begun == ["turn:m1"]
        assert [line["what"] for line in lines if line["event"] == "job_failed"] == [
            "answer_message took longer than 0.2 s and was ended"
        ]

    async def test_a_job_longer_than_its_lease_runs_once(
        self, connect: Callable[[], RedisClient], queue: JobQueue
    ) -> None:
        """While its worker lives, a job is held however long it takes, and no other worker takes it."""
        gate = asyncio.Event()
        worked = Worked(gate)
        async with (
            running(connect(), {AnswerJob: worked}, lease_s=0.3),
            running(connect(), {AnswerJob: worked}, lease_s=0.3),
        ):
            await queue.enqueue(AnswerJob(message_id="m1"))
            await until(lambda: bool(worked.begun))
            for _ in range(60):
                assert (await queue.depth(Queue.TURNS)).running == 1  # held without a gap
                await asyncio.sleep(0.02)
            gate.set()
            await empty(queue)
        assert worked.begun == worked.ended == ["turn:m1"]

    async def test_a_lapsed_lease_frees_the_job(self, redis: RedisClient, queue: JobQueue) -> None:
        """What a dead worker held is taken up when its lease lapses, and not before."""
        await queue.enqueue(AnswerJob(message_id="m1"))
        await redis.set(in_progress_key_prefix + "turn:m1", "dead:1", px=600)
        worked = Worked()
        began = time.monotonic()
        async with running(redis, {AnswerJob: worked}):
            await until(lambda: bool(worked.begun))
        assert 0.55 <= time.monotonic() - began < 1.2

    async def test_a_run_that_lost_its_lease_lets_go(self, redis: RedisClient, queue: JobQueue) -> None:
        """A worker that stood still finds its job taken: it cancels its run and leaves the job to the other."""
        worked = Worked(asyncio.Event())
        async with running(redis, {AnswerJob: worked}, lease_s=0.3):
            await queue.enqueue(AnswerJob(message_id="m1"))
            await until(lambda: bool(worked.begun))
            await redis.set(in_progress_key_prefix + "turn:m1", "other:1", px=5000)
            await until(lambda: bool(worked.cancelled))
            await asyncio.sleep(0.2)
            assert await redis.get(in_progress_key_prefix + "turn:m1") == b"other:1"
            assert await redis.exists(job_key_prefix + "turn:m1")

    async def test_a_run_that_lost_its_lease_and_ends_all_the_same_ends_nothing(
        self, redis: RedisClient, queue: JobQueue
    ) -> None:
        """Even a handler that will not be cancelled does not end the job that another run has."""
        begun, done = asyncio.Event(), asyncio.Event()

        async def stubborn(_job: AnswerJob, _context: JobContext) -> None:
            begun.set()
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                done.set()

        async with running(redis, {AnswerJob: stubborn}, lease_s=0.3):
            await queue.enqueue(AnswerJob(message_id="m1"))
            await begun.wait()
            await redis.set(in_progress_key_prefix + "turn:m1", "other:1", px=5000)
            await asyncio.wait_for(done.wait(), 5)
            await asyncio.sleep(0.2)
            assert await redis.get(in_progress_key_prefix + "turn:m1") == b"other:1"
            assert await redis.zscore(Queue.TURNS, "turn:m1") is not None

    @pytest.mark.parametrize("again", [False, True], ids=["for good", "to be run again"])
    async def test_a_run_that_ends_before_it_notices_that_its_lease_is_lost_ends_nothing(
        self, redis: RedisClient, queue: JobQueue, *, again: bool
    ) -> None:
        """A process that stood still may end its run before its next look at the leases."""
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def handler(_job: AnswerJob, _context: JobContext) -> None:
            begun.set()
            await go_on.wait()
            if again:
                raise RetryLater(0.0)

        async with running(redis, {AnswerJob: handler}, lease_s=30):
            await queue.enqueue(AnswerJob(message_id="m1"))
            await begun.wait()
            due = await redis.zscore(Queue.TURNS, "turn:m1")
            await redis.set(in_progress_key_prefix + "turn:m1", "other:1", px=5000)
            go_on.set()
            await asyncio.sleep(0.2)
            assert await redis.get(in_progress_key_prefix + "turn:m1") == b"other:1"
            assert await redis.exists(job_key_prefix + "turn:m1")
            assert await redis.zscore(Queue.TURNS, "turn:m1") == due

    async def test_stop_gives_running_jobs_their_grace(self, redis: RedisClient, queue: JobQueue) -> None:
        """After stop no job begins, and those that run may end."""
        gate = asyncio.Event()
        worked = Worked(gate)
        async with running(redis, {AnswerJob: worked}) as runner:
            await queue.enqueue(AnswerJob(message_id="m1"))
            await until(lambda: bool(worked.begun))
            stopping = asyncio.create_task(runner.stop(5))
            await asyncio.sleep(0.05)
            await queue.enqueue(AnswerJob(message_id="m2"))
            await asyncio.sleep(0.1)
            gate.set()
            await stopping
        assert worked.ended == ["turn:m1"]
        assert (await queue.depth(Queue.TURNS)).waiting == 1

    async def test_stop_hands_over_what_does_not_end(self, connect: Callable[[], RedisClient], queue: JobQueue) -> None:
        """What still runs after the grace is cancelled and free at once: no lease has to lapse."""
        first, second = Worked(asyncio.Event()), Worked()
        async with running(connect(), {AnswerJob: first}, lease_s=30) as runner:
            await queue.enqueue(AnswerJob(message_id="m1"))
            await until(lambda: bool(first.begun))
            await runner.stop(0.1)
        assert first.cancelled == ["turn:m1"]
        async with running(connect(), {AnswerJob: second}):
            await until(lambda: bool(second.ended), within_s=1)
        assert second.contexts[0].attempt == 2

    async def test_long_jobs_elsewhere_starve_no_new_one(
        self, connect: Callable[[], RedisClient], queue: JobQueue
    ) -> None:
        """More long jobs on another worker than one read of the queue holds do not delay a new job."""
        long = Worked(asyncio.Event())
        short = Worked()
        for number in range(60):
            await queue.enqueue(AnswerJob(message_id=f"long{number}"))
        async with running(connect(), {AnswerJob: long}, max_jobs=60, read_limit=20):
            await until(lambda: len(long.begun) == 60)
            async with running(connect(), {AnswerJob: short}, read_limit=20):
                await asyncio.sleep(0.05)
                await queue.enqueue(AnswerJob(message_id="new"))
                await until(lambda: short.ended == ["turn:new"], within_s=0.5)

    async def test_no_more_jobs_run_than_the_limit(self, redis: RedisClient, queue: JobQueue) -> None:
        """max_jobs is kept, and the rest begin as places become free."""
        at_once = most = 0

        async def handler(_job: AnswerJob, _context: JobContext) -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.02)
            at_once -= 1

        for number in range(20):
            await queue.enqueue(AnswerJob(message_id=str(number)))
        async with running(redis, {AnswerJob: handler}, max_jobs=3):
            await empty(queue)
        assert most == 3

    async def test_a_pickled_job_is_never_executed(
        self, redis: RedisClient, queue: JobQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Who can write to Redis cannot run code: a pickle is dropped with a line naming the job."""
        proof = tmp_path / "executed"

        class Bomb:
            def __reduce__(self) -> tuple[Any, ...]:
                return open, (str(proof), "w")

        envelope = {"t": None, "f": "answer_message", "a": (), "k": {"payload": Bomb()}, "et": 1}
        await self.put_raw(redis, "turn:bomb", pickle.dumps(envelope))
        worked = Worked()
        async with running(redis, {AnswerJob: worked}):
            await queue.enqueue(AnswerJob(message_id="after"))
            await empty(queue)
        assert not proof.exists()
        assert worked.ended == ["turn:after"]
        assert "turn:bomb" in caplog.text

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"null",
            b"[]",
            b'"text"',
            b"{",
            b"\xff\xfe",
            b"[" * 50_000,
            b'{"t":null,"f":["answer_message"],"a":[],"k":{"payload":{"message_id":"x"}},"et":1}',
            b'{"t":"1","f":"answer_message","a":[],"k":{"payload":{"message_id":"x"}},"et":1}',
            b'{"t":null,"f":"answer_message","a":[],"k":{"payload":{"message_id":"x"}},"et":1e99}',
            b'{"t":null,"f":"answer_message","a":[],"k":{"payload":{"message_id":"x"}},"et":99999999999999999}',
            b'{"t":null,"f":"answer_message","a":["x"],"k":{},"et":1}',
            b'{"t":null,"f":"answer_message","a":[],"k":{"payload":{"message_id":"x","more":1}},"et":1}',
            b'{"t":null,"f":"answer_message","a":[],"k":{"payload":{"message_id":""}},"et":1}',
            b'{"t":null,"f":"answer_message","a":[],"k":{"payload":{"message_id":"another"}},"et":1}',
            b'{"t":null,"f":"no_such_job","a":[],"k":{"payload":{"message_id":"x"}},"et":1}',
            b'{"t":null,"f":"answer_message","a":[],"k":{"payload":{"message_id":"x"}},"et":1}' + b" " * 70_000,
        ],
    )
    async def test_what_is_no_job_is_dropped(
        self, redis: RedisClient, queue: JobQueue, caplog: pytest.LogCaptureFixture, raw: bytes
    ) -> None:
        """Anything but a valid job is dropped, named in the log, and the loop goes on with the next job."""
        await self.put_raw(redis, "turn:x", raw)
        worked = Worked()
        with structlog.testing.capture_logs() as lines:
            async with running(redis, {AnswerJob: worked}):
                await queue.enqueue(AnswerJob(message_id="after"))
                await empty(queue)
        assert worked.ended == ["turn:after"]
        assert "turn:x" in caplog.text + str(lines)
        assert not await redis.exists(job_key_prefix + "turn:x", in_progress_key_prefix + "turn:x")

    async def test_an_id_that_is_no_text_is_dropped(self, redis: RedisClient, queue: JobQueue) -> None:
        """A member of the queue that is not UTF-8, or due at minus infinity, does not end the loop."""
        await redis.zadd(Queue.TURNS, {b"\xff\xfe": 1, b"nothing": float("-inf")})
        worked = Worked()
        with structlog.testing.capture_logs() as lines:
            async with running(redis, {AnswerJob: worked}):
                await queue.enqueue(AnswerJob(message_id="after"))
                await empty(queue)
        assert worked.ended == ["turn:after"]
        assert any(line["event"] == "job_refused" for line in lines)

    async def test_a_result_reaches_who_waits_for_it(self, redis: RedisClient, queue: JobQueue) -> None:
        """A search's result is the same JSON on the other side, and is not kept longer than a minute."""
        found = {"mode": "auto", "results": [{"id": "s1", "title": "Größe", "score": 0.5}]}

        async def handler(_job: SearchJob, _context: JobContext) -> Any:  # noqa: ANN401 - any JSON
            return found

        async with running(redis, {SearchJob: handler}):
            await queue.enqueue(SEARCH)
            assert await queue.result(SEARCH, 5) == found
        assert 0 < await redis.ttl(redis_keys.job_result(SEARCH.job_id)) <= redis_keys.RESULT_TTL_S

    async def test_an_error_reaches_who_waits_for_it(self, redis: RedisClient, queue: JobQueue) -> None:
        """An error of ours comes back with its class and words; a foreign one without its words."""
        errors = [
            NotFoundError("no such conference"),
            ServiceUnavailableError("qdrant", "Qdrant is away"),
            ValueError("what a visitor wrote"),
        ]

        async def handler(_job: SearchJob, _context: JobContext) -> Any:  # noqa: ANN401 - any JSON
            raise errors.pop(0)

        async with running(redis, {SearchJob: handler}):
            await queue.enqueue(SEARCH)
            with pytest.raises(NotFoundError, match="no such conference"):
                await queue.result(SEARCH, 5)
            await empty(queue)
            await queue.enqueue(SEARCH)
            with pytest.raises(ServiceUnavailableError, match="Qdrant is away") as away:
                await queue.result(SEARCH, 5)
            assert away.value.service == "qdrant"
            await empty(queue)
            await queue.enqueue(SEARCH)
            with pytest.raises(Exception, match="ValueError in job search:r1") as foreign:
                await queue.result(SEARCH, 5)
            assert "visitor" not in str(foreign.value)

    async def test_nobody_waits_for_what_is_not_there(self, queue: JobQueue) -> None:
        """Waiting for a job nobody asked for, or that no worker runs, ends with what to do."""
        with pytest.raises(InvalidInputError, match="neither waiting nor running"):
            await queue.result(SEARCH, 5)
        await queue.enqueue(SEARCH)
        with pytest.raises(ServiceUnavailableError, match="start one: erleah worker"):
            await queue.result(SEARCH, 0.1)

    async def test_ordinary_jobs_leave_nothing_behind(self, redis: RedisClient, queue: JobQueue) -> None:
        """After ordinary jobs, ended and failed, and a stopped runner, Redis is empty."""

        async def handler(job: AnswerJob, _context: JobContext) -> None:
            if job.message_id == "3":
                raise ValueError("no")

        async with running(redis, {AnswerJob: handler}):
            for number in range(10):
                await queue.enqueue(AnswerJob(message_id=str(number)))
            await empty(queue)
        left = set(await redis.keys("*")) - {redis_keys.announcements(Queue.TURNS).encode()}  # which lives a minute
        assert left == set()

    async def test_progress_is_told_until_the_next_run(self, queue: JobQueue) -> None:
        """A reindex tells how far it is; asking for it again begins at nothing."""
        job = ReindexJob(conference_id="c1")
        assert await queue.progress(job.job_id) is None
        await queue.report_progress(job.job_id, 3, 10, "sessions")
        assert await queue.progress(job.job_id) == Progress(done=3, total=10, note="sessions")
        await queue.enqueue(job)
        assert await queue.progress(job.job_id) is None
        await queue.report_progress(job.job_id, 1, 10)
        assert not await queue.enqueue(job)
        assert await queue.progress(job.job_id) == Progress(done=1, total=10)

    async def test_depth_and_workers_say_what_is_so(self, redis: RedisClient, queue: JobQueue) -> None:
        """Waiting and running jobs are counted apart, with the age of the oldest that waits; workers show life."""
        worked = Worked(asyncio.Event())
        async with running(redis, {AnswerJob: worked}, max_jobs=1, worker_id="w1") as runner:
            for number in range(3):
                await queue.enqueue(AnswerJob(message_id=str(number)))
            await until(lambda: bool(worked.begun))
            await asyncio.sleep(0.2)
            depth = await queue.depth(Queue.TURNS)
            assert (depth.waiting, depth.running) == (2, 1)
            assert 0.2 <= depth.oldest_age_s < 2
            [worker] = await queue.workers()
            assert (worker.worker_id, worker.queue, runner.running) == ("w1", Queue.TURNS, 1)
        assert await queue.workers() == []

    async def test_queues_do_not_mix(self, redis: RedisClient, queue: JobQueue) -> None:
        """Runners of both queues in one process run their own queue's jobs only."""
        turns, items = Worked(), Worked()
        async with (
            running(redis, {AnswerJob: turns}, worker_id="w"),
            running(redis, {IndexItemJob: items}, queue=Queue.INDEX, worker_id="w"),
        ):
            await queue.enqueue(AnswerJob(message_id="m1"))
            await queue.enqueue(IndexItemJob(collection="sessions", item_id="s1", change_id="x"))
            await empty(queue)
            await empty(queue, Queue.INDEX)
            assert len(await queue.workers()) == 2
        assert (turns.ended, items.ended) == (["turn:m1"], ["item:sessions:s1:x"])
        with pytest.raises(ValueError, match="index_item: not a job of erleah:queue:turns"):
            JobRunner(redis, Queue.TURNS, {IndexItemJob: items}, max_jobs=1, job_timeout_s=1)

    @staticmethod
    async def put_raw(redis: RedisClient, job_id: str, raw: bytes) -> None:
        """Put bytes where a job's payload should be, and the job into the queue."""
        await redis.set(job_key_prefix + job_id, raw)
        await redis.zadd(Queue.TURNS, {job_id: 1})

"""The queue as its users see it: ask for a job, wait for how it ends, look how deep the queue is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from arq.constants import in_progress_key_prefix, job_key_prefix

from services import redis_keys
from services.errors import NotFoundError, ServiceUnavailableError
from services.logging import new_trace_id
from services.queue.announcing import announce
from services.queue.outcome import load_outcome
from services.queue.wire import arq_client
from services.redis import speaking_plainly

if TYPE_CHECKING:
    from services.queue.jobs import Job, Queue
    from services.redis import RedisClient

__all__ = ["JobQueue", "Progress", "QueueDepth", "WorkerSeen"]

JobT = TypeVar("JobT", bound="Job")

_ENQUEUE_TIMEOUT_S = 2.0
"""A receiver must say 503 while its caller still listens; an enqueue takes 1 ms."""

_ENQUEUE_TRIES = 3
_FIRST_LOOK_S = 0.01
_SLOWEST_LOOK_S = 0.1
_DEPTH_PAGE = 1000


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """A queue at one moment.

    ``waiting`` counts jobs no worker runs, those put off for later included; ``running`` those a
    worker holds; ``oldest_age_s`` is for how many seconds the longest waiting job has been due.
    """

    waiting: int
    running: int
    oldest_age_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job has come: ``done`` of ``total`` (0: not known yet), and a word on what it does."""

    done: int
    total: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """The last sign of life of the runner of one queue in one worker process; times are Unix seconds."""

    worker_id: str
    queue: str
    host: str
    pid: int
    running: int
    max_jobs: int
    started_at: float
    seen_at: float


class JobQueue:
    """All three queues (jobs.py). All methods raise ServiceUnavailableError("redis") while Redis is away."""

    def __init__(self, redis: RedisClient, *, enqueue_timeout_s: float = _ENQUEUE_TIMEOUT_S) -> None:
        """``redis`` stays its owner's, who closes it."""
        self._redis = redis
        self._arq = arq_client(redis)
        self._enqueue_timeout_s = enqueue_timeout_s

    async def enqueue(self, job: Job, *, defer_s: float = 0) -> bool:
        """Ask for a job, ``defer_s`` seconds from now; False if it waits or runs already.

        Sets ``queued_at`` and ``trace_id`` where the caller left them empty.
        """
        job = _stamped(job)
        with speaking_plainly(self._arq):
            async with asyncio.timeout(self._enqueue_timeout_s):
                if job.keeps_result and not await self._forget_last_run(job.job_id):
                    return False
                for _ in range(_ENQUEUE_TRIES):
                    if await self._put(job, defer_s):
                        break
                    if await self._exists(job.job_id):
                        return False
                    # arq says "there already" also when the connection broke between its look and its
                    # write (redis-py then raises WatchError); believing it would lose the job.
                else:
                    raise ServiceUnavailableError("redis", f"Redis at {self._redis.address} drops connections")
        if not defer_s and not self._redis.is_embedded:
            await self._announce(job.queue)
        return True

    async def result(self, job: Job, timeout_s: float) -> Any:  # noqa: ANN401 - any JSON
        """Wait until a job that keeps its result has ended; give the result or raise the error it ended with.

        Raises NotFoundError if the job neither waits nor runs nor has left a result, and
        ServiceUnavailableError("worker") if it has not ended within ``timeout_s``.
        """
        key = redis_keys.job_result(job.job_id)
        until = time.monotonic() + timeout_s
        look_s = _FIRST_LOOK_S
        while True:
            known = await self._exists(job.job_id)  # first, for the result is there before the job is gone
            outcome = await self._redis.get(key)
            if outcome is not None:
                return load_outcome(outcome)
            if not known:
                msg = f"job {job.job_id} is neither waiting nor running, and has left no result"
                raise NotFoundError(msg)
            if time.monotonic() >= until:
                raise await self._too_late(job, timeout_s)
            await asyncio.sleep(look_s)
            look_s = min(look_s * 1.5, _SLOWEST_LOOK_S)

    async def depth(self, queue: Queue) -> QueueDepth:
        """Count a queue's jobs."""
        now_ms = time.time() * 1000
        waiting = running = 0
        oldest_ms = now_ms
        start = 0
        while page := await self._redis.zrange(queue, start, start + _DEPTH_PAGE - 1, withscores=True):
            leases = await self._redis.mget([in_progress_key_prefix.encode() + job_id for job_id, _ in page])
            for (_, due_ms), lease in zip(page, leases, strict=True):
                if lease is None:
                    waiting += 1
                    oldest_ms = min(oldest_ms, due_ms)
                else:
                    running += 1
            start += len(page)
        return QueueDepth(waiting=waiting, running=running, oldest_age_s=(now_ms - oldest_ms) / 1000)

    async def workers(self) -> list[WorkerSeen]:
        """The runners that gave a sign of life in the last seconds, by worker and queue."""
        keys = [key async for key in self._redis.scan_iter(match=redis_keys.WORKERS_PATTERN, count=1000)]
        seen = await self._redis.mget(keys) if keys else []
        return sorted(
            (WorkerSeen(**json.loads(value)) for value in seen if value is not None),
            key=lambda worker: (worker.worker_id, worker.queue),
        )

    async def report_progress(self, job_id: str, done: int, total: int, note: str = "") -> None:
        """Say how far a job has come; the last word counts."""
        value = json.dumps(asdict(Progress(done, total, note)))
        await self._redis.set(redis_keys.job_progress(job_id), value, ex=redis_keys.PROGRESS_TTL_S)

    async def progress(self, job_id: str) -> Progress | None:
        """How far a job has come; None before its first word."""
        value = await self._redis.get(redis_keys.job_progress(job_id))
        return Progress(**json.loads(value)) if value is not None else None

    async def aclose(self) -> None:
        """Let go of the queue's own client; the connection stays its owner's."""
        await self._arq.aclose()

    async def _put(self, job: Job, defer_s: float) -> bool:
        asked = await self._arq.enqueue_job(
            job.name,
            _job_id=job.job_id,
            _queue_name=job.queue,
            _defer_by=defer_s or None,
            payload=job.model_dump(mode="json"),
        )
        return asked is not None

    async def _announce(self, queue: Queue) -> None:
        with contextlib.suppress(ServiceUnavailableError, TimeoutError):  # the job is in; a runner's next read finds it
            async with asyncio.timeout(self._enqueue_timeout_s):
                await announce(self._redis, queue)

    async def _exists(self, job_id: str) -> bool:
        return bool(await self._redis.exists(job_key_prefix + job_id))

    async def _forget_last_run(self, job_id: str) -> bool:
        """Drop what an earlier run of the same job left; False (and nothing dropped) if the job is there now."""
        if await self._exists(job_id):
            return False
        await self._redis.delete(redis_keys.job_result(job_id), redis_keys.job_progress(job_id))
        return True

    async def _too_late(self, job: Job, timeout_s: float) -> ServiceUnavailableError:
        if not any(worker.queue == job.queue for worker in await self.workers()):
            return ServiceUnavailableError("worker", "No worker is running; start one: erleah worker")
        msg = f"No worker has ended {job.name} within {timeout_s:g} s; see how busy they are: erleah status"
        return ServiceUnavailableError("worker", msg)


def _stamped(job: JobT) -> JobT:
    stamps: dict[str, Any] = {}
    if not job.queued_at:
        stamps["queued_at"] = time.time()
    if not job.trace_id:
        stamps["trace_id"] = new_trace_id()
    return job.model_copy(update=stamps) if stamps else job

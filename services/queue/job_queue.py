"""The queue as its users see it: ask for a job, wait for how it ends, look how deep the queue is."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from arq.constants import in_progress_key_prefix, job_key_prefix, result_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms

from services import redis_keys
from services.errors import NotFoundError, ServiceUnavailableError
from services.logging import new_trace_id
from services.queue.announcing import MOST_KEPT
from services.queue.outcome import load_outcome
from services.queue.wire import dump_job
from services.redis import speaking_plainly

if TYPE_CHECKING:
    from services.queue.jobs import Job, Queue
    from services.redis import RedisClient

__all__ = ["JobQueue", "Progress", "QueueDepth", "WorkerSeen"]

JobT = TypeVar("JobT", bound="Job")

_ENQUEUE_TIMEOUT_S = 2.0
"""A receiver must say 503 while its caller still listens; an enqueue takes 1 ms."""

_WAITS_AT_MOST_MS = 24 * 3600 * 1000
"""Beyond the time it was put off by, as arq's own."""

# KEYS: job, its result as arq keeps it, its result and progress as we do, queue, announcements. ARGV: job, its id,
# when it is due (ms), its lifetime (ms), how many announcements are kept (0: none is made) and for how long (s).
# Puts a job in as arq would, drops what its last run left, wakes a runner; returns 1, or 0 if it waits or runs already.
_PUT = """
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end
redis.call('DEL', KEYS[3], KEYS[4])
redis.call('PSETEX', KEYS[1], ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[3], ARGV[2])
local kept = tonumber(ARGV[5])
if kept > 0 then
  redis.call('LPUSH', KEYS[6], '1')
  redis.call('LTRIM', KEYS[6], 0, kept - 1)
  redis.call('EXPIRE', KEYS[6], ARGV[6])
end
return 1
"""

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
        self._put = redis.register_script(_PUT)
        self._enqueue_timeout_s = enqueue_timeout_s

    async def enqueue(self, job: Job, *, defer_s: float = 0) -> bool:
        """Ask for a job, ``defer_s`` seconds from now; False if it waits or runs already.

        Sets ``queued_at`` and ``trace_id`` where the caller left them empty.
        """
        job = _stamped(job)
        now_ms, defer_ms = timestamp_ms(), round(defer_s * 1000)
        payload = {"payload": job.model_dump(mode="json")}
        keys = [
            job_key_prefix + job.job_id,
            result_key_prefix + job.job_id,
            redis_keys.job_result(job.job_id),
            redis_keys.job_progress(job.job_id),
            job.queue,
            redis_keys.announcements(job.queue),
        ]
        wakes = not defer_ms and not self._redis.is_embedded
        with speaking_plainly(self._redis):  # of a time-out too
            async with asyncio.timeout(self._enqueue_timeout_s):
                new = await self._put(
                    keys=keys,
                    args=[
                        serialize_job(job.name, (), payload, None, now_ms, serializer=dump_job),
                        job.job_id,
                        now_ms + defer_ms,
                        _WAITS_AT_MOST_MS + defer_ms,
                        MOST_KEPT if wakes else 0,
                        redis_keys.ANNOUNCEMENTS_TTL_S,
                    ],
                )
        return bool(new)

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

    async def due_in_s(self, job: Job) -> float | None:
        """In how many seconds a job is due, or, while it runs, its lease lapses; None where nobody has asked for it."""
        due_ms = await self._redis.zscore(job.queue, job.job_id)
        return None if due_ms is None else float(due_ms) / 1000 - time.time()

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

    async def _exists(self, job_id: str) -> bool:
        return bool(await self._redis.exists(job_key_prefix + job_id))

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

"""A runner: runs the jobs of one queue in this process, and outlives Redis's absences.

Several runners (turns, index, reindex) live in one worker process, each with its own limits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from arq.worker import Retry, func
from pydantic import ValidationError

from services import redis_keys
from services.errors import ErleahError, ServiceUnavailableError
from services.logging import bind_trace, get_logger
from services.queue.leased_worker import LeasedWorker
from services.queue.outcome import dump_error, dump_result
from services.queue.wire import arq_client
from services.redis import speaking_plainly

if TYPE_CHECKING:
    from arq.worker import Function

    from services.queue.jobs import Job, Queue
    from services.redis import RedisClient

__all__ = ["Handler", "JobContext", "JobRunner", "RetryLater"]

Handler = Callable[[Any, "JobContext"], Awaitable[Any]]
"""Runs one kind of job; its first argument is that kind. It returns JSON where the job keeps its result."""

_SIGN_OF_LIFE_S = 3.0
_OUTAGE_PAUSE_S = 0.5
_LAST_READ_S = 1.0
"""A stopping runner lets the read of the queue that is under way end, which may have taken jobs."""

log = get_logger(__name__)


class RetryLater(Exception):  # noqa: N818 - it steers, it is no error
    """A handler raises it to be run again after ``delay_s`` seconds; the next run's attempt is one more."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"again in {delay_s:g} s")
        self.delay_s = delay_s


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler is told of the job beside its payload.

    ``attempt`` counts from 1, crashed, cancelled and retried runs included; ``queued_at`` is Unix seconds.
    """

    job_id: str
    attempt: int
    queued_at: float


class JobRunner:
    """Runs one queue's jobs: ``run()`` until ``stop()``.

    A handler ends its job by returning. Raising RetryLater runs it again; any other exception ends the job
    and is logged once, without the exception's words unless they are ours (they may quote what a visitor wrote).
    A handler that is cancelled (stop, lost lease) must let go soon; its job is run again, maybe elsewhere.
    """

    def __init__(  # noqa: PLR0913 - the limits, each with its default
        self,
        redis: RedisClient,
        queue: Queue,
        handlers: Mapping[type[Job], Handler],
        *,
        max_jobs: int,
        job_timeout_s: float,
        poll_delay_s: float = 0.01,
        read_limit: int = 1000,
        lease_s: float = 3.0,
        worker_id: str | None = None,
    ) -> None:
        """Make it where its event loop runs.

        ``poll_delay_s`` is how often the queue is read where jobs are not announced (embedded Redis), and how
        often a full runner looks for a free place. ``worker_id`` names this process in leases and
        signs of life; runners of one process share it.

        Raises ValueError for a handler of another queue's job.
        """
        strangers = [job.name for job in handlers if job.queue != queue]
        if strangers:
            msg = f"{', '.join(strangers)}: not a job of {queue}"
            raise ValueError(msg)
        self.worker_id = worker_id or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._redis = redis
        self._queue = queue
        self._job_timeout_s = job_timeout_s
        self._poll_delay_s = poll_delay_s
        self._lease_s = lease_s
        self._arq = arq_client(redis)
        self._reader = arq_client(redis, one_connection=True)
        self._worker = LeasedWorker(
            self._arq,
            self._reader,
            [self._function(job, handler) for job, handler in handlers.items()],
            queue=queue,
            worker_id=self.worker_id,
            max_jobs=max_jobs,
            job_timeout_s=job_timeout_s,
            lease_s=lease_s,
            read_limit=read_limit,
        )
        self._max_jobs = max_jobs
        self._started_at = 0.0
        self._away_since: float | None = None
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()

    @property
    def running(self) -> int:
        """How many jobs run here now."""
        return self._worker.running

    async def run(self) -> None:
        """Take and run jobs until ``stop()`` has done its work; cancelled, it hands over what runs.

        A Redis that is away is waited for: logged once when it goes and once when it is back.
        """
        self._started_at = time.time()
        upkeep = [
            asyncio.create_task(self._keep(self._worker.renew_leases, self._lease_s / 3), name="leases"),
            asyncio.create_task(self._keep(self._show_life, _SIGN_OF_LIFE_S), name="sign of life"),
        ]
        taking = asyncio.create_task(self._take_jobs(), name=f"take jobs of {self._queue}")
        try:
            await self._stopping.wait()
            self._worker.stop_taking()
            await asyncio.wait({taking}, timeout=_LAST_READ_S)
            await self._stopped.wait()
        finally:
            self._worker.stop_taking()
            await _end(taking)
            await self._worker.hand_over()
            for task in upkeep:
                await _end(task)
            await self._reader.aclose()
            with contextlib.suppress(ServiceUnavailableError, TimeoutError):
                async with asyncio.timeout(_LAST_READ_S):
                    await self._redis.delete(self._life_key)

    async def stop(self, grace_s: float) -> None:
        """Take no more jobs, give those that run ``grace_s`` seconds, then hand the rest over."""
        self._stopping.set()
        self._worker.stop_taking()
        until = time.monotonic() + grace_s
        while self._worker.running and time.monotonic() < until:
            await asyncio.wait(list(self._worker.tasks.values()), timeout=until - time.monotonic())
        left = self._worker.running
        if left:
            log.info("jobs_handed_over", queue=str(self._queue), jobs=left)
        await self._worker.hand_over()
        self._stopped.set()

    async def _take_jobs(self) -> None:
        announced = not self._redis.is_embedded  # where a read costs no round trip, and fakeredis blocks unsafely
        while not self._stopping.is_set():
            try:
                with speaking_plainly(self._arq):
                    await self._worker.take_due_jobs()
                    self._is_back()
                    await self._worker.wait_for_work(announced=announced, poll_delay_s=self._poll_delay_s)
            except ServiceUnavailableError as away:
                if self._away_since is None:
                    self._away_since = time.monotonic()
                    log.error("redis_away", queue=str(self._queue), what=str(away))  # noqa: TRY400 - a state, no bug
                await asyncio.sleep(_OUTAGE_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - the loop outlives whatever lies in the queue
                log.error("queue_read_failed", queue=str(self._queue), **_trace(error))  # noqa: TRY400 - without its words
                await asyncio.sleep(_OUTAGE_PAUSE_S)

    def _is_back(self) -> None:
        if self._away_since is not None:
            away_s = round(time.monotonic() - self._away_since, 1)
            log.info("redis_back", queue=str(self._queue), away_s=away_s)
            self._away_since = None

    async def _keep(self, action: Callable[[], Awaitable[None]], every_s: float) -> None:
        """Do an upkeep action again and again; a failure of it is its own, logged once in a row."""
        failing = False
        while True:
            try:
                with speaking_plainly(self._arq):
                    await action()
                failing = False
            except ServiceUnavailableError:
                pass  # said once, by what reads the queue
            except Exception as error:  # noqa: BLE001 - each upkeep loop may fail alone, and goes on
                if not failing:
                    log.warning("upkeep_failed", action=action.__name__.strip("_"), **_trace(error))
                failing = True
            await asyncio.sleep(every_s)

    async def _show_life(self) -> None:
        sign = {
            "worker_id": self.worker_id,
            "queue": self._queue,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "running": self.running,
            "max_jobs": self._max_jobs,
            "started_at": self._started_at,
            "seen_at": time.time(),
        }
        await self._redis.set(self._life_key, json.dumps(sign), ex=redis_keys.WORKER_TTL_S)

    @property
    def _life_key(self) -> str:
        return redis_keys.worker(self.worker_id, self._queue)

    def _function(self, kind: type[Job], handler: Handler) -> Function:
        async def run_one(ctx: dict[str, Any], payload: dict[str, Any]) -> None:
            job = _checked(kind, payload, ctx["job_id"])
            if job is not None:
                await self._run_job(job, handler, JobContext(job.job_id, ctx["job_try"], job.queued_at))

        return func(run_one, name=kind.name)

    async def _run_job(self, job: Job, handler: Handler, context: JobContext) -> None:
        bind_trace(job.trace_id, job_id=context.job_id)
        began = time.perf_counter()
        limit = asyncio.timeout(self._job_timeout_s)
        try:
            async with limit:
                outcome = dump_result(await handler(job, context)) if job.keeps_result else await handler(job, context)
        except RetryLater as again:
            raise Retry(defer=again.delay_s) from None
        except Exception as error:  # noqa: BLE001 - a job's end is not the runner's
            failure = self._too_long(job) if limit.expired() else error
            log.error("job_failed", job=job.name, attempt=context.attempt, **_trace(failure))  # noqa: TRY400 - without its words
            outcome = dump_error(failure, context.job_id)
        else:
            log.debug("job_done", job=job.name, attempt=context.attempt, ms=round((time.perf_counter() - began) * 1000))
        if job.keeps_result:
            await self._keep_result(context.job_id, outcome)

    def _too_long(self, job: Job) -> ErleahError:
        return ErleahError(f"{job.name} took longer than {self._job_timeout_s:g} s and was ended")

    async def _keep_result(self, job_id: str, outcome: bytes) -> None:
        try:
            await self._redis.set(redis_keys.job_result(job_id), outcome, ex=redis_keys.RESULT_TTL_S)
        except ServiceUnavailableError as error:
            log.warning("job_result_lost", what=str(error))


def _checked(kind: type[Job], payload: dict[str, Any], job_id: str) -> Job | None:
    """The job a payload holds, or None (logged) if it is not one, or not the one its id says."""
    try:
        job = kind.model_validate(payload)
    except ValidationError as error:
        fields = sorted({str(problem["loc"][0]) for problem in error.errors(include_input=False) if problem["loc"]})
        log.error("job_refused", job_id=job_id, job=kind.name, fields=fields)  # noqa: TRY400 - its trace would quote the payload
        return None
    if job.job_id != job_id:
        log.error("job_refused", job_id=job_id, job=kind.name, reason="the payload belongs to another id")
        return None
    return job


def _trace(error: BaseException) -> dict[str, str]:
    """What a log line may say of an error: its type and place, and its words if they are ours."""
    if isinstance(error, ErleahError):
        return {"error_type": type(error).__name__, "what": str(error)}
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    return {"error_type": type(error).__name__, "where": " < ".join(reversed(where[-8:]))}


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})

"""arq's worker with its four faults mended: latency, starvation, crashed workers, a Redis that restarts.

What stays arq's: the keys, the transaction that enqueues, ``run_job`` with its retries and the ends of
a job. What is ours is how a job is taken and held:

- A job is taken with ``SET in-progress NX`` by a token of its run, for a lease of seconds where arq takes
  it for the longest job's time-out. Who holds jobs renews their leases; a crashed holder's jobs are taken
  up when the lease lapses (arq 0.28: after job_timeout + 10 s).
- A job that is held is due again only when its lease lapses: the holder moves its score there. So reading
  the queue finds free jobs only, whoever many run elsewhere. arq leaves them at the head of the queue,
  reads past none of them (measured: a new job waited 6.8 s behind 120 long ones) and asks three commands
  about each at every poll.
- A run whose lease another run has taken is cancelled and writes nothing about the job any more.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.utils import timestamp_ms
from arq.worker import Worker
from redis.exceptions import RedisError

from services.logging import get_logger
from services.queue.announcing import announce, wait_for_announcement
from services.queue.wire import load_job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from arq.connections import ArqRedis
    from arq.worker import Function

__all__ = ["LeasedWorker"]

_UNLIMITED_TRIES = 1_000_000
"""How often a job is tried is its handler's to say, which is told the attempt's number."""

_LAST_RESORT_S = 60.0
"""arq's own time-out comes this long after the runner's, should that one not bite."""

_UNANNOUNCED_S = 0.1
"""How long the queue is not read when nobody announces a job: one put off for later, or freed by a worker's death."""

_LET_GO_S = 5.0
"""How long a cancelled handler may take over its last write."""

_NEXT_TRY_S = 0.5
"""Between two tries to tell Redis how a job ended, when each has used up its own retries."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Lease:
    """One run's hold on a job: the token only this run has, and the millisecond the job was due."""

    token: bytes
    due_ms: int


# KEYS: queue, then a lease for each candidate. ARGV: now and the lease's length (ms), then each one's id and token.
# Returns when each was due, false for one that is held, put off, or has ended since the queue was read. Nobody else
# reads of a leased one that it is due before its lease lapses.
_LEASE = """
local due = {}
for at = 2, #KEYS do
  local id, token = ARGV[2 * at - 1], ARGV[2 * at]
  local score = redis.call('ZSCORE', KEYS[1], id)
  due[at - 1] = false
  if score and tonumber(score) <= tonumber(ARGV[1]) and redis.call('SET', KEYS[at], token, 'NX', 'PX', ARGV[2]) then
    redis.call('ZADD', KEYS[1], 'XX', ARGV[1] + ARGV[2], id)
    due[at - 1] = score
  end
end
return due
"""

# KEYS: lease, queue, job, its tries. ARGV: token, id, when it is due again (ms) or ''. Writes down how a run has ended,
# and returns 1; 0 where another run has the job, which its own last word must not be taken from.
_END = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('DEL', KEYS[3], KEYS[4])
else
  redis.call('ZADD', KEYS[2], 'XX', ARGV[3], ARGV[2])
end
return 1
"""


class LeasedWorker(Worker):
    """Takes due jobs of one queue, holds them by leases, runs them with arq.

    Raises redis-py's errors when Redis is away; the runner supervises.
    """

    def __init__(  # noqa: PLR0913 - the runner's limits, handed on
        self,
        pool: ArqRedis,
        reader: ArqRedis,
        functions: Sequence[Function],
        *,
        queue: str,
        worker_id: str,
        max_jobs: int,
        job_timeout_s: float,
        lease_s: float,
        read_limit: int,
    ) -> None:
        super().__init__(
            functions,
            queue_name=queue,
            redis_pool=pool,
            max_jobs=max_jobs,
            job_timeout=job_timeout_s + _LAST_RESORT_S,
            keep_result=0,
            max_tries=_UNLIMITED_TRIES,
            queue_read_limit=read_limit,
            handle_signals=False,
            log_results=False,
            job_serializer=lambda _: b"",  # arq writes results it then does not keep; ours are the runner's
            job_deserializer=load_job,
        )
        self._reader = reader  # reads the queue and waits for announcements, and does nothing else
        self.in_progress_timeout_s = lease_s
        self._lease_ms = int(lease_s * 1000)
        self._lease = pool.register_script(_LEASE)
        self._finish = pool.register_script(_END)
        self._worker_id = worker_id
        self._run_number = 0
        self._next_due_ms: float | None = None
        self._held: dict[str, _Lease] = {}

    @property
    def running(self) -> int:
        """How many jobs run here now."""
        return len(self.tasks)

    def stop_taking(self) -> None:
        """Take no more jobs; those that run go on."""
        self.allow_pick_jobs = False

    async def take_due_jobs(self) -> None:
        """Read the queue once and begin as many free jobs as there is room for."""
        self._next_due_ms = None
        room = self.max_jobs - self.running
        if room <= 0 or not self.allow_pick_jobs:
            return
        now_ms = timestamp_ms()
        # A little of the future too: a job comes announced and not yet due from a machine whose clock is ahead.
        found: list[tuple[bytes, float]] = await self._reader.zrangebyscore(
            self.queue_name,
            min="-inf",
            max=now_ms + _UNANNOUNCED_S * 1000,
            start=0,
            num=self.queue_read_limit,
            withscores=True,
        )
        due = [job_id for job_id, due_ms in found if due_ms <= now_ms]
        if len(due) < len(found):
            self._next_due_ms = found[len(due)][1]
        # What still runs here is not taken again, though its lease lapsed while Redis was away: renewing mends that.
        due = [job_id for job_id in due if _decoded(job_id) not in self.tasks]
        while due and room > 0:
            candidates, due = due[:room], due[room:]
            for job_id, lease in await self._take(candidates):
                self._begin(job_id, lease)
                room -= 1

    async def wait_for_work(self, *, announced: bool, poll_delay_s: float) -> None:
        """Wait for a reason to read the queue again: an announcement (if jobs are announced), a free place, time."""
        if self.running >= self.max_jobs:  # whatever is due has to wait for a place
            await asyncio.sleep(poll_delay_s)
        elif self._next_due_ms is not None:
            # Redis ends a blocked read that has timed out up to 0.1 s late: too coarse for a job that is due before.
            due_in_s = (self._next_due_ms - timestamp_ms()) / 1000
            await asyncio.sleep(max(0, min(due_in_s, poll_delay_s)))
        elif announced:
            await wait_for_announcement(self._reader, self.queue_name, longest_s=_UNANNOUNCED_S)
        else:
            await asyncio.sleep(poll_delay_s)

    async def renew_leases(self) -> None:
        """Hold on to what runs here; let go of what another run has taken."""
        before = dict(self._held)
        if not before:
            return
        tokens = await self.pool.mget([in_progress_key_prefix + job_id for job_id in before])
        again: dict[str, float] = {}
        async with self.pool.pipeline(transaction=False) as pipe:
            for (job_id, lease), token in zip(before.items(), tokens, strict=True):
                if self._held.get(job_id) is not lease:
                    continue  # it ended while we asked
                key = in_progress_key_prefix + job_id
                if token == lease.token:
                    pipe.pexpire(key, self._lease_ms)
                elif token is None:  # lapsed (this process stood still, Redis lost it), and nobody took it
                    pipe.set(key, lease.token, nx=True, px=self._lease_ms)
                else:
                    self._lose(job_id)
                    continue
                again[job_id] = timestamp_ms() + self._lease_ms
            if again:
                pipe.zadd(self.queue_name, again, xx=True)
                await pipe.execute()

    async def hand_over(self) -> None:
        """Cancel what runs here; each job is free for another worker as soon as its handler has let go.

        A handler that does not let go, or a Redis that cannot be told, is given up on after some seconds: the
        lease lapses.
        """
        tasks = list(self.tasks.values())
        for task in list(self.job_tasks.values()):
            task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=_LET_GO_S)
            for task in stuck:
                task.cancel()

    async def finish_job(  # noqa: PLR0913, PLR0917 - arq's signature
        self,
        job_id: str,
        finish: bool,  # noqa: FBT001 - arq's signature
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,  # noqa: FBT001 - arq's signature
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        """Write down that a run has ended: for good, or to be run again ``incr_score`` ms after it was due."""
        del result_data, result_timeout_s, keep_result_forever, keep_in_progress  # arq's own, which is not kept
        lease = self._held.pop(job_id, None)
        if lease is not None:  # else lost to another run, whose job it is now
            await self._insist(partial(self._end, job_id, lease, None if finish else lease.due_ms + (incr_score or 0)))

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        """Write down that a job can't be run at all (payload refused, name unknown)."""
        del result_data  # arq's own, which is not kept
        lease = self._held.pop(job_id, None)
        if lease is not None:
            await self._insist(partial(self._end, job_id, lease, None))

    async def _take(self, candidates: Sequence[bytes]) -> list[tuple[str, _Lease]]:
        """Lease those candidates that are still free and due."""
        leases = {job_id: self._new_token() for job_id in candidates}
        now_ms = timestamp_ms()
        scores: list[bytes | None] = await self._lease(
            keys=[self.queue_name, *map(_in_progress, leases)],
            args=[now_ms, self._lease_ms, *(part for lease in leases.items() for part in lease)],
        )
        taken: list[tuple[str, _Lease]] = []
        for (job_id, token), score in zip(leases.items(), scores, strict=True):
            if score is None:
                continue
            due_ms = float(score)
            if (name := _decoded(job_id)) is None:
                log.error("job_refused", job_id=repr(job_id), reason="its id is not UTF-8")
                await self.pool.zrem(self.queue_name, job_id)
            else:
                taken.append((name, _Lease(token, int(due_ms) if math.isfinite(due_ms) else now_ms)))
        return taken

    def _begin(self, job_id: str, lease: _Lease) -> None:
        self._held[job_id] = lease
        task = asyncio.get_running_loop().create_task(self.run_job(job_id, lease.due_ms), name=f"job {job_id}")
        self.tasks[job_id] = task
        task.add_done_callback(partial(self._ended, job_id))

    def _ended(self, job_id: str, task: asyncio.Task[Any]) -> None:
        if self.tasks.get(job_id) is task:
            del self.tasks[job_id]
            # Normally gone since the job was finished; if Redis could not be told, the lease lapses and
            # the job runs again.
            self._held.pop(job_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job_end_not_recorded", job_id=job_id, error_type=type(error).__name__)

    def _lose(self, job_id: str) -> None:
        log.warning("job_lease_lost", job_id=job_id, what="another run has the job; this one is cancelled")
        del self._held[job_id]
        if job_id in self.job_tasks:
            self.job_tasks[job_id].cancel()

    async def _end(self, job_id: str, lease: _Lease, due_ms: int | None) -> None:
        """The end of a run: for good, or until ``due_ms``. A lease that was lost unnoticed ends nothing."""
        ours = await self._finish(
            keys=[
                in_progress_key_prefix + job_id,
                self.queue_name,
                job_key_prefix + job_id,
                retry_key_prefix + job_id,
            ],
            args=[lease.token, job_id, "" if due_ms is None else due_ms],
        )
        if not ours:
            log.warning("job_lease_lost", job_id=job_id, what="another run has the job; this one's end is not its end")
        elif due_ms is not None and due_ms <= timestamp_ms():
            await announce(self.pool, self.queue_name)

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write how a job ended, however long Redis is away; a worker that is stopping tries once."""
        while True:
            try:
                return await write()
            except (RedisError, OSError):
                if not self.allow_pick_jobs:
                    raise
            await asyncio.sleep(_NEXT_TRY_S)

    def _new_token(self) -> bytes:
        self._run_number += 1
        return f"{self._worker_id}:{self._run_number}".encode()


def _in_progress(job_id: bytes) -> bytes:
    return in_progress_key_prefix.encode() + job_id


def _decoded(job_id: bytes) -> str | None:
    try:
        return job_id.decode()
    except UnicodeDecodeError:
        return None

"""Handing a job to the queue, within a time: a caller is told soon when Redis is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from services.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from services.queue.job_queue import JobQueue
    from services.queue.jobs import Job

__all__ = ["HANDOVER_TIMEOUT_S", "hand_over"]

HANDOVER_TIMEOUT_S: Final = 3.0
"""A healthy Redis takes a millisecond. A Flow's request has no time-out of its own, so we have one."""


async def hand_over(queue: JobQueue, *jobs: Job) -> bool:
    """Enqueue jobs; True if at least one was new, False if all were waiting or running already.

    Raises ServiceUnavailableError("redis") when Redis is away or takes too long.
    """
    new = False
    try:
        async with asyncio.timeout(HANDOVER_TIMEOUT_S * max(1, len(jobs) // 100)):
            for job in jobs:
                new = await queue.enqueue(job) or new
    except TimeoutError:
        message = "Redis takes too long to answer; see that it is running and reachable (REDIS_URL)"
        raise ServiceUnavailableError("redis", message) from None
    return new

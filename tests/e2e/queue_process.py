"""A worker process for the queue's tests: runs answer jobs and writes what it does to stdout, line by line.

``python -m tests.e2e.queue_process URL JOB_SECONDS LEASE_SECONDS``; SIGTERM stops it with half a second's grace.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from services.queue.jobs import AnswerJob, Queue
from services.queue.runner import JobContext, JobRunner
from services.redis import connect_redis

if TYPE_CHECKING:
    from services.queue.jobs import Job


async def main(url: str, job_s: float, lease_s: float) -> None:
    """Run until SIGTERM."""

    async def handler(_job: Job, context: JobContext) -> None:
        say(f"begun {context.job_id} {context.attempt}")
        try:
            await asyncio.sleep(job_s)
        except asyncio.CancelledError:
            say(f"cancelled {context.job_id} {context.attempt}")
            raise
        say(f"ended {context.job_id} {context.attempt}")

    redis = connect_redis(url)
    runner = JobRunner(redis, Queue.TURNS, {AnswerJob: handler}, max_jobs=20, job_timeout_s=600, lease_s=lease_s)
    running = asyncio.create_task(runner.run())
    term = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, term.set)
    say("ready")
    await term.wait()
    await runner.stop(0.5)
    await running
    await redis.aclose()


def say(line: str) -> None:
    """One line for the test, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))

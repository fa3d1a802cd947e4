"""How soon a job begins, what an idle runner costs, and what a job costs in CPU, on a real Redis.

``python -m bench.queue_latency [--jobs N] [--redis URL]``; without a URL it starts a redis-server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

import structlog

from bench.figure import Better, Figure, table
from services.queue.job_queue import JobQueue
from services.queue.jobs import AnswerJob, Queue
from services.queue.runner import JobContext, JobRunner
from services.redis import connect_redis
from tests.e2e.redis_server import RedisServer

_IDLE_S = 5.0
_BURST = 1000


async def measure(url: str, jobs: int = 300) -> list[Figure]:
    """Measure one idle runner in this process; latency is from the call of enqueue to the handler's first line."""
    redis = connect_redis(url)
    queue = JobQueue(redis)
    latencies_ms: list[float] = []

    async def handler(job: AnswerJob, _context: JobContext) -> None:
        latencies_ms.append((time.time() - job.queued_at) * 1000)

    runner = JobRunner(redis, Queue.TURNS, {AnswerJob: handler}, max_jobs=200, job_timeout_s=60)
    running = asyncio.create_task(runner.run())
    await asyncio.sleep(0.5)

    cpu = time.process_time()
    await asyncio.sleep(_IDLE_S)
    idle_percent = (time.process_time() - cpu) / _IDLE_S * 100

    for number in range(jobs):
        await queue.enqueue(AnswerJob(message_id=f"one-by-one-{number}"))
        await asyncio.sleep(random.uniform(0.005, 0.03))  # noqa: S311 - so as not to fall in step with a poll
    await _all_done(latencies_ms, jobs)
    percentiles = quantiles(latencies_ms, n=100)

    cpu, began = time.process_time(), time.monotonic()
    for number in range(_BURST):
        await queue.enqueue(AnswerJob(message_id=f"burst-{number}"))
    await _all_done(latencies_ms, jobs + _BURST)
    burst_cpu_ms, burst_s = (time.process_time() - cpu) / _BURST * 1000, time.monotonic() - began

    await runner.stop(1)
    await running
    await redis.aclose()
    return [
        Figure("queue: enqueue to handler, p50", percentiles[49], "ms", 12),
        Figure("queue: enqueue to handler, p95", percentiles[94], "ms", 40),
        Figure("queue: CPU of an idle runner", idle_percent, "% of a core", 3),
        Figure("queue: CPU to enqueue, run and end a job", burst_cpu_ms, "ms", 5),
        Figure("queue: jobs a second, enqueued and run", _BURST / burst_s, "1/s", 100, Better.MORE),
    ]


async def _all_done(done: list[float], count: int) -> None:
    async with asyncio.timeout(60):
        while len(done) < count:  # noqa: ASYNC110 - handlers in the same loop; a poll is enough here
            await asyncio.sleep(0.01)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Latency and cost of the queue")
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--redis", default=None, help="a Redis that may be written to; by default one is started")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with ExitStack() as stack:
        url = options.redis
        if url is None:
            server = RedisServer(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            stack.callback(server.stop)
            server.start()
            url = server.url
        print(table(asyncio.run(measure(url, options.jobs))))


if __name__ == "__main__":
    main()

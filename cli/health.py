"""``erleah health``: whether the process in this container is alive, for the container's health check.

The receiver answers on its port; a worker has no port, and leaves its sign of life in Redis under this
machine's name. Which of them lives here is said by who runs the check: guessed from what answers, a dead
receiver would pass for a worker that waits for Redis.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import click

from cli.probe import alive
from cli.terminal import command_settings, data, run
from services.errors import ErleahError, ServiceUnavailableError
from services.queue.job_queue import JobQueue
from services.redis import connect_redis

if TYPE_CHECKING:
    from services.settings import Settings

__all__ = ["health"]


@click.command()
@click.option("--role", type=click.Choice(["webhook", "worker"]), required=True, help="What runs in this container.")
def health(*, role: str) -> int:
    """Say whether the receiver or worker on this machine is alive; exit 1 if not. For health checks."""
    settings = command_settings()
    data(run(_receiver(settings.webhook_port) if role == "webhook" else _worker(settings)))
    return 0


async def _receiver(port: int) -> str:
    try:
        await alive(f"http://127.0.0.1:{port}")
    except ServiceUnavailableError as error:
        raise ErleahError(f"no receiver answers on port {port}: {error}; start one: erleah webhook") from None
    return "the receiver is alive"


async def _worker(settings: Settings) -> str:
    redis = connect_redis(settings.redis_url, retries=0)
    queue = JobQueue(redis)
    host = socket.gethostname()
    try:
        here = {seen.worker_id for seen in await queue.workers() if seen.host == host}
    except ServiceUnavailableError:
        # A worker waits for Redis by itself; to end it for that would only add to the outage.
        return "Redis is away; a worker waits for it"
    finally:
        await redis.aclose()
    if not here:
        raise ErleahError(f"no worker is alive on {host}; start one: erleah worker")
    return f"{len(here)} worker{'' if len(here) == 1 else 's'} alive"

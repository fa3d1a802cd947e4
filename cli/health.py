"""``erleah health``: whether the process in this container is alive, for the container's health check.

The receiver answers on its port; a worker has no port, and leaves its sign of life in Redis under this
machine's name. Which of them lives here is said by who runs the check: guessed from what answers, a dead
receiver would pass for a worker that waits for Redis.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import click
import httpx

from cli.terminal import command_settings, data, run
from services.errors import ErleahError, ServiceUnavailableError
from services.queue.job_queue import JobQueue
from services.redis import connect_redis

if TYPE_CHECKING:
    from services.settings import Settings

__all__ = ["health"]

_TIMEOUT_S: Final = 4.0
"""Below the health check's own 10 s (Containerfile), with Redis's time beside it."""


@click.command()
@click.option("--role", type=click.Choice(["webhook", "worker"]), required=True, help="What runs in this container.")
def health(*, role: str) -> int:
    """Say whether the receiver or worker on this machine is alive; exit 1 if not. For health checks."""
    settings = command_settings()
    data(run(_receiver(settings.webhook_port) if role == "webhook" else _worker(settings)))
    return 0


async def _receiver(port: int) -> str:
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/health/live")
    except httpx.HTTPError as error:
        why = type(error).__name__
        raise ErleahError(f"no receiver answers on port {port} ({why}); start one: erleah webhook") from None
    if answer.status_code != httpx.codes.OK:
        raise ErleahError(f"the receiver says {answer.status_code} on port {port}")
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
        await queue.aclose()
        await redis.aclose()
    if not here:
        raise ErleahError(f"no worker is alive on {host}; start one: erleah worker")
    return f"{len(here)} worker{'' if len(here) == 1 else 's'} alive"

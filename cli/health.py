"""``erleah health``: whether the process in this container is alive, for the container's health check.

One check serves receiver and worker, so that one image needs one: the receiver answers on its port;
a worker has no port, and leaves its sign of life in Redis under this machine's name.
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
def health() -> int:
    """Say whether the receiver or worker on this machine is alive; exit 1 if not. For health checks."""
    settings = command_settings()
    data(run(_look(settings)))
    return 0


async def _look(settings: Settings) -> str:
    """What lives here; raises ErleahError when nothing does."""
    return await _receiver(settings.webhook_port) or await _worker(settings)


async def _receiver(port: int) -> str | None:
    """The receiver's word, None when nothing listens here (this is a worker then, or neither)."""
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/health/live")
    except httpx.ConnectError:
        return None
    except httpx.HTTPError as error:
        raise ErleahError(f"the receiver does not answer on port {port} ({type(error).__name__})") from None
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
        raise ErleahError(f"neither a receiver nor a worker is alive on {host}; start one: erleah worker")
    return f"{len(here)} worker{'' if len(here) == 1 else 's'} alive"

"""A receiver process: start up, run, shut down."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import uvloop

from services.directus.client import Directus
from services.errors import ErleahError
from services.logging import configure_logging, get_logger
from services.memory import leave_what_stays_alone
from services.queue.job_queue import JobQueue
from services.redis import RedisClient, connect_redis
from services.settings import load_settings
from services.vectors import Vectors
from webhook.app import create_app
from webhook.server import listen, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.settings import Settings

__all__ = ["DoorParts", "OpenParts", "main", "run_process", "run_webhook", "shut_down", "start_up"]

REDIS_RETRIES = 1
"""The receiver says 503 soon, where a worker waits: whoever asked can ask again, and the sweep heals."""

DIRECTUS_RETRY_S = 8.0
"""Longer than a restart of Directus takes (3 to 5 s, measured), shorter than a visitor waits."""

_log = get_logger(__name__)


class DoorParts(Protocol):
    """What the receiver needs open; any object with these will do, a whole process's connections too."""

    @property
    def directus(self) -> Directus: ...  # noqa: D102 - named as its type
    @property
    def queue(self) -> JobQueue: ...  # noqa: D102 - named as its type
    @property
    def redis(self) -> RedisClient: ...  # noqa: D102 - named as its type
    @property
    def vectors(self) -> Vectors | None: ...  # noqa: D102 - None when the index lives in another process


@dataclass(frozen=True)
class OpenParts:
    """The parts of a receiver that is a process of its own."""

    directus: Directus
    queue: JobQueue
    redis: RedisClient
    vectors: Vectors | None


def start_up(settings: Settings) -> OpenParts:
    """Make the parts. Each connects at its first use: the receiver starts while services are away."""
    redis = connect_redis(settings.redis_url, retries=REDIS_RETRIES)
    # An embedded index belongs to one process alone, and that is the worker's.
    embedded = settings.qdrant_url.startswith("embedded://")
    return OpenParts(
        directus=Directus(
            settings.directus_url, settings.directus_api_key.get_secret_value(), retry_for_s=DIRECTUS_RETRY_S
        ),
        queue=JobQueue(redis),
        redis=redis,
        vectors=None if embedded else Vectors(settings.qdrant_url, settings.qdrant_api_key),
    )


async def shut_down(parts: OpenParts) -> None:
    """Close what start_up opened, in the other order; one that fails does not keep the rest open."""
    closing = [parts.redis.aclose(), parts.directus.aclose()]
    if parts.vectors is not None:
        closing.insert(0, parts.vectors.aclose())
    for close in closing:
        try:
            await close
        except Exception as error:  # noqa: BLE001 - the process ends anyway; the others are closed all the same
            _log.warning("not_closed", because=type(error).__name__)


async def run_webhook(
    settings: Settings,
    *,
    parts: DoorParts | None = None,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run the receiver until ``stop`` is set or the task is cancelled; no signal handlers.

    ``parts`` are lent and left open; without them it opens and closes its own. ``on_ready`` is
    called with the address once requests are taken (with WEBHOOK_PORT 0 that tells the port).

    Raises ConfigurationError when the port can't be had.
    """
    listener = listen(settings.webhook_host, settings.webhook_port)
    host = f"[{settings.webhook_host}]" if ":" in settings.webhook_host else settings.webhook_host
    address = f"http://{host}:{listener.getsockname()[1]}"

    def ready() -> None:
        _log.info("webhook_ready", address=address)
        if on_ready is not None:
            on_ready(address)

    own = start_up(settings) if parts is None else None
    used: DoorParts = own if own is not None else parts  # type: ignore[assignment]  # one of the two is there
    app = create_app(settings, directus=used.directus, queue=used.queue, redis=used.redis, vectors=used.vectors)
    try:
        await serve(app, listener, stop=stop or asyncio.Event(), proxies=settings.forwarded_allow_ips, on_ready=ready)
    finally:
        if own is not None:
            await shut_down(own)


def run_process() -> None:
    """Be a receiver, with the settings that are found, until a signal; logs are set up for the whole process.

    Raises ConfigurationError for a bad setting, and when the port can't be had.
    """
    settings = load_settings()
    configure_logging(settings)
    uvloop.run(_until_signal(settings))


def main() -> int:
    """Run ``python -m webhook``: exit code 0 after a stop by signal, 1 when it can't start."""
    try:
        run_process()
    except ErleahError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await run_webhook(settings, stop=stop, on_ready=lambda _: leave_what_stays_alone())

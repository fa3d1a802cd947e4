"""The HTTP server around the app: uvicorn, stopped by an event instead of by its own signal handlers."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import uvicorn

from services.errors import ConfigurationError
from webhook.connection import Connection
from webhook.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.types import ASGIApp

__all__ = ["listen", "serve"]

GRACE_S: Final = 10
"""Requests that run at the stop get this long; each is bounded by shorter time-outs of its own."""

KEEP_ALIVE_S: Final = 65
"""Longer than a client keeps an idle connection (Node's agent in Directus 5 s, load balancers 60 s):
who closes first must not be the server, or a hook sent in that moment is lost."""

MAX_CONNECTIONS: Final = 2000
"""Beyond it connections that wait for their clients are ended, and if all are being served it answers 503; about 40 KB
each, and far more than one process can serve at once."""

KEPT_FREE: Final = 10
"""One in so many: a request whose client was let go ends a moment later, and counts until then."""

OTHER_FILES: Final = 200
"""Files of the process that are no clients: connections to Redis, Directus and Qdrant, the log, Python's own."""

MAX_HEADER_BYTES: Final = 32 * 1024
"""All headers together; a token has 300 to 4,096 characters."""

_BACKLOG: Final = 2048
"""Connections that wait to be accepted; uvicorn's default."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ConfigurationError when it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets that say they are TCP, which those of
    # socket.create_server don't: each answer then waits 40 ms for a delayed ACK (measured: 45 ms a hook).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        message = (
            f"WEBHOOK_PORT {port} on {host} can't be listened on ({error.strerror or error}); "
            "stop what runs there or set WEBHOOK_HOST and WEBHOOK_PORT"
        )
        raise ConfigurationError(message) from None
    return listener


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    stop: asyncio.Event,
    proxies: Iterable[str] = (),
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until ``stop`` is set or the task is cancelled; then finish what runs, within GRACE_S.

    ``proxies`` are the addresses and networks that may say in X-Forwarded-For who the client is; ``*`` is anyone.
    Takes no signals, so it can stand beside other tasks. Closes the listener.
    """
    at_most = _connections_at_most()
    room = Room(at_most - at_most // KEPT_FREE)
    config = uvicorn.Config(
        app,
        http=partial(Connection, room=room),  # type: ignore[arg-type]  # it is called, as a class would be
        ws="none",
        lifespan="off",  # what the app needs was opened before it, and is closed after it
        log_config=None,  # services/logging.py has set the loggers up
        access_log=False,  # webhook/middleware.py logs each request, without its query
        server_header=False,
        forwarded_allow_ips=[*_as_peers(proxies)],  # given always: uvicorn would look into the environment by itself
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=at_most,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )
    server = _Server(config, on_ready)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="webhook-server")
    stopping = asyncio.create_task(stop.wait(), name="webhook-stop")
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        stopping.cancel()
        await asyncio.shield(serving)


def _connections_at_most() -> int:
    """MAX_CONNECTIONS, or as many as the limit of open files has room for, which is raised as far as is allowed.

    It is 1,024 where nobody has set it (systemd, most shells): beyond it no connection is accepted at all.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if resource.RLIM_INFINITY != soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(min(MAX_CONNECTIONS, soft - OTHER_FILES), 1)


def _as_peers(proxies: Iterable[str]) -> Iterator[str]:
    """The proxies, those of IPv4 also by what they are called where the listener's address is one of IPv6."""
    for proxy in proxies:
        yield proxy
        if proxy != "*" and ":" not in proxy:
            network = ip_network(proxy)
            yield f"::ffff:{network.network_address}/{96 + network.prefixlen}"


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to the process and says when it is up."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_ready is not None:
            self._on_ready()

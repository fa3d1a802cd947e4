"""The connection to Redis: one pool, bounded, that rides out a restart of the server.

``RedisClient`` is redis-py's asyncio client whose failures to reach the server come out as
``ServiceUnavailableError("redis", …)``, from single commands and from pipelines alike. Everything else
about it is redis-py's, whose names are seen here and in the queue alone: a lock and the errors that others need
come from here.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from redis._parsers.hiredis import NOT_ENOUGH_DATA, _AsyncHiredisParser
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.lock import Lock as RedisLock
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    LockNotOwnedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.asyncio import ConnectionPool

__all__ = [
    "PATIENT_RETRIES",
    "LockNotOwnedError",
    "RedisClient",
    "RedisError",
    "RedisLock",
    "check_redis",
    "connect_redis",
    "retry_options",
    "speaking_plainly",
]

PATIENT_RETRIES = 10
"""Tries of a command that can't reach Redis, 0.2 s apart at first and 2 s at last: 15 s in all.

A restart of the server with its file takes seconds; a turn that waits for it is saved, one that does not
is run again. Who must say no at once (the receiver) connects with fewer.
"""

_BACKOFF_BASE_S = 0.1
_BACKOFF_CAP_S = 2.0
_CONNECT_TIMEOUT_S = 2.0
_COMMAND_TIMEOUT_S = 5.0
_MAX_CONNECTIONS = 64
"""A command takes well under a millisecond, so this serves thousands a second from one process."""

_AWAY: tuple[type[Exception], ...] = (
    RedisConnectionError,
    RedisTimeoutError,
    OSError,  # what a socket raises while the server restarts comes out of redis-py bare (7.0, python-arq/arq#435)
)
"""What redis-py raises when the server cannot be reached."""

_TRANSLATED: tuple[type[Exception], ...] = (*_AWAY, ResponseError)
_REFUSES_WRITES = (OutOfMemoryError, ReadOnlyError)


class _PlainSpeakingPipeline(Pipeline):
    """redis-py's pipeline; a server that is away is a ServiceUnavailableError."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 - redis-py's signature
        with speaking_plainly(self):
            return await super().execute(raise_on_error)

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - redis-py's signature
        with speaking_plainly(self):
            return await super().immediate_execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py


class QuickParser(_AsyncHiredisParser):
    """redis-py's parser, which sees without waiting that an idle connection is good.

    redis-py asks it before each command by a read that is cancelled at once: a timer, a round of the event loop
    and two exceptions (92 µs of processor a command with it, 66 without: medians of three runs on a busy machine).
    """

    async def can_read_destructive(self) -> bool:
        """Whether something lies there that nobody asked for; raises what redis-py raises for a lost connection.

        What came, and the server's hanging up, the event loop has noted in the stream by itself.
        """
        stream = self._stream
        parser = self._reader
        if stream is None or parser is None or _has_news(stream):
            return bool(await super().can_read_destructive())  # type: ignore[no-untyped-call]  # redis-py's own
        return parser.gets() is not NOT_ENOUGH_DATA


class RedisClient(Redis):
    """redis-py's asyncio client; a server that is away is a ServiceUnavailableError. Answers are bytes."""

    @classmethod
    def over(cls, pool: ConnectionPool) -> Self:
        """Give a client that owns ``pool`` and closes it with itself."""
        client = cls(connection_pool=pool)
        client.auto_close_connection_pool = True
        return client

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - redis-py's signature
        """Run one command; every single command of redis-py goes through here."""
        with speaking_plainly(self):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's own

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002 - redis-py's signature
        """Give a pipeline whose failures speak plainly too."""
        return _PlainSpeakingPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    @property
    def is_embedded(self) -> bool:
        """Whether the server lives in this process, without a socket (``services/redis_embedded.py``)."""
        return "server" in self.connection_pool.connection_kwargs

    @property
    def address(self) -> str:
        """Where the server is, without user and password: fit for logs and messages."""
        return _address(self.connection_pool)


def connect_redis(url: str, *, retries: int = PATIENT_RETRIES) -> RedisClient:
    """Give a client for ``url``; it connects at its first command, and again whenever it must.

    ``embedded://`` is a fakeredis of its own inside this process, ``embedded://NAME`` one that all who
    name it in this process share. ``retries`` says how often a command tries to reach the server.

    The client's commands raise ServiceUnavailableError("redis") when the server stays away. The caller
    closes it with ``aclose()``.
    """
    if url.startswith("embedded://"):
        from services.redis_embedded import embedded_server  # noqa: PLC0415 - a server's process never loads the fake

        return RedisClient.over(embedded_server(url.removeprefix("embedded://")).pool())
    pool = BlockingConnectionPool.from_url(
        url,
        # Not redis-py's plain pool: it holds one lock while it reconnects, so that in an outage callers
        # would wait for each other's retries, 15 s after 15 s.
        max_connections=_MAX_CONNECTIONS,
        timeout=_COMMAND_TIMEOUT_S * 4,
        socket_connect_timeout=_CONNECT_TIMEOUT_S,
        socket_timeout=_COMMAND_TIMEOUT_S,
        socket_keepalive=True,
        parser_class=QuickParser,
        **retry_options(retries),
    )
    return RedisClient.over(pool)


def retry_options(retries: int) -> dict[str, Any]:
    """The keywords that make redis-py's connections try again, an OSError included."""
    return {
        "retry": Retry(ExponentialBackoff(cap=_BACKOFF_CAP_S, base=_BACKOFF_BASE_S), retries),
        "retry_on_error": list(_AWAY),
    }


async def check_redis(redis: RedisClient, *, timeout_s: float = 3.0) -> None:
    """Ask Redis for a sign of life; raises ServiceUnavailableError within ``timeout_s``."""
    try:
        async with asyncio.timeout(timeout_s):
            await redis.ping()
    except TimeoutError as error:
        raise _unavailable(redis.connection_pool, error) from error


@contextmanager
def speaking_plainly(redis: Redis) -> Iterator[None]:
    """Turn what redis-py raises of a server that is away or full into ServiceUnavailableError("redis").

    For redis-py's own clients over one of our pools (arq's); a RedisClient needs it not.
    """
    try:
        yield
    except _TRANSLATED as error:
        _raise_plainly(error, redis.connection_pool)
        raise


def _has_news(stream: asyncio.StreamReader) -> bool:
    return bool(stream._buffer) or stream.at_eof() or stream.exception() is not None  # type: ignore[attr-defined]  # noqa: SLF001 - no public way to look without waiting


def _raise_plainly(error: Exception, pool: ConnectionPool) -> None:
    """Raise our error for what means "away" or "full"; leave the rest (a wrong type, say) to redis-py's own."""
    if isinstance(error, _AWAY):
        raise _unavailable(pool, error) from error
    if isinstance(error, _REFUSES_WRITES) or str(error).startswith("MISCONF"):
        raise ServiceUnavailableError("redis", f"Redis at {_address(pool)} refuses to write: {error}") from error


def _unavailable(pool: ConnectionPool, error: BaseException) -> ServiceUnavailableError:
    if isinstance(error, AuthenticationError):
        message = f"Redis at {_address(pool)} refuses the log-in; check user and password in REDIS_URL"
    else:
        message = f"Redis is not reachable at {_address(pool)}; start it (redis-server) or set REDIS_URL"
    return ServiceUnavailableError("redis", message)


def _address(pool: ConnectionPool) -> str:
    options = pool.connection_kwargs
    if "server" in options:
        return "embedded://"
    if "path" in options:
        return f"unix://{options['path']}"
    scheme = "rediss" if "SSL" in pool.connection_class.__name__ else "redis"
    return f"{scheme}://{options.get('host', 'localhost')}:{options.get('port', 6379)}/{options.get('db', 0)}"

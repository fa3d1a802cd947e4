"""How often one visitor may ask: a moving window in Redis, or in this process while Redis is away."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from services.errors import RateLimitedError, ServiceUnavailableError
from services.logging import get_logger
from services.redis_keys import RATE_LIMIT_PREFIX

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from starlette.requests import Request

__all__ = ["RateLimits", "client_address"]

_REDIS_TIMEOUT_S: Final = 0.5
"""A limit is no reason to keep a visitor waiting."""

_REDIS_PAUSE_S: Final = 5.0
"""After a failure Redis is left alone this long, so that an outage costs one wait, not one a request."""

_IPV6_SITE_BITS: Final = 64
"""One IPv6 subscriber has 2^64 addresses (RFC 6177): they are one client."""

_log = get_logger(__name__)


class RateLimits:
    """Counts in moving windows of one minute. ``redis`` None counts in this process alone."""

    def __init__(self, *, per_minute: int, redis: Redis | None) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._here = MovingWindowRateLimiter(MemoryStorage())
        self._shared = None if redis is None else _shared(redis)
        self._redis_again_at = 0.0

    async def spend(self, what: str, who: str) -> None:
        """Count one ``what`` (a question, say) of ``who``.

        Raises RateLimitedError, with the seconds until the oldest one counted is a minute old.
        """
        # Digests: an address is personal, and what callers send has no place in a key.
        identity = sha256(who.encode("utf-8", "replace")).hexdigest()[:32]
        wait_s = await self._wait_s(what, identity)
        if wait_s is not None:
            message = f"Too many requests; at most {self._limit.amount} a minute. Please wait {wait_s:.0f} s"
            raise RateLimitedError(message, retry_after_s=wait_s)

    async def _wait_s(self, what: str, identity: str) -> float | None:
        if self._shared is not None and time.monotonic() >= self._redis_again_at:
            try:
                async with asyncio.timeout(_REDIS_TIMEOUT_S):
                    return await self._hit(self._shared, what, identity)
            except (RedisError, ServiceUnavailableError, OSError) as error:  # OSError: TimeoutError is one
                self._redis_again_at = time.monotonic() + _REDIS_PAUSE_S
                _log.warning("rate_limits_counted_here", because=type(error).__name__, for_s=_REDIS_PAUSE_S)
        return await self._hit(self._here, what, identity)

    async def _hit(self, limiter: MovingWindowRateLimiter, what: str, identity: str) -> float | None:
        """None when there was room, else the seconds to wait."""
        if await limiter.hit(self._limit, what, identity):
            return None
        window = await limiter.get_window_stats(self._limit, what, identity)
        return max(1.0, window.reset_time - time.time())


def client_address(request: Request) -> str:
    """The peer's address (a proxy's client's, where the server trusts the proxy); IPv6 by its /64."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), _IPV6_SITE_BITS), strict=False))
    return str(address)


def _shared(redis: Redis) -> MovingWindowRateLimiter:
    # The address is not used: the connections are the pool's that is handed in.
    storage = RedisStorage(
        "async+redis://pool:6379",
        implementation="redispy",
        key_prefix=RATE_LIMIT_PREFIX,
        connection_pool=redis.connection_pool,  # type: ignore[arg-type]  # passed on as is; typed for plain options
    )
    return MovingWindowRateLimiter(storage)

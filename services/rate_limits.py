"""``RateLimits``: how often somebody may do something: a moving window in Redis, or here while Redis is away."""

from __future__ import annotations

import asyncio
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

__all__ = ["RateLimits"]

_REDIS_TIMEOUT_S: Final = 0.5
"""A limit is no reason to keep anybody waiting."""

_REDIS_PAUSE_S: Final = 5.0
"""After a failure Redis is left alone this long, so that an outage costs one wait, not one a request."""

_log = get_logger(__name__)


class RateLimits:
    """Counts in moving windows of one minute. ``redis`` None counts in this process alone."""

    def __init__(self, *, per_minute: int, redis: Redis | None) -> None:
        self._per_minute = per_minute
        self._here = MovingWindowRateLimiter(MemoryStorage())
        self._shared = None if redis is None else _shared(redis)
        self._redis_again_at = 0.0

    async def spend(self, what: str, who: str, *, per_minute: int | None = None) -> None:
        """Count one ``what`` (a question, say) of ``who``; ``per_minute`` is for what has a limit of its own.

        Raises RateLimitedError, with the seconds until the oldest one counted is a minute old.
        """
        limit = RateLimitItemPerMinute(per_minute or self._per_minute)
        # Digests: an address is personal, and what callers send has no place in a key.
        identity = sha256(who.encode("utf-8", "replace")).hexdigest()[:32]
        wait_s = await self._wait_s(limit, what, identity)
        if wait_s is not None:
            message = f"Too many requests; at most {limit.amount} a minute. Please wait {wait_s:.0f} s"
            raise RateLimitedError(message, retry_after_s=wait_s)

    async def _wait_s(self, limit: RateLimitItemPerMinute, what: str, identity: str) -> float | None:
        if self._shared is not None and time.monotonic() >= self._redis_again_at:
            try:
                async with asyncio.timeout(_REDIS_TIMEOUT_S):
                    return await _hit(self._shared, limit, what, identity)
            except (RedisError, ServiceUnavailableError, OSError) as error:  # OSError: TimeoutError is one
                self._redis_again_at = time.monotonic() + _REDIS_PAUSE_S
                _log.warning("rate_limits_counted_here", because=type(error).__name__, for_s=_REDIS_PAUSE_S)
        return await _hit(self._here, limit, what, identity)


async def _hit(
    limiter: MovingWindowRateLimiter, limit: RateLimitItemPerMinute, what: str, identity: str
) -> float | None:
    """None when there was room, else the seconds to wait."""
    if await limiter.hit(limit, what, identity):
        return None
    window = await limiter.get_window_stats(limit, what, identity)
    return max(1.0, window.reset_time - time.time())


def _shared(redis: Redis) -> MovingWindowRateLimiter:
    # The address is not used: the connections are the pool's that is handed in.
    storage = RedisStorage(
        "async+redis://pool:6379",
        implementation="redispy",
        key_prefix=RATE_LIMIT_PREFIX,
        connection_pool=redis.connection_pool,  # type: ignore[arg-type]  # passed on as is; typed for plain options
    )
    return MovingWindowRateLimiter(storage)

"""The rows that are watched for late writes, kept in Redis.

Each is tended by one process, and adopted by another where that one ends.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from services import redis_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.redis import RedisClient

__all__ = ["WatchedRows"]

# KEYS: watched rows. ARGV: now, tended until (Unix s), how many. Returns the messages whose process is silent; from
# now on they are the caller's.
_ADOPT = """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, message in ipairs(found) do redis.call('ZADD', KEYS[1], ARGV[2], message) end
return found
"""


class WatchedRows:
    """Messages whose answers' rows are watched. All calls raise ServiceUnavailableError without Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._adopt = redis.register_script(_ADOPT)

    async def tend(self, message_ids: Iterable[str]) -> None:
        """Say that this process looks after these rows, for the next WATCHED_ROWS_TENDED_S."""
        until = time.time() + redis_keys.WATCHED_ROWS_TENDED_S
        await self._note(dict.fromkeys(message_ids, until))

    async def adopt(self, at_most: int) -> list[str]:
        """Take over what nobody tends any more: the messages, ``at_most`` of them."""
        if at_most <= 0:
            return []
        now = time.time()
        found: list[Any] = await self._adopt(
            keys=[redis_keys.WATCHED_ROWS], args=[now, now + redis_keys.WATCHED_ROWS_TENDED_S, at_most]
        )
        return [message_id.decode() for message_id in found]

    async def let_go(self, message_ids: Iterable[str]) -> None:
        """Watch these rows no more: they have stood still."""
        wanted = list(message_ids)
        if wanted:
            await self._redis.zrem(redis_keys.WATCHED_ROWS, *wanted)

    async def hand_over(self, message_ids: Iterable[str]) -> None:
        """Leave these rows to whoever looks next."""
        await self._note(dict.fromkeys(message_ids, 0.0))

    async def _note(self, until: dict[str, float]) -> None:
        if not until:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(redis_keys.WATCHED_ROWS, until)
            pipe.expire(redis_keys.WATCHED_ROWS, redis_keys.TURN_FREE_TTL_S)
            await pipe.execute()

"""The rows that are watched for late writes, in Redis: how they have to stand, and who looks after them.

Directus does a write whenever it does it, also behind those that followed. So who knows that one may still come leaves
here how a turn's rows have to stand; workers compare them (``worker/late_writes.py``). Each turn is tended by one
process, and adopted by another where that one ends.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from services import redis_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.directus.client import Row
    from services.redis import RedisClient

__all__ = ["WatchedRows"]

# KEYS: watched rows. ARGV: now, tended until (Unix s), how many. Returns the messages whose process is silent; from
# now on they are the caller's.
_ADOPT = """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, message in ipairs(found) do redis.call('ZADD', KEYS[1], ARGV[2], message) end
return found
"""


# KEYS: watched rows. ARGV: messages, each with the score that it must still have.
_LET_GO = """
for i = 1, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) == tonumber(ARGV[i + 1]) then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return 1
"""


class WatchedRows:
    """Turns whose rows are watched, by the ids of their messages.

    All calls raise ServiceUnavailableError without Redis.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._adopt = redis.register_script(_ADOPT)
        self._let_go = redis.register_script(_LET_GO)

    async def expect(self, message_id: str, rows: Sequence[Row]) -> None:
        """Have a turn's rows watched, the answer's first, with its ``seq``: so they stand until a later turn ends.

        No rows: the message is covered by another's answer, and is to have none of its own.
        """
        await self._redis.set(redis_keys.turn_rows(message_id), json.dumps(rows), ex=redis_keys.TURN_FREE_TTL_S)
        await self.hand_over([message_id])

    async def expect_also(self, message_id: str, rows: Sequence[Row]) -> None:
        """The same where Redis was silent at the turn's end; what a later turn has left stays."""
        key = redis_keys.turn_rows(message_id)
        await self._redis.set(key, json.dumps(rows), ex=redis_keys.TURN_FREE_TTL_S, nx=True)

    async def expected(self, message_ids: Sequence[str]) -> dict[str, list[Row]]:
        """By message, the rows as they have to stand, the answer's first; one round trip."""
        if not message_ids:
            return {}
        found: list[Any] = await self._redis.mget([redis_keys.turn_rows(message_id) for message_id in message_ids])
        return {
            message_id: json.loads(rows)
            for message_id, rows in zip(message_ids, found, strict=True)
            if rows is not None
        }

    async def tend(self, message_ids: Iterable[str]) -> float:
        """Say that this process looks after these rows, until the time that is returned (Unix s)."""
        until = time.time() + redis_keys.WATCHED_ROWS_TENDED_S
        await self._note(dict.fromkeys(message_ids, until))
        return until

    async def adopt(self, at_most: int) -> list[str]:
        """Take over what nobody tends any more: the messages, ``at_most`` of them."""
        if at_most <= 0:
            return []
        now = time.time()
        found: list[Any] = await self._adopt(
            keys=[redis_keys.WATCHED_ROWS], args=[now, now + redis_keys.WATCHED_ROWS_TENDED_S, at_most]
        )
        return [message_id.decode() for message_id in found]

    async def let_go(self, tended: Mapping[str, float]) -> None:
        """Watch these rows no more, as they were ``tended`` last; one that somebody has named anew since stays."""
        if tended:
            await self._let_go(keys=[redis_keys.WATCHED_ROWS], args=[word for pair in tended.items() for word in pair])

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

"""Turns in Redis: the state that is saved between steps, and what is left of a turn at its end."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from services import redis_keys
from services.logging import get_logger
from services.turn_leases import IS_OURS
from worker.turn import Turn, UnknownTurnVersionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.redis import RedisClient
    from services.turn_leases import Claim

__all__ = ["ClaimLostError", "TurnStore", "read_turns"]

log = get_logger(__name__)

# KEYS: lease, attempts, turn. ARGV: claim, saved turn, lifetime in ms. Returns 1, or 0 if the claim is lost.
_SAVE = f"""{IS_OURS}
if not is_ours(KEYS[1], KEYS[2], ARGV[1]) then return 0 end
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
return 1
"""

# KEYS: lease, attempts, turn, its rows, watched rows. ARGV: claim, free mark, its lifetime in ms, the rows or '',
# message id, until when its row is tended (Unix s). Forgets the turn if it is ours, and returns 1, also when it is
# tried again because the first reply was lost; 0 if it is another's.
_FINISH = f"""{IS_OURS}
if redis.call('GET', KEYS[1]) == ARGV[2] then return 1 end
if not is_ours(KEYS[1], KEYS[2], ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2], KEYS[3])
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[4], ARGV[4], 'PX', ARGV[3])
  redis.call('ZADD', KEYS[5], ARGV[6], ARGV[5])
  redis.call('PEXPIRE', KEYS[5], ARGV[3])
end
return 1
"""


class ClaimLostError(Exception):
    """Another attempt holds the turn."""


class TurnStore:
    """Saved turns. All calls raise ServiceUnavailableError without Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._save = redis.register_script(_SAVE)
        self._finish = redis.register_script(_FINISH)

    async def load(self, message_id: str) -> Turn | None:
        """The saved turn, or None if there is none that this version can read."""
        saved: Any = await self._redis.get(redis_keys.turn(message_id))
        if saved is None:
            return None
        try:
            return Turn.load(saved)
        except UnknownTurnVersionError as error:
            log.warning("turn.unreadable", message_id=message_id, reason=str(error))
            return None

    async def save(self, turn: Turn, claim: Claim) -> None:
        """Save a turn.

        Raises ClaimLostError if a later attempt holds it.
        """
        saved = await self._save(
            keys=[*claim.keys, redis_keys.turn(turn.message_id)],
            args=[claim.value, turn.model_dump_json(), redis_keys.TURN_TTL_S * 1000],
        )
        if not saved:
            raise ClaimLostError(turn.message_id)

    async def finish(self, claim: Claim, last_row: Mapping[str, Any] | None = None) -> bool:
        """Forget the turn, and leave a mark that refuses whoever sleeps through this; False if another attempt has it.

        ``last_row`` is kept as long: the answer's last write, for where a late one may come behind it. From then on
        its row counts as watched (``services/watched_rows.py``), whatever becomes of this process.
        """
        ended = await self._finish(
            keys=[
                *claim.keys,
                redis_keys.turn(claim.message_id),
                redis_keys.turn_rows(claim.message_id),
                redis_keys.WATCHED_ROWS,
            ],
            args=[
                claim.value,
                claim.free_mark,
                redis_keys.TURN_FREE_TTL_S * 1000,
                json.dumps([last_row]) if last_row else "",
                claim.message_id,
                time.time() + redis_keys.WATCHED_ROWS_TENDED_S,
            ],
        )
        return bool(ended)


async def read_turns(redis: RedisClient) -> list[Turn]:
    """All saved turns that this version can read, for whoever wants to see what is in flight."""
    keys = [key async for key in redis.scan_iter(match=redis_keys.turn("*"), count=1000)]
    saved = await redis.mget(keys) if keys else []
    turns = []
    for each in saved:
        if each is not None:
            try:
                turns.append(Turn.load(each))
            except UnknownTurnVersionError:
                continue
    return turns

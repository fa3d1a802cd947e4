"""Turns in Redis: the saved state, and the claim that says which attempt may write.

A claim is ``<attempt>:<token>`` under the turn's lease key. While its holder renews the lease, nobody
else gets the turn. Once it has lapsed or was given back, a new claim takes its place in one step, and
every save of an older one is refused: two workers never write the same turn, also when one of them
slept through its lease.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from services import redis_keys
from services.logging import get_logger
from worker.turn import Turn, UnknownTurnVersionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.redis import RedisClient

__all__ = ["Claim", "ClaimLostError", "TurnStore", "read_turns"]

log = get_logger(__name__)

# KEYS: lease. ARGV: token, lease in ms, least attempt, done mark. Returns the attempt number, or 0 if a live worker
# holds the turn. One that has ended may be begun again (a regeneration), past the attempt that ended it.
_CLAIM = """
local held = redis.call('GET', KEYS[1])
local attempt = tonumber(ARGV[3])
if held then
  local last, holder = string.match(held, '^(%d+):(.*)$')
  if holder ~= ARGV[4] then return 0 end
  attempt = math.max(attempt, tonumber(last) + 1)
end
redis.call('SET', KEYS[1], attempt .. ':' .. ARGV[1], 'PX', ARGV[2])
return attempt
"""

# KEYS: lease, turn. ARGV: claim, saved turn, lifetime in ms. Returns 1, or 0 if the claim is lost.
# A lease that is simply gone (Redis was emptied) is still ours to save under.
_SAVE = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
"""

# KEYS: lease, turn, last row. ARGV: claim, done mark, its lifetime in ms, the last row or ''. Forgets the turn if
# it is ours, and returns 1; 0 if it is another's.
_FINISH = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if ARGV[4] ~= '' then redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[3]) end
redis.call('DEL', KEYS[2])
return 1
"""

# KEYS: lease. ARGV: claim, lease in ms. Returns 1 if it is ours (again), 0 if another's.
_RENEW = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# KEYS: lease. ARGV: claim.
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


class ClaimLostError(Exception):
    """Another attempt holds the turn."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one turn, until a later attempt takes it."""

    message_id: str
    attempt: int
    token: str

    @property
    def value(self) -> str:
        """What stands under the lease key while the claim holds."""
        return f"{self.attempt}:{self.token}"


class TurnStore:
    """Saved turns and their claims."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._claim = redis.register_script(_CLAIM)
        self._save = redis.register_script(_SAVE)
        self._finish = redis.register_script(_FINISH)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    async def claim(self, message_id: str, *, least_attempt: int = 1) -> Claim | None:
        """Take a turn up, None while a live worker holds it; whoever held it before is refused from now on."""
        token = uuid4().hex
        attempt = await self._claim(
            keys=[redis_keys.turn_lease(message_id)],
            args=[token, redis_keys.TURN_LEASE_TTL_S * 1000, least_attempt, redis_keys.TURN_DONE_MARK],
        )
        return Claim(message_id, int(attempt), token) if attempt else None

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
            keys=[redis_keys.turn_lease(turn.message_id), redis_keys.turn(turn.message_id)],
            args=[claim.value, turn.model_dump_json(), redis_keys.TURN_TTL_S * 1000],
        )
        if not saved:
            raise ClaimLostError(turn.message_id)

    async def renew(self, claims: Iterable[Claim]) -> dict[str, bool]:
        """Prolong many claims in one round trip; by message id, whether each still holds."""
        wanted = list(claims)
        async with self._redis.pipeline(transaction=False) as pipe:
            for claim in wanted:
                await self._renew(
                    keys=[redis_keys.turn_lease(claim.message_id)],
                    args=[claim.value, redis_keys.TURN_LEASE_TTL_S * 1000],
                    client=pipe,
                )
            held = await pipe.execute()
        return {claim.message_id: bool(ours) for claim, ours in zip(wanted, held, strict=True)}

    async def holding(self, claims: Iterable[Claim]) -> dict[str, bool]:
        """By message id, whether each claim still holds; one round trip, changes nothing.

        A lease that is gone (it lapsed, or Redis was emptied) has no other holder.
        """
        wanted = list(claims)
        found = await self._redis.mget([redis_keys.turn_lease(claim.message_id) for claim in wanted])
        return {
            claim.message_id: held is None or held.decode() == claim.value
            for claim, held in zip(wanted, found, strict=True)
        }

    async def held_among(self, message_ids: Sequence[str]) -> set[str]:
        """Those of the turns that some live worker holds; one round trip."""
        if not message_ids:
            return set()
        found = await self._redis.mget([redis_keys.turn_lease(message_id) for message_id in message_ids])
        done = f":{redis_keys.TURN_DONE_MARK}".encode()
        return {
            message_id
            for message_id, held in zip(message_ids, found, strict=True)
            if held is not None and not held.endswith(done)
        }

    async def finish(self, claim: Claim, last_row: Mapping[str, Any] | None = None) -> bool:
        """Forget the turn, and leave a mark that refuses whoever sleeps through this; False if another attempt has it.

        ``last_row`` is kept as long: the answer's last write, for where a late one may come behind it.
        """
        ended = await self._finish(
            keys=[
                redis_keys.turn_lease(claim.message_id),
                redis_keys.turn(claim.message_id),
                redis_keys.turn_last_row(claim.message_id),
            ],
            args=[
                claim.value,
                f"{claim.attempt}:{redis_keys.TURN_DONE_MARK}",
                redis_keys.TURN_DONE_TTL_S * 1000,
                json.dumps(last_row) if last_row else "",
            ],
        )
        return bool(ended)

    async def last_row(self, message_id: str) -> dict[str, Any] | None:
        """The last write of a turn that was taken up and has ended, None for any other."""
        kept: Any = await self._redis.get(redis_keys.turn_last_row(message_id))
        row: dict[str, Any] | None = json.loads(kept) if kept is not None else None
        return row

    async def release(self, claim: Claim) -> None:
        """Give the claim back, keep the saved turn: another worker goes on at once."""
        await self._release(keys=[redis_keys.turn_lease(claim.message_id)], args=[claim.value])


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

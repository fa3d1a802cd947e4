"""Leases of turns: the claim that says which attempt may write, for worker and receiver alike.

A claim is ``<attempt>:<token>`` under the turn's lease key. While its holder renews the lease, nobody else gets the
turn. Once it has lapsed or was given back, a new claim takes its place in one step, and every write of an older one is
refused: two never write the same answer, also when one of them slept through its lease.

Attempts are counted beside the lease, so that a holder's death is not forgotten with it: who takes a turn up knows
that others were at it, and may have something on its way still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from services import redis_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.redis import RedisClient

__all__ = ["IS_OURS", "Claim", "LineTakenError", "TurnLeases"]

IS_OURS = """
local function is_ours(lease, attempts, claim)
  local held = redis.call('GET', lease)
  if held then return held == claim end
  return tonumber(redis.call('GET', attempts) or 0) <= tonumber(string.match(claim, '^%d+'))
end
"""
"""Lua, for the head of a script that writes under a claim.

A lease that is simply gone is ours still, if nobody took the turn since: it lapsed, or Redis was emptied.
"""

# KEYS: lease, attempts, and the conversation's lock where the turn needs it. ARGV: token, lease in ms, least attempt,
# free mark, the count's lifetime in ms, message id, lock in ms. Returns the attempt's number, 0 if somebody alive
# holds the turn, -1 if another message has the conversation. A free turn may be begun again (a regeneration).
_CLAIM = """
local held = redis.call('GET', KEYS[1])
local before = tonumber(redis.call('GET', KEYS[2]) or 0)
if held then
  local last, holder = string.match(held, '^(%d+):(.*)$')
  if holder == ARGV[1] then return tonumber(last) end
  if string.sub(held, -#ARGV[4]) ~= ARGV[4] then return 0 end
  before = math.max(before, tonumber(last))
end
if KEYS[3] then
  local first = redis.call('GET', KEYS[3])
  if first and first ~= ARGV[6] then return -1 end
  redis.call('SET', KEYS[3], ARGV[6], 'PX', ARGV[7])
end
local attempt = math.max(tonumber(ARGV[3]), before + 1)
redis.call('SET', KEYS[1], attempt .. ':' .. ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], attempt, 'PX', ARGV[5])
return attempt
"""

# KEYS: lease, attempts. ARGV: claim, lease in ms. Returns 1 if it is ours (again), 0 if another's.
_RENEW = f"""{IS_OURS}
if not is_ours(KEYS[1], KEYS[2], ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# KEYS: lease, attempts. ARGV: claim, the last attempt that counts, free mark, its lifetime in ms. The mark, with that
# number, refuses who slept through this; where no attempt counts nobody could have.
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[1], ARGV[2] .. ARGV[3], 'PX', ARGV[4]) end
return 1
"""

# KEYS: lease, attempts. ARGV: free mark, its lifetime in ms. Returns -1 if somebody alive has the turn, else how many
# attempts may have something on their way still: all, but for the last where it has ended or given the turn back.
_FENCE = """
local held = redis.call('GET', KEYS[1])
if held then
  if string.sub(held, -#ARGV[1]) ~= ARGV[1] then return -1 end
  return math.max(tonumber(string.match(held, '^%d+')) - 1, 0)
end
local attempts = tonumber(redis.call('GET', KEYS[2]) or 0)
redis.call('SET', KEYS[1], attempts .. ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return attempts
"""


class LineTakenError(Exception):
    """Another message of the conversation is being answered."""


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

    @property
    def keys(self) -> list[str]:
        """The keys of the lease and of the count of attempts, for scripts."""
        return _keys(self.message_id)

    @property
    def free_mark(self) -> str:
        """What stands there when the claim was given back, or its turn has ended."""
        return f"{self.value}{redis_keys.TURN_FREE_MARK}"


class TurnLeases:
    """Who has which turn. All calls raise ServiceUnavailableError without Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._claim = redis.register_script(_CLAIM)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)
        self._fence = redis.register_script(_FENCE)

    async def claim(
        self,
        message_id: str,
        *,
        conversation_id: str | None = None,
        least_attempt: int = 1,
        lease_s: float = redis_keys.TURN_LEASE_TTL_S,
    ) -> Claim | None:
        """Take a turn, None while somebody alive holds it; whoever held it before is refused from now on.

        With a ``conversation_id`` its line is taken in the same step, as it was entered before.

        Raises LineTakenError if another message has come to have it meanwhile.
        """
        token = uuid4().hex
        line = [redis_keys.conversation_lock(conversation_id)] if conversation_id else []
        attempt = await self._claim(
            keys=[*_keys(message_id), *line],
            args=[
                token,
                round(lease_s * 1000),
                least_attempt,
                redis_keys.TURN_FREE_MARK,
                redis_keys.TURN_FREE_TTL_S * 1000,
                message_id,
                redis_keys.CONVERSATION_LOCK_TTL_S * 1000,
            ],
        )
        if attempt < 0:
            raise LineTakenError(message_id)
        return Claim(message_id, int(attempt), token) if attempt else None

    async def renew(self, claims: Iterable[Claim], *, lease_s: float = redis_keys.TURN_LEASE_TTL_S) -> dict[str, bool]:
        """Prolong many claims in one round trip; by message id, whether each still holds."""
        wanted = list(claims)
        async with self._redis.pipeline(transaction=False) as pipe:
            for claim in wanted:
                await self._renew(
                    keys=claim.keys,
                    args=[claim.value, round(lease_s * 1000)],
                    client=pipe,
                )
            held = await pipe.execute()
        return {claim.message_id: bool(ours) for claim, ours in zip(wanted, held, strict=True)}

    async def holding(self, claims: Iterable[Claim]) -> dict[str, bool]:
        """By message id, whether each claim still holds; changes nothing. One round trip, two where a lease is gone."""
        wanted = list(claims)
        found = await self._redis.mget([redis_keys.turn_lease(claim.message_id) for claim in wanted])
        holds = {
            claim.message_id: held is not None and held.decode() == claim.value
            for claim, held in zip(wanted, found, strict=True)
        }
        unheld = [claim for claim, held in zip(wanted, found, strict=True) if held is None]
        if unheld:
            counts = await self._redis.mget([redis_keys.turn_attempts(claim.message_id) for claim in unheld])
            holds |= {claim.message_id: int(n or 0) <= claim.attempt for claim, n in zip(unheld, counts, strict=True)}
        return holds

    async def held_among(self, message_ids: Sequence[str]) -> set[str]:
        """Those of the turns that somebody alive holds; one round trip."""
        if not message_ids:
            return set()
        found = await self._redis.mget([redis_keys.turn_lease(message_id) for message_id in message_ids])
        free = redis_keys.TURN_FREE_MARK.encode()
        return {
            message_id
            for message_id, held in zip(message_ids, found, strict=True)
            if held is not None and not held.endswith(free)
        }

    async def release(self, claim: Claim, *, is_untouched: bool = False) -> None:
        """Give the claim back: another goes on at once.

        ``is_untouched`` says that nothing was written under it: then it does not count as an attempt.
        """
        await self._release(
            keys=claim.keys,
            args=[
                claim.value,
                claim.attempt - 1 if is_untouched else claim.attempt,
                redis_keys.TURN_FREE_MARK,
                redis_keys.TURN_FREE_TTL_S * 1000,
            ],
        )

    async def fence(self, message_ids: Sequence[str]) -> dict[str, int | None]:
        """Refuse whoever had these turns and is not alive: another answer is to cover their messages.

        By message, how many attempts may still have a write on its way; None where somebody alive has the turn.
        """
        async with self._redis.pipeline(transaction=False) as pipe:
            for message_id in message_ids:
                await self._fence(
                    keys=_keys(message_id),
                    args=[redis_keys.TURN_FREE_MARK, redis_keys.TURN_FREE_TTL_S * 1000],
                    client=pipe,
                )
            found: list[int] = await pipe.execute()
        return {
            message_id: attempts if attempts >= 0 else None
            for message_id, attempts in zip(message_ids, found, strict=True)
        }


def _keys(message_id: str) -> list[str]:
    return [redis_keys.turn_lease(message_id), redis_keys.turn_attempts(message_id)]

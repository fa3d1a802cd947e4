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

__all__ = ["IS_OURS", "Claim", "TurnLeases"]

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

# KEYS: lease, attempts. ARGV: token, lease in ms, least attempt, free mark, the count's lifetime in ms. Returns the
# attempt's number, or 0 if somebody alive holds the turn. A free one may be begun again (a regeneration).
_CLAIM = """
local held = redis.call('GET', KEYS[1])
local before = tonumber(redis.call('GET', KEYS[2]) or 0)
if held then
  local last, holder = string.match(held, '^(%d+):(.*)$')
  if holder ~= ARGV[4] then return 0 end
  before = math.max(before, tonumber(last))
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
if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[1], ARGV[2] .. ':' .. ARGV[3], 'PX', ARGV[4]) end
return 1
"""


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
        return f"{self.attempt}:{redis_keys.TURN_FREE_MARK}"


class TurnLeases:
    """Who has which turn. All calls raise ServiceUnavailableError without Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._claim = redis.register_script(_CLAIM)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    async def claim(
        self, message_id: str, *, least_attempt: int = 1, lease_s: float = redis_keys.TURN_LEASE_TTL_S
    ) -> Claim | None:
        """Take a turn, None while somebody alive holds it; whoever held it before is refused from now on."""
        token = uuid4().hex
        attempt = await self._claim(
            keys=_keys(message_id),
            args=[
                token,
                round(lease_s * 1000),
                least_attempt,
                redis_keys.TURN_FREE_MARK,
                redis_keys.TURN_FREE_TTL_S * 1000,
            ],
        )
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
        free = f":{redis_keys.TURN_FREE_MARK}".encode()
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


def _keys(message_id: str) -> list[str]:
    return [redis_keys.turn_lease(message_id), redis_keys.turn_attempts(message_id)]

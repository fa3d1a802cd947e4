"""The line of a conversation: one live answer at a time, in the order the questions came.

A turn enters the line before it begins. If another turn of the conversation is live, the newcomer
is noted as waiting and its job ends: it holds no worker slot. The live turn sees the note: if it
has shown nothing yet, it gives way, and the newest waiting message's turn answers for all; if it
has, the newest waiting turn is started when it is done. Both ways a burst gets one answer.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from services import redis_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.redis import RedisClient

__all__ = ["ConversationLine", "Kept", "Place", "parse_newest"]

# KEYS: lock, waiting, newest. ARGV: message id, asked at (s), lock ms, waiting ms. Returns the holder or ''.
_ENTER = """
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
  redis.call('ZREM', KEYS[2], ARGV[1])
  return ''
end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
redis.call('SET', KEYS[3], newest[2] .. ' ' .. newest[1], 'PX', ARGV[4])
return holder
"""

# KEYS: lock, waiting, newest, turn lease. ARGV: message id, free mark. Returns the newest waiting message or ''.
# Who lost his turn to another worker frees nothing: the place in the line is that one's now.
_LEAVE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return '' end
local lease = redis.call('GET', KEYS[4])
if lease and string.sub(lease, -#ARGV[2]) ~= ARGV[2] then return '' end
local newest = redis.call('ZRANGE', KEYS[2], -1, -1)
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return newest[1] or ''
"""

# KEYS: lock, turn lease. ARGV: message id, lock ms, claim. A lock that is gone (Redis was emptied) is taken
# again, but only by a turn whose claim holds: one that has just ended must not lock out who comes after it.
_KEEP = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if not holder and redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return holder and 1 or 2
"""

# KEYS: lock. ARGV: message id, lock ms. Returns 1 if the line is the message's now. That it was so all the time only
# a claim that still holds says: it may have lapsed, been another's, and been entered again under this message.
_STILL = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


class Kept(IntEnum):
    """What has become of a turn's place in the line."""

    LOST = 0
    """Another message has the line."""
    HELD = 1
    RETAKEN = 2
    """Nobody had it (Redis was emptied): it is the turn's again, and others may have come and gone meanwhile."""


class Place:
    """Where a message stands: its conversation, its id, and when it was asked (Unix seconds)."""

    __slots__ = ("asked_at", "conversation_id", "message_id")

    def __init__(self, conversation_id: str, message_id: str, asked_at: float) -> None:
        self.conversation_id = conversation_id
        self.message_id = message_id
        self.asked_at = asked_at


class ConversationLine:
    """Who of a conversation's messages is being answered, and who waits."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._enter = redis.register_script(_ENTER)
        self._leave = redis.register_script(_LEAVE)
        self._keep = redis.register_script(_KEEP)
        self._still = redis.register_script(_STILL)

    async def enter(self, place: Place) -> bool:
        """Whether the turn may begin now; if not, it is noted as waiting."""
        holder = await self._enter(
            keys=_keys(place.conversation_id),
            args=[
                place.message_id,
                place.asked_at,
                redis_keys.CONVERSATION_LOCK_TTL_S * 1000,
                redis_keys.CONVERSATION_TTL_S * 1000,
            ],
        )
        return not _text(holder)

    async def leave(self, place: Place) -> str | None:
        """Free the line, if no live worker has the turn; the id of the newest message that waited, to be begun now."""
        keys = [*_keys(place.conversation_id), redis_keys.turn_lease(place.message_id)]
        newest = _text(await self._leave(keys=keys, args=[place.message_id, redis_keys.TURN_FREE_MARK]))
        return newest or None

    async def waiting_among(self, messages: Sequence[tuple[str, str]]) -> set[str]:
        """Of messages, each given as conversation and message id, those that wait behind a live turn."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for conversation_id, message_id in messages:
                pipe.exists(redis_keys.conversation_lock(conversation_id))
                pipe.zscore(redis_keys.conversation_waiting(conversation_id), message_id)
            found = await pipe.execute()
        return {
            message_id
            for (_, message_id), is_taken, place in zip(messages, found[::2], found[1::2], strict=True)
            if is_taken and place is not None
        }

    async def still_has(self, place: Place) -> bool:
        """Whether the line is the message's now; prolongs its place then."""
        lock = redis_keys.conversation_lock(place.conversation_id)
        return bool(await self._still(keys=[lock], args=[place.message_id, redis_keys.CONVERSATION_LOCK_TTL_S * 1000]))

    async def keep(self, held: Sequence[tuple[Place, str]]) -> list[Kept]:
        """Prolong live turns' locks, each with its claim as it stands under the turn's lease."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for place, claim in held:
                await self._keep(
                    keys=[redis_keys.conversation_lock(place.conversation_id), redis_keys.turn_lease(place.message_id)],
                    args=[place.message_id, redis_keys.CONVERSATION_LOCK_TTL_S * 1000, claim],
                    client=pipe,
                )
            return [Kept(kept) for kept in await pipe.execute()]


def parse_newest(note: bytes | str) -> tuple[float, str]:
    """When the newest waiting message was asked, and its id."""
    asked_at, message_id = _text(note).split(" ", 1)
    return float(asked_at), message_id


def _keys(conversation_id: str) -> list[str]:
    return [
        redis_keys.conversation_lock(conversation_id),
        redis_keys.conversation_waiting(conversation_id),
        redis_keys.conversation_newest(conversation_id),
    ]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value

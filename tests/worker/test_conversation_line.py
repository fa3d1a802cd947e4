"""The line of a conversation: who may begin, who waits, and that nobody is locked out by who has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services import redis_keys
from services.redis import connect_redis
from services.turn_leases import TurnLeases
from worker.conversation_line import ConversationLine, Place
from worker.turn_store import TurnStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.redis import RedisClient

FIRST, SECOND = Place("talk", "first", 1.0), Place("talk", "second", 2.0)


@pytest.fixture
async def redis() -> AsyncIterator[RedisClient]:
    client = connect_redis("embedded://")
    yield client
    await client.aclose()


async def test_a_turn_that_has_just_left_is_not_put_back_by_the_watch(redis: RedisClient) -> None:
    """The watch prolongs the lock of a turn that ends in this very moment: whoever waited begins all the same."""
    line, leases = ConversationLine(redis), TurnLeases(redis)
    assert await line.enter(FIRST)
    claim = await leases.claim("first")
    assert claim is not None
    assert not await line.enter(SECOND)
    await TurnStore(redis).finish(claim)
    assert await line.leave(FIRST) == "second"
    await leases.renew([claim])
    await line.keep([(FIRST, claim.value)])
    assert await line.enter(SECOND)


async def test_a_lock_that_redis_lost_is_taken_again_by_the_live_turn(redis: RedisClient) -> None:
    """After Redis was emptied the live turn still has the line to itself."""
    line, leases = ConversationLine(redis), TurnLeases(redis)
    assert await line.enter(FIRST)
    claim = await leases.claim("first")
    assert claim is not None
    await redis.flushall()
    await leases.renew([claim])
    await line.keep([(FIRST, claim.value)])
    assert not await line.enter(SECOND)


async def test_a_kept_lock_lives_on(redis: RedisClient) -> None:
    """Each renewal gives the lock its whole time again."""
    line, leases = ConversationLine(redis), TurnLeases(redis)
    await line.enter(FIRST)
    claim = await leases.claim("first")
    assert claim is not None
    await redis.pexpire(redis_keys.conversation_lock("talk"), 100)
    await line.keep([(FIRST, claim.value)])
    assert await redis.pttl(redis_keys.conversation_lock("talk")) > 1000


async def test_who_lost_his_turn_does_not_free_its_line(redis: RedisClient) -> None:
    """He wakes from a pause and leaves, while another worker goes on with the same message: nobody is let in."""
    line, leases = ConversationLine(redis), TurnLeases(redis)
    assert await line.enter(FIRST)
    lost = await leases.claim("first")
    assert lost is not None
    await redis.delete(redis_keys.turn_lease("first"))
    held = await leases.claim("first")
    assert held is not None
    assert not await line.enter(SECOND)
    await TurnStore(redis).finish(lost)
    assert await line.leave(FIRST) is None
    assert not await line.enter(SECOND)
    await TurnStore(redis).finish(held)
    assert await line.leave(FIRST) == "second"

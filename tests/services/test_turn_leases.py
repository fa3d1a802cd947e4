"""Who has a turn keeps it while he lives, and who comes after him knows that he was there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services import redis_keys
from services.redis import connect_redis
from services.turn_leases import Claim, LineTakenError, TurnLeases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.redis import RedisClient


@pytest.fixture
async def redis() -> AsyncIterator[RedisClient]:
    client = connect_redis("embedded://")
    yield client
    await client.aclose()


@pytest.fixture
def leases(redis: RedisClient) -> TurnLeases:
    return TurnLeases(redis)


async def taken(leases: TurnLeases, message_id: str = "m") -> Claim:
    claim = await leases.claim(message_id)
    assert claim is not None
    return claim


async def lapse(redis: RedisClient) -> None:
    """What 5 s without a renewal do: the holder was killed, or stands still."""
    await redis.delete(redis_keys.turn_lease("m"))


async def test_a_turn_whose_holder_lives_is_nobody_elses(leases: TurnLeases) -> None:
    """A hook that is repeated after Redis was emptied steals no healthy turn, and pays none again."""
    first = await taken(leases)
    assert await leases.claim("m") is None
    assert await leases.holding([first]) == {"m": True}
    assert await leases.held_among(["m", "another"]) == {"m"}


async def test_a_lease_that_lapsed_or_was_given_back_is_free(redis: RedisClient, leases: TurnLeases) -> None:
    first = await taken(leases)
    await lapse(redis)
    second = await taken(leases)
    assert await leases.holding([first]) == {"m": False}
    await leases.release(first)
    assert await leases.claim("m") is None, "who lost it gives nothing back"
    await leases.release(second)
    assert await leases.held_among(["m"]) == set()
    assert (await taken(leases)).attempt == 3


async def test_a_death_before_anything_was_saved_is_counted(redis: RedisClient, leases: TurnLeases) -> None:
    """Who takes the turn up must know that a write of the dead may still be on its way."""
    await taken(leases)
    await lapse(redis)
    assert (await taken(leases)).attempt == 2


async def test_who_slept_through_two_others_does_not_go_on_because_the_last_of_them_died(
    redis: RedisClient, leases: TurnLeases
) -> None:
    """The lease is gone, as if nobody had taken it; the count says that somebody had."""
    slept = await taken(leases)
    await lapse(redis)
    await taken(leases)
    await lapse(redis)
    assert await leases.holding([slept]) == {"m": False}
    assert await leases.renew([slept]) == {"m": False}


async def test_who_slept_through_a_hand_over_does_not_go_on(redis: RedisClient, leases: TurnLeases) -> None:
    slept = await taken(leases)
    await lapse(redis)
    await leases.release(await taken(leases))
    assert await leases.holding([slept]) == {"m": False}
    assert await leases.renew([slept]) == {"m": False}


async def test_after_redis_was_emptied_the_holder_goes_on(redis: RedisClient, leases: TurnLeases) -> None:
    held = await taken(leases)
    await redis.flushall()
    assert await leases.holding([held]) == {"m": True}
    assert await leases.renew([held]) == {"m": True}
    assert await leases.claim("m") is None


async def test_what_was_put_off_before_it_began_is_no_attempt(redis: RedisClient, leases: TurnLeases) -> None:
    """An outage of minutes is a hundred tries: none of them has written anything that could come late."""
    for _ in range(3):
        claim = await taken(leases)
        assert claim.attempt == 1
        await leases.release(claim, is_untouched=True)
    await taken(leases)
    await lapse(redis)
    second = await taken(leases)
    await leases.release(second, is_untouched=True)
    assert (await taken(leases)).attempt == 2


async def test_a_lease_lasts_as_long_as_its_taker_says(redis: RedisClient, leases: TurnLeases) -> None:
    claim = await leases.claim("m", lease_s=15)
    assert claim is not None
    assert 14_000 < await redis.pttl(redis_keys.turn_lease("m")) <= 15_000
    await leases.renew([claim], lease_s=30)
    assert 29_000 < await redis.pttl(redis_keys.turn_lease("m")) <= 30_000


async def test_a_turn_is_claimed_with_its_line_or_not_at_all(redis: RedisClient, leases: TurnLeases) -> None:
    """Whoever stood still between the two, or lost both with Redis's memory, may find another message in the line."""
    await redis.set(redis_keys.conversation_lock("talk"), "another")
    with pytest.raises(LineTakenError):
        await leases.claim("m", conversation_id="talk")
    assert await leases.held_among(["m"]) == set()
    await redis.delete(redis_keys.conversation_lock("talk"))
    assert await leases.claim("m", conversation_id="talk") is not None
    assert await redis.get(redis_keys.conversation_lock("talk")) == b"m"


async def test_who_is_fenced_off_is_refused_though_his_lease_was_simply_gone(
    redis: RedisClient, leases: TurnLeases
) -> None:
    slept = await taken(leases)
    await lapse(redis)
    assert await leases.fence(["m", "never begun"]) == {"m": 1, "never begun": 0}
    assert await leases.holding([slept]) == {"m": False}
    assert await leases.renew([slept]) == {"m": False}
    assert (await taken(leases)).attempt == 2


async def test_nobody_alive_is_fenced_off(leases: TurnLeases) -> None:
    alive = await taken(leases)
    assert await leases.fence(["m"]) == {"m": None}
    assert await leases.holding([alive]) == {"m": True}


async def test_of_an_orderly_end_nothing_is_on_its_way(redis: RedisClient, leases: TurnLeases) -> None:
    """What a covered message's turn left behind is watched for where it did not end by itself."""
    await leases.release(await taken(leases))
    assert await leases.fence(["m"]) == {"m": 0}
    await taken(leases)
    await lapse(redis)
    await leases.release(await taken(leases))
    assert await leases.fence(["m"]) == {"m": 2}

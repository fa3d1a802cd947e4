"""What a breaker promises, whatever Redis is behind it: run on fakeredis and on a real server."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from services import redis_keys
from services.errors import ProviderBrokenStreamError, ProviderBusyError
from services.llm.breaker import BreakerGate

if TYPE_CHECKING:
    import pytest

    from services.redis import RedisClient

BUSY = ProviderBusyError("claude", "overloaded")


class BreakerPromises:
    """Each on a Redis that is empty at first, in the fixture ``redis``."""

    async def test_three_failures_in_a_row_open_it_for_every_worker(self, redis: RedisClient) -> None:
        here, there = BreakerGate(redis), BreakerGate(redis)
        for error in (BUSY, ProviderBrokenStreamError("claude", "dropped"), BUSY):
            assert await there.allows("claude")
            await here.failed("claude", error)
        assert not await here.allows("claude")
        assert not await there.allows("claude")
        assert await there.allows("gpt"), "each provider has its own"

    async def test_an_answer_in_between_begins_the_count_anew(self, redis: RedisClient) -> None:
        gate = BreakerGate(redis)
        for _ in range(3):
            await gate.failed("claude", BUSY)
            await gate.failed("claude", BUSY)
            await gate.succeeded("claude")
        assert await gate.allows("claude")

    async def test_a_good_provider_costs_two_round_trips(
        self, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One before the call and one behind it."""
        gate = BreakerGate(redis)
        await gate.succeeded("claude")
        asked: list[object] = []
        execute = redis.execute_command

        async def counted(*command: object, **options: object) -> object:
            asked.append(command[0])
            return await execute(*command, **options)

        monkeypatch.setattr(redis, "execute_command", counted)
        assert await gate.allows("claude")
        await gate.succeeded("claude")
        assert asked == ["MGET", "MGET"]

    async def test_after_its_time_one_probe_decides(self, redis: RedisClient) -> None:
        """Of many workers one asks; its success closes the breaker, its failure opens it again."""
        gates = [BreakerGate(redis, open_s=0.1) for _ in range(4)]
        for _ in range(3):
            await gates[0].failed("claude", BUSY)
        await asyncio.sleep(0.15)
        assert sorted([await gate.allows("claude") for gate in gates]) == [False, False, False, True]
        await gates[0].failed("claude", BUSY)
        assert not await gates[1].allows("claude")
        await asyncio.sleep(0.15)
        assert await gates[2].allows("claude")
        await gates[2].succeeded("claude")
        assert [await gate.allows("claude") for gate in gates] == [True] * 4

    async def test_a_provider_that_was_busy_for_a_moment_is_not_shut_for_a_minute(self, redis: RedisClient) -> None:
        """Four calls at once are refused, and answered when they are tried again: the next visitor has a model."""
        gate = BreakerGate(redis)
        began_at = time.time()
        for _ in range(4):
            await gate.failed("claude", BUSY, began_at=began_at)
        assert not await gate.allows("claude")
        await gate.succeeded("claude", began_at=began_at - 1)
        assert not await gate.allows("claude"), "an answer that was being written when it failed tells nothing"
        await gate.succeeded("claude")
        assert await gate.allows("claude")
        for _ in range(2):
            await gate.failed("claude", BUSY)
        assert await gate.allows("claude"), "the count began anew"

    async def test_only_the_probe_decides_and_no_call_from_before(self, redis: RedisClient) -> None:
        gate = BreakerGate(redis, open_s=0.1)
        began_at = time.time()
        for _ in range(3):
            await gate.failed("claude", BUSY)
        await asyncio.sleep(0.15)
        assert await gate.allows("claude")
        await gate.failed("claude", BUSY, began_at=began_at)
        await gate.succeeded("claude", began_at=began_at)
        assert not await gate.allows("claude"), "the probe is out still"
        await gate.succeeded("claude")
        assert await gate.allows("claude")

    async def test_a_redis_that_forgets_in_mid_report_leaves_no_breaker_that_nobody_can_read(
        self, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A flush between reading a breaker and writing its new state."""
        gate = BreakerGate(redis, failures=1)
        read = gate._breakers.get_breaker

        async def read_and_forgotten(name: str) -> object:
            breaker = await read(name)
            await redis.flushall()
            return breaker

        with monkeypatch.context() as patched:
            patched.setattr(gate._breakers, "get_breaker", read_and_forgotten)
            await gate.failed("claude", BUSY)
        for each in (gate, BreakerGate(redis, failures=1)):
            assert await each.allows("claude"), "it begins anew"
        await gate.failed("claude", BUSY)
        assert not await gate.allows("claude")

    async def test_half_a_breaker_is_none(self, redis: RedisClient) -> None:
        """As a version before this one may have left it."""
        await redis.set(f"{redis_keys.BREAKER_PREFIX}claude", '{"state": "opened", "opened_at": 1.0}')
        gate = BreakerGate(redis)
        assert await gate.allows("claude")
        await gate.succeeded("claude")

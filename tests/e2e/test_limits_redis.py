"""Limits on a real redis-server, shared by all processes: the library's scripts run there, not in a stand-in."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from services.errors import RateLimitedError
from services.rate_limits import RateLimits
from services.redis import connect_redis
from services.redis_keys import RATE_LIMIT_PREFIX
from webhook.hooks import HOOKS_PER_MINUTE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.redis import RedisClient
    from tests.e2e.redis_server import RedisServer

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def connected(server: RedisServer) -> AsyncIterator[RedisClient]:
    """A client of its own, as each process has."""
    client = connect_redis(server.url, retries=0)
    try:
        yield client
    finally:
        await client.aclose()


async def test_processes_count_together_and_no_more_pass_than_may(redis_server: RedisServer) -> None:
    """Thirty at once through two processes' connections: five pass; the keys hold no address and end by themselves."""
    async with connected(redis_server) as one, connected(redis_server) as other:
        receivers = [RateLimits(per_minute=5, redis=client) for client in (one, other)]
        calls = (receivers[number % 2].spend("question:address", "203.0.113.7") for number in range(30))
        spent = await asyncio.gather(*calls, return_exceptions=True)
        assert spent.count(None) == 5
        refused = [error for error in spent if isinstance(error, RateLimitedError)]
        assert len(refused) == 25
        assert all(1 <= error.retry_after_s <= 61 for error in refused)
        keys = [key.decode() async for key in one.scan_iter()]
        assert keys
        assert all(key.startswith(RATE_LIMIT_PREFIX) and "203.0.113" not in key for key in keys)
        assert all([0 < await one.ttl(key) <= 60 for key in keys])


async def test_a_generous_limit_costs_a_hook_next_to_nothing(redis_server: RedisServer) -> None:
    """Ten times what Directus sends in the measured burst is counted, each in its own place, and stays small."""
    async with connected(redis_server) as client:
        limits = RateLimits(per_minute=1, redis=client)
        for _ in range(20):
            calls = (limits.spend("hook:message", "directus", per_minute=HOOKS_PER_MINUTE) for _ in range(100))
            assert set(await asyncio.gather(*calls)) == {None}
        await limits.spend("hook:refused", "directus")
        with pytest.raises(RateLimitedError):
            await limits.spend("hook:refused", "directus")
        assert (await client.info("memory"))["used_memory"] < 20 * 2**20


async def test_an_outage_is_counted_through_and_ends(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Redis is away each process counts by itself, at once; when it is back, all count together again."""
    monkeypatch.setattr("services.rate_limits._REDIS_PAUSE_S", 0.2)
    async with connected(redis_server) as client, connected(redis_server) as other:
        limits = RateLimits(per_minute=2, redis=client)
        redis_server.stop()
        began = time.monotonic()
        await limits.spend("q", "a")
        await limits.spend("q", "a")
        with pytest.raises(RateLimitedError):
            await limits.spend("q", "a")
        assert time.monotonic() - began < 3
        redis_server.start()
        await asyncio.sleep(0.3)
        await limits.spend("q", "b")
        await RateLimits(per_minute=2, redis=other).spend("q", "b")
        with pytest.raises(RateLimitedError):
            await limits.spend("q", "b")

"""The breaker: three failures in a row keep a provider from being asked, in every worker."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from services import redis_keys
from services.errors import ProviderBrokenStreamError, ProviderBusyError, ProviderRefusedError, ProviderRejectedError
from services.llm.breaker import BreakerGate
from services.llm.failures import failure_of_status
from services.redis import RedisClient, connect_redis
from services.redis_embedded import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


BUSY = ProviderBusyError("claude", "overloaded")


@pytest.fixture
async def redis() -> AsyncIterator[RedisClient]:
    client = RedisClient.over(EmbeddedRedis().pool())
    yield client
    await client.aclose()


async def test_three_failures_in_a_row_open_it_for_every_worker(redis: RedisClient) -> None:
    here, there = BreakerGate(redis), BreakerGate(redis)
    for error in (BUSY, ProviderBrokenStreamError("claude", "dropped"), BUSY):
        assert await there.allows("claude")
        await here.failed("claude", error)
    assert not await here.allows("claude")
    assert not await there.allows("claude")
    assert await there.allows("gpt"), "each provider has its own"


async def test_an_answer_in_between_begins_the_count_anew(redis: RedisClient) -> None:
    gate = BreakerGate(redis)
    for _ in range(3):
        await gate.failed("claude", BUSY)
        await gate.failed("claude", BUSY)
        await gate.succeeded("claude")
    assert await gate.allows("claude")


async def test_a_good_provider_costs_two_round_trips(redis: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("error", [ProviderRefusedError("claude", "no"), ProviderRejectedError("claude", "400")])
async def test_what_says_nothing_of_the_provider_does_not_count(
    redis: RedisClient, error: ProviderRefusedError | ProviderRejectedError
) -> None:
    gate = BreakerGate(redis)
    for _ in range(5):
        await gate.failed("claude", error)
    assert await gate.allows("claude")


@pytest.mark.parametrize(
    ("status", "word"), [(401, "authentication_error"), (404, "not_found_error"), (404, "model_not_found")]
)
async def test_a_key_or_a_model_that_is_refused_closes_the_provider_to_all(
    redis: RedisClient, status: int, word: str
) -> None:
    """Each turn would pay a round trip for the same answer; whoever mends the key or the name waits a minute."""
    gate = BreakerGate(redis)
    for _ in range(3):
        await gate.failed("claude", failure_of_status("claude", status, (word,)))
    assert not await gate.allows("claude")


@pytest.mark.parametrize(
    ("status", "words", "of_all"),
    [
        (401, ("authentication_error",), True),
        (403, (), True),
        (429, ("insufficient_quota",), True),
        (404, ("model_not_found",), True),
        (404, ("invalid_request_error", "model_not_found"), True),
        (404, ("not_found_error",), True),
        (404, (), True),
        (400, ("invalid_request_error",), False),
        (400, ("context_length_exceeded",), False),
        (200, ("billing_error",), True),
    ],
)
def test_what_is_refused_to_all_is_told_from_what_one_request_did_wrong(
    status: int, words: tuple[str, ...], *, of_all: bool
) -> None:
    error = failure_of_status("claude", status, words)
    assert isinstance(error, ProviderRejectedError)
    assert error.of_all is of_all


async def test_after_its_time_one_probe_decides(redis: RedisClient) -> None:
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


async def test_a_provider_that_was_busy_for_a_moment_is_not_shut_for_a_minute(redis: RedisClient) -> None:
    """Four calls come at once, are refused, and answered when they are tried again: the next visitor has a model."""
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


async def test_only_the_probe_decides_and_no_call_from_before(redis: RedisClient) -> None:
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


async def test_without_redis_every_provider_may_be_asked() -> None:
    client = connect_redis("redis://127.0.0.1:1/0", retries=0)
    gate = BreakerGate(client)
    await gate.failed("claude", BUSY)
    assert await gate.allows("claude")
    await client.aclose()


async def test_a_redis_that_forgets_in_mid_report_leaves_no_breaker_that_nobody_can_read(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
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


async def test_half_a_breaker_is_none(redis: RedisClient) -> None:
    """As a version before this one may have left it."""
    await redis.set(f"{redis_keys.BREAKER_PREFIX}claude", '{"state": "opened", "opened_at": 1.0}')
    gate = BreakerGate(redis)
    assert await gate.allows("claude")
    await gate.succeeded("claude")

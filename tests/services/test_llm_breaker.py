"""The breaker: three failures in a row keep a provider from being asked, in every worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.errors import ProviderRefusedError, ProviderRejectedError
from services.llm.breaker import BreakerGate
from services.llm.failures import failure_of_status
from services.redis import RedisClient, connect_redis
from services.redis_embedded import EmbeddedRedis
from tests.services.breaker_promises import BUSY, BreakerPromises

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def redis() -> AsyncIterator[RedisClient]:
    client = RedisClient.over(EmbeddedRedis().pool())
    yield client
    await client.aclose()


class TestOnEmbeddedRedis(BreakerPromises):
    """All of them."""


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


async def test_without_redis_every_provider_may_be_asked() -> None:
    client = connect_redis("redis://127.0.0.1:1/0", retries=0)
    gate = BreakerGate(client)
    await gate.failed("claude", BUSY)
    assert await gate.allows("claude")
    await client.aclose()

"""Each call that a provider could not answer is counted, by provider and kind; one that was never made is not."""

from __future__ import annotations

import json

import tenacity

from services import redis_keys
from services.errors import ProviderBusyError
from services.llm.calls import Budget, ChatMessage, Prompt
from services.llm.chain import LanguageModel, make_language_model
from services.llm.meter import Meter
from services.llm.offline import OfflineProvider
from services.metrics import Metrics
from services.redis import RedisClient, connect_redis
from services.settings import Settings
from tests.services.test_llm_chain import Played, busy

PROMPT = Prompt(system="You help.", messages=(ChatMessage("user", "Which talks?"),))


async def failures(metrics: Metrics, redis: RedisClient) -> dict[tuple[str, str], float]:
    await metrics.flush()
    found = {
        tuple(json.loads(field)): float(amount)
        for field, amount in (await redis.execute_command("HGETALL", redis_keys.METRICS)).items()
    }
    return {(key[1], key[2]): amount for key, amount in found.items() if key[0] == "erleah_model_failures"}


async def test_failures_are_counted_by_provider_and_kind() -> None:
    redis = connect_redis("embedded://")
    metrics = Metrics(redis)
    first = Played("first", ([], busy("first")), ([], busy("first")))
    model = LanguageModel([first, OfflineProvider()], metrics=metrics, backoff=tenacity.wait_none())
    async for _ in model.stream(PROMPT, offline=lambda: "Templates."):
        pass
    assert await failures(metrics, redis) == {("first", ProviderBusyError.code): 2}
    await redis.aclose()


async def test_a_call_that_the_budget_forbids_is_no_failure_of_its_provider() -> None:
    """It was never made; what the answer says of it is that the budget was spent."""
    redis = connect_redis("embedded://")
    metrics = Metrics(redis)
    settings = Settings(
        directus_api_key="d" * 20, directus_webhook_secret="w" * 20, anthropic_api_key="k", _env_file=None
    )
    model = make_language_model(settings, metrics=metrics)
    meter = Meter(Budget(tokens=10, cost_usd=1.0))
    events = [event async for event in model.stream(PROMPT, offline=lambda: "Templates.", meter=meter)]
    assert getattr(events[-1], "stop_reason", None) == "budget"
    assert await failures(metrics, redis) == {}
    await model.aclose()
    await redis.aclose()

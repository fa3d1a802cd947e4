"""Up, alive, ready."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.webhook.conftest import Door, opened_door
from webhook.health import Health


async def test_up_and_alive_touch_nothing(door: Door) -> None:
    door.break_redis()
    door.directus.away = door.vectors.away = True
    for path in ("/health", "/health/live"):
        assert (await door.http.get(path)).status_code == 200
    assert door.directus.requests == 0


async def test_ready_names_each_service(door: Door) -> None:
    answer = await door.http.get("/health/ready")
    assert answer.status_code == 200
    assert set(answer.json()["checks"]) == {"redis", "directus", "qdrant"}
    assert all(check["ok"] for check in answer.json()["checks"].values())


@pytest.mark.parametrize("away", ["redis", "directus", "qdrant"])
async def test_not_ready_says_which_service_is_away_and_that_alone(door: Door, away: str) -> None:
    if away == "redis":
        door.break_redis()
    door.directus.away = away == "directus"
    door.vectors.away = away == "qdrant"
    answer = await door.http.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["failed"] == [away]
    assert answer.json()["checks"][away]["problem"]


async def test_ready_again_when_the_services_are_back(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.health.REMEMBER_S", 0.0)
    door.vectors.away = True
    assert (await door.http.get("/health/ready")).status_code == 503
    door.vectors.away = False
    assert (await door.http.get("/health/ready")).status_code == 200


async def test_in_production_no_address_is_told() -> None:
    secrets = {"directus_api_key": "k" * 24, "directus_webhook_secret": "s" * 24}
    async with opened_door(environment="production", **secrets) as door:
        door.break_redis()
        door.directus.away = door.vectors.away = True
        answer = await door.http.get("/health/ready")
        assert answer.json()["failed"] == ["redis", "directus", "qdrant"]
        for address in ("10.1.2.3", "directus.test", "6379", "embedded"):
            assert address not in answer.text


async def test_services_that_are_silent_are_given_up_on_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent() -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("webhook.health.CHECK_TIMEOUT_S", 0.1)
    health = Health(production=False, checks=dict.fromkeys(("redis", "directus", "qdrant"), silent))
    started = time.perf_counter()
    answer = await health.ready(None)  # type: ignore[arg-type]  # it asks nothing of the request
    assert answer.status_code == 503
    assert time.perf_counter() - started < 0.3


async def test_however_many_ask_each_service_is_asked_once_a_second(door: Door) -> None:
    await asyncio.gather(*(door.http.get("/health/ready") for _ in range(20)))
    assert door.directus.requests == 1

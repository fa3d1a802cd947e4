"""A worker starts whatever its services do."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from services.settings import Settings
from services.vectors import Layout
from worker import main

if TYPE_CHECKING:
    from tests.worker.conftest import Workshop
    from worker.main import Worker


async def test_a_service_that_takes_calls_and_says_nothing_keeps_no_worker_from_starting(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named in the log, and the look around goes on."""
    monkeypatch.setattr(main, "LOOK_AROUND_S", 0.05)
    asked: list[str] = []

    async def hang() -> None:
        asked.append("qdrant")
        await asyncio.sleep(3600)

    async def fine() -> None:
        asked.append("another")

    services: Any = SimpleNamespace(
        directus=SimpleNamespace(ping=fine), toolbox=SimpleNamespace(index=SimpleNamespace(check=fine))
    )
    worker: Any = SimpleNamespace(services=services, redis=workshop.redis, vectors=SimpleNamespace(ping=hang))
    await asyncio.wait_for(main._look_around(cast("Worker", worker)), 5)
    assert asked == ["another", "qdrant", "another"]


async def test_a_stop_while_a_worker_starts_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not begun has nothing to finish, and never says that it is ready."""
    began, given_up = asyncio.Event(), asyncio.Event()

    async def starts_for_ever(_settings: object, **_parts: object) -> Worker:
        began.set()
        try:
            await asyncio.sleep(3600)
        finally:
            given_up.set()
        raise AssertionError

    monkeypatch.setattr(main, "start_up", starts_for_ever)
    stop, ready = asyncio.Event(), asyncio.Event()
    working = asyncio.create_task(main.run_worker(cast("Settings", None), stop=stop, on_ready=ready.set))
    await began.wait()
    stop.set()
    await asyncio.wait_for(working, 1)
    assert given_up.is_set()
    assert not ready.is_set()


@pytest.mark.parametrize("switch", ["quantized", "on_disk", "tenant_index"])
async def test_the_index_is_laid_out_as_the_settings_say(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each switch by itself, in place of its default."""
    other = not getattr(Layout(), switch)
    asked: list[Layout] = []

    def vectors(*_address: object, layout: Layout) -> object:
        asked.append(layout)
        raise EOFError

    monkeypatch.setattr(main, "Vectors", vectors)
    settings = Settings.model_validate(
        {"directus_api_key": "a", "directus_webhook_secret": "b", f"qdrant_{switch}": other}
    )
    with pytest.raises(EOFError):
        await main.start_up(settings, redis=cast("Any", SimpleNamespace()))
    assert asked == [Layout(**{switch: other})]

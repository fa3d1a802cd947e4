"""A worker starts whatever its services do."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from worker import main

if TYPE_CHECKING:
    import pytest

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

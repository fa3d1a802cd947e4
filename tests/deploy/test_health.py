"""``erleah health``, the health check of our containers."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from cli.main import main
from services import redis_keys
from services.queue.jobs import Queue
from services.redis import connect_redis

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def redis_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Settings of a container in which nothing listens; the address of its Redis."""
    url = f"embedded://{uuid4().hex}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIRECTUS_API_KEY", "key")
    monkeypatch.setenv("DIRECTUS_WEBHOOK_SECRET", "secret")
    monkeypatch.setenv("WEBHOOK_PORT", "1")
    monkeypatch.setenv("REDIS_URL", url)
    return url


async def report(redis_url: str, host: str) -> None:
    """Leave a worker's sign of life, as a runner does."""
    redis = connect_redis(redis_url)
    seen = {
        "worker_id": "w",
        "queue": Queue.TURNS,
        "host": host,
        "pid": 7,
        "running": 0,
        "max_jobs": 1,
        "started_at": time.time(),
        "seen_at": time.time(),
    }
    await redis.set(redis_keys.worker("w", Queue.TURNS), json.dumps(seen))
    await redis.aclose()


@pytest.mark.parametrize(
    ("role", "why"), [("webhook", "no receiver answers on port 1"), ("worker", "no worker is alive")]
)
def test_a_container_in_which_nothing_lives_is_ill(
    redis_url: str, role: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, which is what the health check looks at, and a line that says why."""
    assert redis_url
    assert main(["health", "--role", role]) == 1
    assert why in capsys.readouterr().err


def test_a_dead_receiver_is_no_worker_that_waits_for_redis(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert redis_url
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["health", "--role", "webhook"]) == 1


def test_a_check_says_what_it_looks_for(redis_url: str) -> None:
    """Without a role it is wrong usage, not a guess."""
    assert redis_url
    assert main(["health"]) == 2


async def test_a_worker_of_another_container_proves_nothing(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    await report(redis_url, "another-container")
    assert await _health() == 1
    assert "no worker" in capsys.readouterr().err


async def test_a_worker_that_reports_is_alive(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    await report(redis_url, socket.gethostname())
    assert await _health() == 0
    assert "1 worker alive" in capsys.readouterr().out


def test_an_outage_of_redis_ends_no_worker(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker waits for Redis by itself; an orchestrator that ended it would add to the outage."""
    assert redis_url
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["health", "--role", "worker"]) == 0


async def _health() -> int:
    """The command, in a thread: it runs a loop of its own."""
    return await asyncio.to_thread(main, ["health", "--role", "worker"])

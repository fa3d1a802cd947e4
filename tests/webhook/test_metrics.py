"""GET /metrics: the sums of what all processes counted, as Prometheus reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.metrics import COUNTERS, HISTOGRAMS, Metrics

if TYPE_CHECKING:
    from tests.webhook.conftest import Door


async def test_two_processes_counts_are_added_up(door: Door) -> None:
    for _ in range(2):
        metrics = Metrics(door.redis)
        metrics.count("erleah_swept", 2, kind="stray")
        metrics.observe("erleah_turn_seconds", 0.4)
        await metrics.flush()
        await metrics.flush()  # what is in Redis is not added twice
    answer = await door.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert 'erleah_swept_total{kind="stray"} 4.0' in lines
    assert 'erleah_turn_seconds_bucket{le="0.25"} 0.0' in lines
    assert 'erleah_turn_seconds_bucket{le="0.5"} 2.0' in lines
    assert 'erleah_turn_seconds_bucket{le="+Inf"} 2.0' in lines
    assert "erleah_turn_seconds_count 2.0" in lines


async def test_every_declared_metric_and_the_queues_are_shown(door: Door) -> None:
    await door.ask(await door.visitor())
    text = (await door.http.get("/metrics")).text
    for name in (*COUNTERS, *HISTOGRAMS, "erleah_workers"):
        assert f"# TYPE {name}" in text
    assert 'erleah_queue_waiting{queue="turns"} 1.0' in text.splitlines()


async def test_an_undeclared_metric_is_refused(door: Door) -> None:
    """A name or label that Prometheus would see for the first time in production fails in a test."""
    with pytest.raises(KeyError):
        Metrics(door.redis).count("erleah_surprise")
    with pytest.raises(KeyError):
        Metrics(door.redis).count("erleah_swept", knd="stray")

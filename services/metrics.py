"""What Erleah counts about itself, for Prometheus.

Worker processes come and go and none of them listens, so each adds what it counted to one hash in
Redis every few seconds, and the receiver's ``/metrics`` shows the sums of all. Counts are kept while
Redis is away and added when it is back. Names and label values are Erleah's own, never a visitor's.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from services import redis_keys
from services.errors import ServiceUnavailableError
from services.logging import get_logger
from services.queue.jobs import Queue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from services.queue.job_queue import JobQueue, QueueDepth
    from services.redis import RedisClient

__all__ = ["Metrics", "render_metrics"]

log = get_logger(__name__)

FLUSH_S = 2.0

COUNTERS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "erleah_turns": ("Turns that ended, by how", ("assistant", "outcome", "degraded")),
    "erleah_turns_called_off": ("Turns called off while they ran, by signal", ("signal",)),
    "erleah_swept": ("What the sweep found left over and asked for again or ended", ("kind",)),
    "erleah_late_writes_mended": ("Rows put right after a write that came when its turn was another worker's", ()),
    "erleah_model_failures": ("Calls that a model provider could not answer", ("provider", "error")),
    "erleah_tokens": ("Tokens of models", ("kind",)),
    "erleah_characters_after_stop": ("Characters a model sent after its answer was stopped", ()),
    "erleah_cost_usd": ("Money for models, by list price, in US dollars", ()),
    "erleah_answer_writes": ("Writes of the answer pump to Directus", ()),
    "erleah_answer_rows": ("Answer rows in those writes", ()),
}
"""Every counter: its help and its labels. Prometheus adds ``_total`` to the names."""

HISTOGRAMS: Final[Mapping[str, tuple[str, tuple[float, ...]]]] = {
    "erleah_first_token_seconds": ("From the hook to the first visible text", (0.1, 0.25, 0.5, 1, 2, 5, 10, 30)),
    "erleah_turn_seconds": ("From the hook to the whole answer", (0.25, 0.5, 1, 2, 5, 10, 30, 60, 120)),
}
"""Every histogram: its help and its upper bounds in seconds."""

_SUM, _COUNT = "sum", "count"


class Metrics:
    """The counts of one process on their way to Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._pending: defaultdict[str, float] = defaultdict(float)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter; raises KeyError for a name or label that is not declared above."""
        expected = COUNTERS[name][1]
        self._pending[_field(name, [labels[label] for label in expected])] += amount

    def observe(self, name: str, seconds: float) -> None:
        """Note a duration."""
        for bound in HISTOGRAMS[name][1]:
            if seconds <= bound:
                self._pending[_field(name, [str(bound)])] += 1
        self._pending[_field(name, [_COUNT])] += 1
        self._pending[_field(name, [_SUM])] += seconds

    async def run(self) -> None:
        """Add to Redis every few seconds, and once more when cancelled."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                await self.flush()
        finally:
            await asyncio.shield(self.flush())

    async def flush(self) -> None:
        """Add what was counted since the last time; keep it if Redis is away."""
        pending, self._pending = self._pending, defaultdict(float)
        if not pending:
            return
        try:
            async with asyncio.timeout(FLUSH_S), self._redis.pipeline(transaction=True) as pipe:
                for field, amount in pending.items():
                    pipe.hincrbyfloat(redis_keys.METRICS, field, amount)
                await pipe.execute()
        except (ServiceUnavailableError, TimeoutError):
            for field, amount in pending.items():
                self._pending[field] += amount


async def render_metrics(redis: RedisClient, queue: JobQueue) -> bytes:
    """All counts, and the queues as they are now, as Prometheus reads them.

    Raises ServiceUnavailableError when Redis is away.
    """
    counted: dict[bytes, bytes] = await redis.execute_command("HGETALL", redis_keys.METRICS)
    sums = {tuple(json.loads(field)): float(amount) for field, amount in counted.items()}
    depths = {each.name.lower(): await queue.depth(each) for each in Queue}
    workers = len({seen.worker_id for seen in await queue.workers()})
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot([*_counters(sums), *_histograms(sums), *_gauges(depths, workers)]))
    return generate_latest(registry)


class _Snapshot:
    """Metrics read a moment ago, for a registry to show."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _field(name: str, values: list[str]) -> str:
    return json.dumps([name, *values], separators=(",", ":"))


def _counters(sums: Mapping[tuple[Any, ...], float]) -> Iterator[Metric]:
    for name, (text, labels) in COUNTERS.items():
        family = CounterMetricFamily(name, text, labels=labels)
        for (counted, *values), amount in sorted(sums.items()):
            if counted == name and len(values) == len(labels):
                family.add_metric(values, amount)
        if not labels and not family.samples:
            family.add_metric([], 0)
        yield family


def _histograms(sums: Mapping[tuple[Any, ...], float]) -> Iterator[Metric]:
    for name, (text, bounds) in HISTOGRAMS.items():
        family = HistogramMetricFamily(name, text)
        count = sums.get((name, _COUNT), 0.0)
        buckets = [(str(bound), sums.get((name, str(bound)), 0.0)) for bound in bounds]
        family.add_metric([], [*buckets, ("+Inf", count)], sum_value=sums.get((name, _SUM), 0.0))
        yield family


def _gauges(depths: Mapping[str, QueueDepth], workers: int) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("erleah_queue_waiting", "Jobs that no worker runs", labels=("queue",))
    running = GaugeMetricFamily("erleah_queue_running", "Jobs that a worker runs", labels=("queue",))
    oldest = GaugeMetricFamily(
        "erleah_queue_oldest_seconds", "How long the longest waiting job has been due", labels=("queue",)
    )
    for name, depth in depths.items():
        waiting.add_metric([name], depth.waiting)
        running.add_metric([name], depth.running)
        oldest.add_metric([name], max(depth.oldest_age_s, 0.0))
    yield from (waiting, running, oldest)
    yield GaugeMetricFamily("erleah_workers", "Worker processes seen in the last seconds", value=workers)

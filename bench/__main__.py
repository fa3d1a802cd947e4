"""``python -m bench [--only NAME …] [--all] [--list] [--markdown]``: a table, and bench/results/latest.json."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from bench import (
    burst,
    crowds,
    live_answers,
    open_widgets,
    pickup,
    queue_latency,
    reindexing,
    soak,
    token_writes,
    turn_cost,
    worker_memory,
)
from bench.figure import Figure, markdown, merged, table
from bench.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_BUSY = 0.5
"""Processes that wanted to run in the last minute, before anything was started here."""

RESULTS = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One row, or a few, of the table. ``limit_s`` bounds it; ``usual`` ones run without being named."""

    name: str
    what: str
    measure: Callable[[Installation], Awaitable[list[Figure]]]
    limit_s: float
    usual: bool = True


BENCHMARKS = (
    Benchmark("reindex", "load and full reindex of the sample conference; a second reindex", reindexing.measure, 240),
    Benchmark(
        "queue", "enqueue to handler, and what a job costs", lambda house: queue_latency.measure(house.redis_url), 60
    ),
    Benchmark("pickup", "hook accepted to the step understand", pickup.measure, 180),
    Benchmark("live", "one and ten answers at once, each watched by its visitor", live_answers.measure, 180),
    Benchmark("token-writes", "for comparison: one awaited write per token", token_writes.measure, 180),
    Benchmark("turn-cost", "CPU of a turn", turn_cost.measure, 180),
    Benchmark("memory", "a worker with 50 turns in flight", worker_memory.measure, 180),
    Benchmark("live-50", "fifty answers at once, one worker process, watched", crowds.fifty, 180),
    Benchmark("live-200", "two hundred at once, two worker processes, unwatched and watched", crowds.two_hundred, 240),
    Benchmark("widgets-500", "an update to its widget, with 500 open", open_widgets.measure, 240),
    Benchmark("burst-1000", "a thousand messages in ten seconds", burst.measure, 400),
)


def _soak(minutes: float) -> Benchmark:
    what = f"{minutes:g} minutes at {soak.TURNS_PER_S:g} turns a second"
    return Benchmark("soak", what, partial(soak.measure, minutes=minutes), minutes * 60 + 240, usual=False)


async def _run(chosen: Sequence[Benchmark], folder: Path) -> tuple[dict[str, list[Figure]], bool]:
    """Each benchmark's figures by its name, and whether all could be measured."""
    measured: dict[str, list[Figure]] = {}
    whole = True
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]  # we are in one
    busy = os.getloadavg()[0]
    if busy > _BUSY:
        _say(f"this machine is busy (load {busy:.1f}): times will be longer than the program's own")
    _say("starting Directus, Redis and the receiver …")
    async with Installation(folder) as house:
        for benchmark in chosen:
            began = time.monotonic()
            _say(f"{benchmark.name} …")
            try:
                async with asyncio.timeout(benchmark.limit_s):
                    measured[benchmark.name] = await benchmark.measure(house)
            except Exception as error:  # noqa: BLE001 - the others are measured all the same
                whole = False
                measured[benchmark.name] = [Figure(f"{benchmark.name}: could not be measured", None, "")]
                _say(f"{benchmark.name} failed: {type(error).__name__}: {error}")
            _say(f"{benchmark.name}: {time.monotonic() - began:.0f} s")
    return measured, whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when all was measured (goals reached or not), 1 when something could not be, 2 for wrong usage."""
    names = [*(benchmark.name for benchmark in BENCHMARKS), "soak"]
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--all", action="store_true", help="those too that take long")
    parser.add_argument("--minutes", type=float, default=20, help="how long the soak lasts (20)")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and do nothing")
    parser.add_argument("--markdown", action="store_true", help="print the last results as a table for a page")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this folder and keep logs and databases")
    wanted = parser.parse_args(arguments)
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    benchmarks = [*BENCHMARKS, _soak(wanted.minutes)]
    if wanted.list or wanted.markdown:
        print(_listed(benchmarks) if wanted.list else markdown(before))
        return 0
    if wanted.keep and wanted.keep.exists() and any(wanted.keep.iterdir()):
        parser.error(f"{wanted.keep} is not empty: what an earlier run kept there has other secrets")
    chosen = [each for each in benchmarks if (each.name in wanted.only if wanted.only else each.usual or wanted.all)]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="erleah-bench-") as temporary:
        folder = wanted.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        measured, whole = asyncio.run(_run(chosen, folder))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    entries = merged(before, measured, order=names)
    RESULTS.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table([figure for figures in measured.values() for figure in figures]))
    _say(f"written to {RESULTS}")
    return 0 if whole else 1


def _listed(benchmarks: Sequence[Benchmark]) -> str:
    return "\n".join(f"{each.name:<14}{'' if each.usual else 'when named: '}{each.what}" for each in benchmarks)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

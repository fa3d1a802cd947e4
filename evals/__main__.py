"""``python -m evals``: a table on stdout, and bench/results/eval.json."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from evals.conference import SAMPLE, conference_id_of, indexed, judged
from evals.configurations import CONFIGURATIONS, ask_with
from evals.embedders import embedders
from evals.measures import Figure, by_search, figures, with_confidence
from evals.router import UNDERSTANDING_MS, evaluate_router
from search.floors import OFF_TOPIC
from search.query import EntityType, SearchQuery
from services.embeddings.local import LocalEmbedder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evals.measures import Answers
    from evals.questions import Judged
    from search.index import SearchIndex
    from services.embeddings.embedder import Embedder

RESULTS = Path(__file__).parents[1] / "bench" / "results" / "eval.json"

BASELINE = Path(__file__).with_name("baseline.json")
"""The default with the local embedder, search by search, when it was last meant to change."""

_LIMIT = 10
_TIMED_ROUNDS = 3


async def answers_of(
    embedder: Embedder,
    folder: Path = SAMPLE,
    configurations: Sequence[str] = CONFIGURATIONS,
    *,
    questions: Path | None = None,
    timed: bool = False,
) -> tuple[dict[str, Answers], list[Figure]]:
    """Every judged question's answer by configuration; the folder's index is built anew.

    Where ``timed``, what else the default is worth too: its silence where the question is of another world, its times.
    """
    asked = judged(folder, questions)
    conference_id = conference_id_of(folder)
    found: dict[str, Answers] = {}
    async with indexed(folder, embedder) as (index, vectors):
        for name in configurations:
            search = ask_with(name, index, vectors)
            found[name] = {
                one.key: await search(SearchQuery(one.text, conference_id, one.entity_type, limit=_LIMIT))
                for one in asked
            }
        if not timed:
            return found, []
        silence = await _off_topic(index, conference_id, embedder.family)
        return found, [silence, *await _times(index, asked, conference_id, embedder.family)]


async def evaluate(embedder: Embedder, folder: Path = SAMPLE, questions: Path | None = None) -> list[Figure]:
    """All figures of all configurations with one embedder."""
    asked = judged(folder, questions)
    answers, others = await answers_of(embedder, folder, questions=questions, timed=True)
    found = [one for name, of_name in answers.items() for one in figures(name, embedder.family, asked, of_name)]
    return found + others


async def _write_baseline() -> None:
    """What each search of the default has now, for tests/evals/test_search_baseline.py to compare with."""
    embedder = LocalEmbedder()
    answers, _ = await answers_of(embedder, configurations=("auto",))
    await embedder.aclose()
    BASELINE.write_text(json.dumps(by_search(judged(SAMPLE), answers["auto"]), indent=1) + "\n", encoding="utf-8")


async def _off_topic(index: SearchIndex, conference_id: str, family: str) -> Figure:
    """The share of questions of another world that are met with silence whatever type is asked for.

    They chose no threshold of a measured model; for any other the floor is read off them, and this tells nothing.
    """
    silent = []
    for text in OFF_TOPIC:
        asked = [SearchQuery(text, conference_id, kind, limit=_LIMIT) for kind in EntityType]
        silent.append(float(not any([(await index.search(one)).results for one in asked])))
    value, low, high = (round(one, 4) for one in with_confidence(silent))
    return Figure("auto", family, "off topic", "silent questions", value, low, high, len(silent))


async def _times(index: SearchIndex, asked: Sequence[Judged], conference_id: str, family: str) -> list[Figure]:
    """How long one search takes, embedding included: by the clock and of the processor, which others may share."""
    wall: list[float] = []
    processor: list[float] = []
    for turn in range(_TIMED_ROUNDS):
        for one in asked:
            # Another text each time, lest the question's vector be remembered.
            query = SearchQuery(f"{one.text}{' ' * (turn + 1)}", conference_id, one.entity_type, limit=_LIMIT)
            began, spent = time.perf_counter(), time.process_time()
            await index.search(query)
            wall.append(1000 * (time.perf_counter() - began))
            processor.append(1000 * (time.process_time() - spent))
    found: list[Figure] = []
    for name, taken in (("ms", wall), ("ms of processor", processor)):
        quantiles = {"p50": statistics.median(taken), "p95": statistics.quantiles(taken, n=20)[-1]}
        for quantile, value in quantiles.items():
            rounded = round(value, 1)
            metric = f"{quantile} {name}"
            found.append(Figure("auto", family, "all", metric, rounded, rounded, rounded, len(taken)))
    return found


def _table(found: Sequence[Figure]) -> str:
    lines = [f"{'embedder':<10} {'config':<8} {'kind':<13} {'metric':<19} {'value':>6}   95 % interval      n"]
    lines += [
        f"{one.embedder:<10} {one.config:<8} {one.kind:<13} {one.metric:<19} {one.value:>6.3f}   "
        f"{one.low:>6.3f} to {one.high:<6.3f} {one.n:>4}"
        for one in found
    ]
    return "\n".join(lines)


def _assumption(understanding_ms: float) -> str:
    """What must be read with the time that the router saves."""
    return (
        f"Time saved by the router, per turn (s saved a turn): the share of calls saved, times what a model takes to "
        f"understand. That the model itself takes {understanding_ms:g} ms is an assumption, not measured "
        "(--understanding-ms); our own part round it is measured with a stand-in over HTTP (s round a model)."
    )


async def _run(chosen: Sequence[str], folder: Path, questions: Path | None, understanding_ms: float) -> list[Figure]:
    found: list[Figure] = []
    for embedder in embedders(chosen):
        print(f"{embedder.identity} …", file=sys.stderr)
        found += await evaluate(embedder, folder, questions)
        found += await evaluate_router(embedder, folder / "queries.jsonl", understanding_ms)
        await embedder.aclose()
    return found


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m evals", description=__doc__)
    parser.add_argument(
        "--embedders", default="local,fastembed,openai", help="comma list; those without a model or key are left out"
    )
    parser.add_argument("--data", type=Path, default=SAMPLE, help="folder with a conference and its queries.jsonl")
    parser.add_argument("--questions", type=Path, help="a file of judged questions in place of the folder's own")
    parser.add_argument(
        "--understanding-ms",
        type=float,
        default=UNDERSTANDING_MS,
        help="what a model takes to understand a question, for the time that the router saves "
        "(an assumption: %(default)g; an installation's own is in its turns' timings_ms, decided_by model)",
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--baseline", action="store_true", help="only write evals/baseline.json anew")
    given = parser.parse_args()
    if given.baseline:
        asyncio.run(_write_baseline())
        return 0
    found = asyncio.run(_run(given.embedders.split(","), given.data, given.questions, given.understanding_ms))
    print(_table(found))
    print(_assumption(given.understanding_ms))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([one.as_json() for one in found], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

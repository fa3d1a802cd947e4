"""The default search does not get worse unnoticed: its figures against those that were committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from evals.__main__ import evaluate
from services.embeddings.local import LocalEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from evals.measures import Figure

BASELINE = Path(__file__).parents[2] / "evals" / "baseline.json"
"""The rows of ``make eval`` for mode auto and the local embedder, when they were last meant to change."""

RANKED = [(kind, metric) for kind in ("specific", "vague") for metric in ("nDCG@10", "recall@10", "MRR")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def now() -> AsyncIterator[dict[tuple[str, str], Figure]]:
    embedder = LocalEmbedder()
    yield {(one.kind, one.metric): one for one in await evaluate(embedder, configurations=("auto",), timed=False)}
    await embedder.aclose()


@pytest.fixture(scope="module")
def before() -> dict[tuple[str, str], dict[str, float]]:
    return {(row["kind"], row["metric"]): row for row in json.loads(BASELINE.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(("kind", "metric"), RANKED)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_default_finds_as_well_as_it_did(
    kind: str,
    metric: str,
    now: dict[tuple[str, str], Figure],
    before: dict[tuple[str, str], dict[str, float]],
) -> None:
    """No figure below the lower bound of the committed one's interval."""
    assert now[kind, metric].value >= before[kind, metric]["low"]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_default_is_silent_and_speaks_as_it_did(
    now: dict[tuple[str, str], Figure], before: dict[tuple[str, str], dict[str, float]]
) -> None:
    """At most 3 % of answerable searches are lost, and the unanswerable are met with silence as often."""
    assert now["answerable", "lost"].value <= 0.03
    silent = ("unanswerable", "silent searches")
    assert now[silent].value >= before[silent]["low"]

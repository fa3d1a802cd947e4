"""The default search does not get worse unnoticed, and is better than every simple way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from evals.__main__ import BASELINE, answers_of
from evals.conference import SAMPLE, judged
from evals.configurations import CONFIGURATIONS
from evals.measures import by_search, with_confidence
from services.embeddings.local import LocalEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Scores = dict[str, dict[str, float]]

pytestmark = pytest.mark.thorough

ASKED = judged(SAMPLE)
OF_KIND = {kind: [one.key for one in ASKED if one.kind == kind] for kind in ("specific", "vague", "unanswerable")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def now() -> AsyncIterator[dict[str, Scores]]:
    """What each search has, by configuration."""
    embedder = LocalEmbedder()
    answers, _ = await answers_of(embedder)
    yield {name: by_search(ASKED, of_name) for name, of_name in answers.items()}
    await embedder.aclose()


@pytest.fixture(scope="module")
def before() -> Scores:
    found: Scores = json.loads(BASELINE.read_text(encoding="utf-8"))
    return found


def is_worse(now: dict[str, float], before: dict[str, float]) -> bool:
    """Whether the mean of the differences, search by search, is below zero beyond its 95 % interval."""
    _, _, high = with_confidence([now[key] - value for key, value in before.items()])
    return high < 0


@pytest.mark.parametrize("kind", ["specific", "vague"])
@pytest.mark.parametrize("metric", ["nDCG@10", "recall@10", "MRR"])
@pytest.mark.asyncio(loop_scope="module")
async def test_the_default_finds_as_well_as_it_did(
    kind: str, metric: str, now: dict[str, Scores], before: Scores
) -> None:
    """The same searches compared: what is lost over all of them can't be hidden in how far they lie apart."""
    committed = {key: before[metric][key] for key in OF_KIND[kind]}
    assert not is_worse(now["auto"][metric], committed)


@pytest.mark.parametrize("kind", ["specific", "vague"])
@pytest.mark.asyncio(loop_scope="module")
async def test_the_default_is_better_than_every_simple_way(kind: str, now: dict[str, Scores]) -> None:
    """In mean nDCG@10."""
    mean = {name: sum(now[name]["nDCG@10"][key] for key in OF_KIND[kind]) for name in CONFIGURATIONS}
    assert max(mean, key=mean.__getitem__) == "auto"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_default_is_silent_and_speaks_as_it_did(now: dict[str, Scores], before: Scores) -> None:
    """At most 3 % of answerable searches are lost; 80 % of what nothing answers is met with silence, by question."""
    silent = now["auto"]["silent"]
    answerable = [*OF_KIND["specific"], *OF_KIND["vague"]]
    assert sum(silent[key] for key in answerable) <= 0.03 * len(answerable)
    by_question: dict[str, float] = {}
    for one in ASKED:
        if one.kind == "unanswerable":
            by_question[one.question_id] = min(silent[one.key], by_question.get(one.question_id, 1.0))
    assert sum(by_question.values()) >= 0.8 * len(by_question)
    assert not is_worse(silent, {key: before["silent"][key] for key in OF_KIND["unanswerable"]})


@pytest.mark.parametrize("other", ["master", "faceted", "words", "bm25"])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_default_that_lost_what_it_won_would_be_noticed(
    other: str, now: dict[str, Scores], before: Scores
) -> None:
    """Were the default any of the simple ways, one of the gates above would close."""
    closed = [
        is_worse(now[other][metric], {key: before[metric][key] for key in OF_KIND[kind]})
        for kind in ("specific", "vague")
        for metric in ("nDCG@10", "recall@10", "MRR")
    ]
    assert any(closed)

"""Models whose threshold was not measured keep silent for what comes no nearer than chance does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from search.floors import OFF_TOPIC, floor_of
from search.index import SearchIndex
from search.query import EntityType, SearchQuery
from search.writer import IndexWriter
from services.errors import ServiceUnavailableError
from services.vectors import Vectors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.search.conftest import MakeEntity


class Unmeasured:
    """A model for which all texts are alike: every two have a cosine of 0.8 or more, questions of 0.9 to 1.0.

    A text is the angle it says, in degrees; off-topic questions lie at 60, the filler straight up.
    """

    family = "openai"
    identity = "openai-unheard-of-3"
    dimensions = 3

    def __init__(self) -> None:
        self.calls = 0
        self.fails = False

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.calls += texts[0] in OFF_TOPIC
        if self.fails:
            raise ServiceUnavailableError("embeddings", "away")
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        if text in OFF_TOPIC:
            angle = math.radians(60)
        elif text.startswith("angle"):
            angle = math.radians(float(text.split()[1]))
        else:
            return [0.0, 0.0, 1.0]
        return [math.cos(angle), math.sin(angle), 0.0]

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.fixture
def embedder() -> Unmeasured:
    return Unmeasured()


@pytest.fixture
async def index(embedder: Unmeasured, entity: MakeEntity) -> AsyncIterator[SearchIndex]:
    """Sessions straight ahead, in one conference and in another."""
    vectors = Vectors("embedded://")
    writer = IndexWriter(vectors, embedder)
    for number in range(1, 5):
        await writer.upsert(entity(number, master="angle 0", facets={"why_attend": "angle 0"}))
    await writer.upsert(entity(9, conference="c2", master="angle 60", facets={"why_attend": "angle 60"}))
    yield SearchIndex(vectors, embedder)
    await vectors.aclose()


def ask(text: str, conference_id: str = "c1") -> SearchQuery:
    return SearchQuery(text, conference_id, EntityType.SESSIONS)


async def test_what_comes_no_nearer_than_chance_is_not_an_answer(index: SearchIndex) -> None:
    """Cosines of 0.34 and less are chance's here, 0.77 is not."""
    far, near = [await index.search(ask(f"angle {angle} zeppelins flying over mountains")) for angle in (70, 40)]
    assert (far.results, len(far.near)) == ((), 3)
    assert near.results
    assert 0.3 < near.explain["threshold"] < 0.5


async def test_each_conference_has_its_own_floor_measured_once(index: SearchIndex, embedder: Unmeasured) -> None:
    """The off-topic questions are embedded once for all."""
    found = [await index.search(ask("angle 50 zeppelins", one)) for one in ("c1", "c2", "c1")]
    first, second, again = [one.explain["threshold"] for one in found]
    assert first == again < second
    assert embedder.calls == 1


async def test_a_failed_measurement_is_made_again(index: SearchIndex, embedder: Unmeasured) -> None:
    await index.question_vector("angle 40")
    embedder.fails = True
    with pytest.raises(ServiceUnavailableError):
        await index.search(ask("angle 40"))
    embedder.fails = False
    assert (await index.search(ask("angle 40"))).results


def test_a_floor_is_never_below_nothing() -> None:
    """An index without entities has none; what points away is no measure."""
    assert floor_of([]) == 0.0
    assert floor_of([-0.5, -0.2]) == 0.0
    assert floor_of([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == pytest.approx(0.4)


def test_no_off_topic_question_is_judged() -> None:
    """Forty, all different, none of those that figures are made of."""
    from evals.conference import SAMPLE, judged  # noqa: PLC0415 - for this one test

    assert len(set(OFF_TOPIC)) == 40
    assert not {one.text for one in judged(SAMPLE)} & set(OFF_TOPIC)

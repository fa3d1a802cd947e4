"""An index in memory or at a path, and an embedder whose vectors a reader can work out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from search.entity import IndexedEntity
from search.floors import OFF_TOPIC
from search.index import SearchIndex
from search.query import EntityType
from search.writer import IndexWriter
from services.vectors import Vectors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


class WordEmbedder:
    """A text is ``cos=0.8``: the vector at that cosine to the first axis.

    Other texts point along the first, but for the off-topic ones, which are as far away as can be.
    ``embedded`` lists every text that was paid for, but for those.
    """

    def __init__(self, family: str = "test", model: str = "words", dimensions: int = 2) -> None:
        self.family = family
        self.identity = f"{family}-{model}-{dimensions}"
        self.dimensions = dimensions
        self.embedded: list[str] = []

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.embedded.extend(text for text in texts if text not in OFF_TOPIC)
        cosines = [_cosine(text) for text in texts]
        return [[one, math.sqrt(1 - one * one), *[0.0] * (self.dimensions - 2)] for one in cosines]

    async def aclose(self) -> None:
        """Nothing is open."""


def _cosine(text: str) -> float:
    if "cos=" in text:
        return float(text.split("cos=")[1].split(maxsplit=1)[0])
    return -1.0 if text in OFF_TOPIC else 1.0


class MakeEntity(Protocol):
    def __call__(
        self,
        number: int,
        *,
        kind: EntityType = EntityType.SESSIONS,
        conference: str = "c1",
        master: str = "cos=0.5",
        facets: dict[str, str] | None = None,
        **payload: Any,  # noqa: ANN401 - any JSON
    ) -> IndexedEntity: ...


@pytest.fixture
def entity() -> MakeEntity:
    """Makes an entity whose id ends in ``number``."""

    def make(
        number: int,
        *,
        kind: EntityType = EntityType.SESSIONS,
        conference: str = "c1",
        master: str = "cos=0.5",
        facets: dict[str, str] | None = None,
        **payload: Any,  # noqa: ANN401 - any JSON
    ) -> IndexedEntity:
        texts = {"master": master, **(facets or {})}
        return IndexedEntity(
            f"00000000-0000-4000-8000-{number:012}", kind, conference, f"Title {number}", texts, payload
        )

    return make


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
def other_embedder() -> WordEmbedder:
    """Another model, of the same size: only its name tells them apart."""
    return WordEmbedder(model="otherwords")


@pytest.fixture
async def vectors() -> AsyncIterator[Vectors]:
    """In memory: that a path and a server keep the same promises is shown in tests/services/test_vectors.py."""
    made = Vectors("embedded://")
    yield made
    await made.aclose()


@pytest.fixture
def writer(vectors: Vectors, embedder: WordEmbedder) -> IndexWriter:
    return IndexWriter(vectors, embedder)


@pytest.fixture
def index(vectors: Vectors, embedder: WordEmbedder) -> SearchIndex:
    return SearchIndex(vectors, embedder)


@pytest.fixture
def fill(writer: IndexWriter) -> Callable[..., Any]:
    """Makes a whole run over all types, of the entities handed in, and returns its report."""

    async def run(*entities: IndexedEntity, full: bool = False, by: IndexWriter | None = None) -> Any:  # noqa: ANN401 - an IndexReport
        async with await (by or writer).begin(list(EntityType), full=full) as build:
            await build.write(entities)
            for conference in sorted({one.conference_id for one in entities}):
                await build.close_conference(conference)
            return await build.finish()

    return run

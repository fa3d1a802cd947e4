"""A question is embedded once, whoever asks for its vector, and a failure is nobody's for long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.embeddings.remembering import RememberingEmbedder
from services.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Counting:
    """A text's vector is its length; waits while ``gate`` is closed."""

    family, identity, dimensions = "test", "test-counting-1", 1

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False
        self.closed = False

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(list(texts))
        await self.gate.wait()
        if self.fails:
            raise ServiceUnavailableError("embeddings", "away")
        return [[float(len(text))] for text in texts]

    async def aclose(self) -> None:
        self.closed = True


async def test_the_same_text_is_embedded_once_at_the_same_time_and_later() -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner)
    found = await asyncio.gather(*(embedder.embed(["who"]) for _ in range(5)))
    assert [*found, await embedder.embed(["who"])] == [[[3.0]]] * 6
    assert await embedder.embed(["what"]) == [[4.0]]
    assert inner.asked == [["who"], ["what"]]


async def test_batches_pass_through_and_push_out_no_question() -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner, kept=1)
    await embedder.embed(["who"])
    assert await embedder.embed(["a", "bb"]) == [[1.0], [2.0]]
    assert await embedder.embed([]) == []
    await embedder.embed(["who"])
    assert inner.asked == [["who"], ["a", "bb"], []]


async def test_those_asked_longest_ago_are_forgotten() -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner, kept=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        await embedder.embed([text])
    assert inner.asked == [["a"], ["b"], ["c"], ["b"]]


async def test_a_failure_is_not_remembered() -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner)
    inner.fails = True
    with pytest.raises(ServiceUnavailableError):
        await embedder.embed(["who"])
    inner.fails = False
    assert await embedder.embed(["who"]) == [[3.0]]


async def test_an_asker_that_is_cancelled_takes_the_vector_from_nobody() -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner)
    inner.gate.clear()
    first, second = (asyncio.create_task(embedder.embed(["who"])) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    inner.gate.set()
    assert await second == [[3.0]]
    assert inner.asked == [["who"]]


async def test_it_says_what_it_stands_for_and_closes_it() -> None:
    """An index that was built with the embedder fits."""
    inner = Counting()
    embedder = RememberingEmbedder(inner)
    assert (embedder.family, embedder.identity, embedder.dimensions) == ("test", "test-counting-1", 1)
    await embedder.aclose()
    assert inner.closed

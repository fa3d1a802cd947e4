"""Single texts, each embedded and paid for once."""

from __future__ import annotations

import asyncio
from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.embeddings.embedder import Embedder

__all__ = ["RememberingEmbedder"]

_KEPT = 256
"""Texts whose vectors are kept. 256 of 1,536 numbers are 3 MB as arrays; as lists of Python floats they were 13. To
make a list of one takes 17 µs, and a turn asks four times."""


class RememberingEmbedder:
    """Embeds as ``embedder`` does, and remembers single texts, which questions are.

    The router, the search and the tools of a turn ask with the same words, at the same time. Batches pass
    through: what is indexed is indexed once. The embedder is closed with this.
    """

    def __init__(self, embedder: Embedder, kept: int = _KEPT) -> None:
        self.family = embedder.family
        self.identity = embedder.identity
        self.dimensions = embedder.dimensions
        self._embedder = embedder
        self._kept = kept
        self._known: OrderedDict[str, array[float]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[list[float]]] = {}

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector for each text, in order; raises what the embedder raises, and forgets a failure."""
        if len(texts) != 1:
            return await self._embedder.embed(texts)
        return [await self._vector(texts[0])]

    async def aclose(self) -> None:
        """Close the embedder."""
        await self._embedder.aclose()

    async def _vector(self, text: str) -> list[float]:
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known.tolist()
        task = self._asked.get(text)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._embed(text))
            self._asked[text] = task
            task.add_done_callback(lambda done: self._settle(text, done))
        # One asker that is cancelled must not take the vector from the others.
        return await asyncio.shield(task)

    async def _embed(self, text: str) -> list[float]:
        return (await self._embedder.embed([text]))[0]

    def _settle(self, text: str, task: asyncio.Task[list[float]]) -> None:
        self._asked.pop(text, None)
        if task.cancelled() or task.exception() is not None:
            return
        self._known[text] = array("d", task.result())
        while len(self._known) > self._kept:
            self._known.popitem(last=False)

"""The vectors of questions, each paid for once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.embeddings.embedder import Embedder

__all__ = ["QuestionVectors"]

_KEPT = 256
"""Questions whose vectors are kept: 256 lists of 1,536 Python floats (32 bytes each with their place) are 13 MB."""


class QuestionVectors:
    """Embeds a question, and remembers: the tools of a turn ask with the same words, at the same time."""

    def __init__(self, embedder: Embedder, kept: int = _KEPT) -> None:
        self._embedder = embedder
        self._kept = kept
        self._known: OrderedDict[str, list[float]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[list[float]]] = {}

    async def vector(self, text: str) -> list[float]:
        """The unit vector of ``text``; raises what the embedder raises, and forgets a failure."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
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
        self._known[text] = task.result()
        while len(self._known) > self._kept:
            self._known.popitem(last=False)

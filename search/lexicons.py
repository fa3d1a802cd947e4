"""The lexicons of many conferences: read from the index when first asked for, kept within bounds."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from search.collection_names import master_name
from search.lexicon import Lexicon
from services.vectors import Match

if TYPE_CHECKING:
    from search.lexicon import Wording
    from search.query import EntityType
    from services.vectors import Vectors

    _Key = tuple[str, EntityType]

__all__ = ["Lexicons"]

_FRESH_S = 300.0
"""Counts move slowly. A word that came since is weighed as one that nobody uses, and is found by it all the same."""

_MAX_WORDS = 1_000_000
"""Of all lexicons together. A word takes 40 bytes (measured; its string is shared) to about 120 (it is nobody
else's); the packaged conference has 7,800 in its three types: 128 such are kept within 40 to 120 MB."""


class Lexicons:
    """Reads lexicons from the index and keeps those used last, of ``max_words`` words together.

    A conference is read by one task at a time, and no other waits for it. One that was read too long ago
    still answers while it is read again.
    """

    def __init__(self, vectors: Vectors, max_words: int = _MAX_WORDS, fresh_s: float = _FRESH_S) -> None:
        self._vectors = vectors
        self._max_words = max_words
        self._fresh_s = fresh_s
        self._kept: OrderedDict[_Key, tuple[float, Lexicon]] = OrderedDict()
        self._reading: dict[_Key, asyncio.Task[Lexicon]] = {}

    async def wording(self, question: str, conference_id: str, entity_type: EntityType) -> Wording:
        """The question's words, weighed in the conference. Raises NotFoundError where there is no index."""
        return (await self._lexicon((conference_id, entity_type))).wording(question)

    async def _lexicon(self, key: _Key) -> Lexicon:
        known = self._kept.get(key)
        if known is None:
            # One asker that is cancelled must not take the lexicon from the others.
            return await asyncio.shield(self._read_once(key))
        read_at, lexicon = known
        self._kept.move_to_end(key)
        if time.monotonic() - read_at > self._fresh_s:
            self._read_once(key)
        return lexicon

    def _read_once(self, key: _Key) -> asyncio.Task[Lexicon]:
        task = self._reading.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(*key))
            self._reading[key] = task
            task.add_done_callback(lambda done: self._settle(key, done))
        return task

    def _settle(self, key: _Key, task: asyncio.Task[Lexicon]) -> None:
        self._reading.pop(key, None)
        if task.cancelled() or task.exception() is not None:
            return  # whoever waits is told; a stale one goes on answering, and the next question tries again
        self._kept[key] = (time.monotonic(), task.result())
        self._kept.move_to_end(key)
        words = sum(lexicon.words for _, lexicon in self._kept.values())
        while words > self._max_words and len(self._kept) > 1:
            words -= self._kept.popitem(last=False)[1][1].words

    async def _read(self, conference_id: str, entity_type: EntityType) -> Lexicon:
        where = (Match("conference_id", conference_id),)
        pages = self._vectors.scroll(master_name(entity_type), where, only=("text",))
        texts = [str(record.payload.get("text", "")) async for page in pages for record in page]
        # 0.3 s for 1,000 sessions: other searches of this process go on meanwhile.
        return await asyncio.to_thread(Lexicon, texts)

"""The ways to search that are compared, each by its name, all asked alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search.collection_names import master_name
from search.lexicon import Lexicon
from search.points import shown_payload, title_of
from search.query import Found, SearchMode, SearchQuery, SearchResult
from search.words import FUNCTION_WORDS, stem, tokens
from services.vectors import Match

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from search.index import SearchIndex
    from search.query import EntityType
    from services.vectors import Vectors

__all__ = ["CONFIGURATIONS", "ask_with"]

CONFIGURATIONS = ("master", "faceted", "words", "bm25", "auto")
"""Whole profiles; facets by the published formula; the index's sparse vectors alone; textbook BM25; the default."""

_K1, _B = 1.2, 0.75
"""BM25's usual values (Robertson and Zaragoza 2009, 4.3)."""


def ask_with(
    configuration: str, index: SearchIndex, vectors: Vectors
) -> Callable[[SearchQuery], Awaitable[SearchResult]]:
    """The public search in the configuration's mode.

    BM25 is no mode, and reads the same index beside it. The index's sparse vectors say which words a text has, and are
    asked with BM25's weights; how often each word stands in a text they don't say, for ``auto`` would not use it.
    """
    if configuration == "bm25":
        return _Bm25(vectors).search
    mode = SearchMode(configuration)
    return lambda query: index.search(replace(query, mode=mode))


class _Bm25:
    """The profiles by BM25 (Robertson and Zaragoza 2009), over the same texts, words and stems as the index has."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._read: dict[EntityType, _Texts] = {}

    async def search(self, query: SearchQuery) -> SearchResult:
        if query.entity_type not in self._read:
            where = (Match("conference_id", query.conference_id),)
            pages = self._vectors.scroll(master_name(query.entity_type), where)
            self._read[query.entity_type] = _Texts([record.payload async for page in pages for record in page])
        texts = self._read[query.entity_type]
        scores = texts.scores(query.text)
        best = sorted((at for at, score in enumerate(scores) if score > 0), key=lambda at: -scores[at])[: query.limit]
        payloads = [(texts.payloads[at], scores[at]) for at in best]
        found = [
            Found(str(one["entity_id"]), query.entity_type, title_of(one), score, 0, {}, shown_payload(one))
            for one, score in payloads
        ]
        return SearchResult(SearchMode.AUTO, tuple(found))


class _Texts:
    """Word counts of one type's texts."""

    def __init__(self, payloads: Sequence[dict[str, Any]]) -> None:
        texts = [str(payload["text"]) for payload in payloads]
        self.payloads = payloads
        self._lexicon = Lexicon(texts)
        self._counts = [Counter(_stems(text)) for text in texts]
        self._mean_length = sum(counts.total() for counts in self._counts) / max(1, len(texts))

    def scores(self, question: str) -> list[float]:
        asked = set(_stems(question))
        return [sum(self._score(counts, word) for word in asked) for counts in self._counts]

    def _score(self, counts: Counter[str], word: str) -> float:
        often = counts[word]
        length = 1 - _B + _B * counts.total() / self._mean_length
        return self._lexicon.weight(word) * often * (_K1 + 1) / (often + _K1 * length) if often else 0.0


def _stems(text: str) -> list[str]:
    return [stem(part) for token in tokens(text) for part in token.parts if part not in FUNCTION_WORDS]

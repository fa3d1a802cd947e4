"""The ways to search that are compared, each by its name, all asked alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from search.collection_names import master_name
from search.lexicons import Lexicons
from search.points import shown_payload, title_of
from search.query import Found, SearchMode, SearchQuery, SearchResult
from services.vectors import Match, Nearest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from search.index import SearchIndex
    from services.vectors import Vectors

__all__ = ["CONFIGURATIONS", "ask_with"]

CONFIGURATIONS = ("master", "faceted", "bm25", "auto")
"""Whole profiles; facets by the published formula; words alone; the default."""


def ask_with(
    configuration: str, index: SearchIndex, vectors: Vectors
) -> Callable[[SearchQuery], Awaitable[SearchResult]]:
    """The public search in the configuration's mode; words alone are no mode, and ask the same index beside it."""
    if configuration == "bm25":
        words = _Words(vectors)
        return words.search
    mode = SearchMode(configuration)
    return lambda query: index.search(replace(query, mode=mode))


class _Words:
    """The question's words against the profiles' sparse vectors, weighed by inverse document frequency."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._lexicons = Lexicons(vectors)

    async def search(self, query: SearchQuery) -> SearchResult:
        wording = await self._lexicons.wording(query.text, query.conference_id, query.entity_type)
        where = (Match("conference_id", query.conference_id),)
        master = master_name(query.entity_type)
        hits = []
        if wording.weights:
            hits = await self._vectors.search(Nearest(master, wording.weights, query.limit, where))
        found = [
            Found(
                str(hit.payload["entity_id"]),
                query.entity_type,
                title_of(hit.payload),
                hit.score,
                0,
                {},
                shown_payload(hit.payload),
            )
            for hit in hits
        ]
        return SearchResult(SearchMode.AUTO, tuple(found))

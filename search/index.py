"""``SearchIndex``: the reading side. One public call, whatever the mode."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from search.collection_names import facets_name, master_name, names_of
from search.query import EntityType, SearchMode, SearchResult
from search.questions import QuestionVectors
from search.scoring import FETCH_FACTOR, ranked_by_both, ranked_by_facets, ranked_by_master
from search.standing import look_up
from search.thresholds import thresholds_for
from services.errors import InvalidInputError, NotFoundError
from services.vectors import AnyOf, Either, Match, Nearest, Range

if TYPE_CHECKING:
    from collections.abc import Iterable

    from search.query import Found, SearchQuery
    from services.embeddings.embedder import Embedder
    from services.vectors import Condition, Vectors

__all__ = ["MAX_LIMIT", "SearchIndex"]

MAX_LIMIT = 100
"""Results of one search at most."""

_MAX_QUESTION_CHARS = 2_000
"""What of a question is embedded: more is no question."""

_AUTO_FACETS, _AUTO_MASTERS = 15, 5
"""Points fetched for each wanted entity in ``auto``."""

_CHECKED_FOR_S = 5.0
"""How long a check of the index holds: a switch to another embedder is noticed within this, and a search
costs Qdrant no extra calls."""


class SearchIndex:
    """Searches by meaning within one conference. ``vectors`` and ``embedder`` are handed in and not closed."""

    def __init__(self, vectors: Vectors, embedder: Embedder) -> None:
        self._vectors = vectors
        self._embedder = embedder
        self._questions = QuestionVectors(embedder)
        self._thresholds = thresholds_for(embedder.family)
        self._checked_at: dict[str, float] = {}

    async def search(self, query: SearchQuery) -> SearchResult:
        """The entities that fit, best first; none for a conference that the index does not hold.

        The same words are embedded once, however many searches ask with them.
        Raises NotFoundError where there is no index at all, IndexMismatchError where it was built with
        another embedder, ServiceUnavailableError ("qdrant" or "embeddings"), InvalidInputError for a limit
        out of 1..100.
        """
        await self._check_for(query)
        return await self.search_with_vector(query, await self.question_vector(query.text))

    async def search_with_vector(self, query: SearchQuery, vector: list[float]) -> SearchResult:
        """As ``search``, with the question's vector (of this index's embedder) at hand."""
        if not 1 <= query.limit <= MAX_LIMIT:
            msg = f"limit wants a number from 1 to {MAX_LIMIT}"
            raise InvalidInputError(msg)
        await self._check_for(query)
        try:
            found = await self._found(query, vector)
        except NotFoundError:
            self._checked_at.clear()
            raise _not_indexed(query.conference_id) from None
        return SearchResult(query.mode, tuple(found), _filters_applied(query))

    async def question_vector(self, text: str) -> list[float]:
        """The unit vector of a question, embedded once for all that ask for it."""
        return await self._questions.vector(text[:_MAX_QUESTION_CHARS])

    async def check(self, entity_types: Iterable[EntityType] = EntityType) -> None:
        """Whether the index can be searched with this embedder, looked at now.

        Raises IndexMismatchError, or NotFoundError for a type that has never been indexed.
        """
        for standing in (await look_up(self._vectors, names_of(entity_types))).values():
            if standing.collection is None:
                msg = f"there is no index {standing.name} yet: run `erleah reindex`"
                raise NotFoundError(msg)
            mismatch = standing.mismatch(self._embedder)
            if mismatch is not None:
                raise mismatch

    async def counts(self, conference_id: str) -> dict[EntityType, int]:
        """How many entities of each type the index holds of a conference; 0 where there is no index."""
        where = (Match("conference_id", conference_id),)
        counted: dict[EntityType, int] = {}
        for kind in EntityType:
            try:
                counted[kind] = await self._vectors.count(master_name(kind), where)
            except NotFoundError:
                counted[kind] = 0
        return counted

    async def _check_for(self, query: SearchQuery) -> None:
        names = names_of([query.entity_type])
        now = time.monotonic()
        if all(now - self._checked_at.get(name, float("-inf")) < _CHECKED_FOR_S for name in names):
            return
        try:
            await self.check([query.entity_type])
        except NotFoundError:
            raise _not_indexed(query.conference_id) from None
        self._checked_at.update(dict.fromkeys(names, now))

    async def _found(self, query: SearchQuery, vector: list[float]) -> list[Found]:
        master, facets = master_name(query.entity_type), facets_name(query.entity_type)
        where, limit = _conditions(query), query.limit
        match query.mode:
            case SearchMode.MASTER:
                hits = await self._vectors.search(Nearest(master, vector, limit, where, self._thresholds.master))
                return ranked_by_master(hits, limit)
            case SearchMode.FACETED:
                hits = await self._vectors.search(
                    Nearest(facets, vector, limit * FETCH_FACTOR, where, self._thresholds.facet)
                )
                return ranked_by_facets(hits, limit)
            case SearchMode.AUTO:
                facet_hits, master_hits = await self._vectors.search_many(
                    [
                        Nearest(facets, vector, limit * _AUTO_FACETS, where),
                        Nearest(master, vector, limit * _AUTO_MASTERS, where),
                    ]
                )
                found = ranked_by_both(facet_hits, master_hits, limit)
                # The best one decides whether there is an answer at all; what trails it is in order of nearness.
                return found if found and found[0].score >= self._thresholds.auto else []


def _conditions(query: SearchQuery) -> tuple[Condition, ...]:
    """What a point must meet. Only sessions have a time and a room."""
    where: list[Condition] = [Match("conference_id", query.conference_id)]
    if query.entity_type is EntityType.SESSIONS:
        if query.times:
            where.append(Either(tuple(Range("start_time", span.start, span.end) for span in query.times)))
        if query.rooms:
            where.append(AnyOf("room", query.rooms))
    return tuple(where)


def _filters_applied(query: SearchQuery) -> dict[str, Any]:
    """The filters, as an operator is shown them; times are [start, end] in ISO 8601, None where open."""
    applied: dict[str, Any] = {"conference_id": query.conference_id}
    if query.entity_type is EntityType.SESSIONS:
        if query.times:
            applied["times"] = [
                [span.start and span.start.isoformat(), span.end and span.end.isoformat()] for span in query.times
            ]
        if query.rooms:
            applied["rooms"] = list(query.rooms)
    return applied


def _not_indexed(conference_id: str) -> NotFoundError:
    return NotFoundError(f"conference {conference_id[:64]} is not indexed: run `erleah reindex`")

"""``SearchIndex``: the reading side. One public call, whatever the mode."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from search.collection_names import facets_name, master_name, names_of
from search.entity import MASTER_KEY
from search.evidence import evidence, narrowed
from search.filler import Filler, has_subject, leaning_to, subject_words
from search.floors import Floors
from search.lexicon import Wording
from search.lexicons import Lexicons
from search.naming import less_chance
from search.neighbours import Neighbours
from search.points import point_id
from search.query import EntityType, SearchMode, SearchResult
from search.scoring import (
    FETCH_FACTOR,
    Ranked,
    asks_by_name,
    ranked_by_all,
    ranked_by_facets,
    ranked_by_master,
    with_payload,
)
from search.standing import look_up
from search.thresholds import thresholds_for
from services.errors import InvalidInputError, NotFoundError
from services.vectors import AnyOf, Either, Every, Match, Nearest, Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from search.query import Found, SearchQuery, TimeRange
    from services.embeddings.embedder import Embedder
    from services.vectors import Condition, Hit, Vectors

__all__ = ["MAX_LIMIT", "SearchIndex"]

MAX_LIMIT = 100
"""Results of one search at most."""

_MAX_QUESTION_CHARS = 2_000
"""What of a question is embedded: more is no question."""

_AUTO_FACETS, _AUTO_MASTERS, _AUTO_WORDS = 25, 5, 3
"""Points fetched for each wanted entity in ``auto``. More than 25 facets change no figure (docs/search.md)."""

_IN_BRIEF = ("entity_id", "entity_type", "facet_key")
"""What is asked of 250 facets and 50 profiles; whole payloads would be most of the search's cost."""

_AUTO_LEAST = 10
"""However few are wanted, as many come near as if it were ten: their scores decide whether there is an answer."""

_EVERYWHERE = 3
"""Entities for which points are fetched to see whether the conference has the subject at all, times and rooms aside."""

_NEAR = 3
"""Offers in place of an answer."""

_CHECKED_FOR_S = 5.0
"""How long a check of the index holds: a switch to another embedder is noticed within this, and a search
costs Qdrant no extra calls."""


@dataclass(frozen=True, slots=True)
class _Near:
    """Hits by facet, by profile, and by words."""

    facets: Sequence[Hit]
    masters: Sequence[Hit]
    words: Sequence[Hit]

    def ranked(self, limit: int) -> Ranked:
        return ranked_by_all(self.facets, self.masters, self.words, limit)


class SearchIndex:
    """Searches by meaning within one conference. ``vectors`` and ``embedder`` are handed in and not closed."""

    def __init__(self, vectors: Vectors, embedder: Embedder) -> None:
        self._vectors = vectors
        self._embedder = embedder
        self._thresholds = thresholds_for(embedder.identity)
        self._checked_at: dict[str, float] = {}
        self._checking = asyncio.Lock()
        self._has_words: dict[str, bool] = {}
        self._filler = Filler(embedder)
        self._lexicons = Lexicons(vectors)
        self._neighbours = Neighbours(vectors, embedder)
        self._floors = Floors(vectors, embedder, self._filler)

    async def search(self, query: SearchQuery) -> SearchResult:
        """The entities that fit, best first; none for a conference that the index does not hold.

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
            if query.mode is SearchMode.AUTO:
                return await self._by_all(query, vector)
            return SearchResult(query.mode, tuple(await self._by_one(query, vector)), _filters_applied(query))
        except NotFoundError:
            self._checked_at.clear()
            raise _not_indexed(query.conference_id) from None

    async def question_vector(self, text: str) -> list[float]:
        """The unit vector of a question."""
        return (await self._embedder.embed([text[:_MAX_QUESTION_CHARS]]))[0]

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
        if self._is_checked(query.entity_type):
            return
        async with self._checking:  # of a hundred turns that begin at once, one looks
            if self._is_checked(query.entity_type):
                return
            now = time.monotonic()
            try:
                await self.check([query.entity_type])
            except NotFoundError:
                raise _not_indexed(query.conference_id) from None
            master = master_name(query.entity_type)
            self._has_words[master] = await self._vectors.has_words(master)
            self._checked_at.update(dict.fromkeys(names_of([query.entity_type]), now))

    def _is_checked(self, entity_type: EntityType) -> bool:
        now = time.monotonic()
        return all(now - self._checked_at.get(name, float("-inf")) < _CHECKED_FOR_S for name in names_of([entity_type]))

    async def _by_one(self, query: SearchQuery, vector: list[float]) -> list[Found]:
        """All modes but ``auto``: one search, one formula."""
        where, limit = _conditions(query), query.limit
        if query.mode is SearchMode.WORDS:
            wording = await self._wording(query, query.text[:_MAX_QUESTION_CHARS])
            if not wording.weights:
                return []
            hits = await self._vectors.search(Nearest(master_name(query.entity_type), wording.weights, limit, where))
            return ranked_by_master(hits, limit)
        if query.mode is SearchMode.MASTER:
            name = master_name(query.entity_type)
            hits = await self._vectors.search(Nearest(name, vector, limit, where, self._thresholds.master))
            return ranked_by_master(hits, limit)
        name = facets_name(query.entity_type)
        hits = await self._vectors.search(Nearest(name, vector, limit * FETCH_FACTOR, where, self._thresholds.facet))
        return ranked_by_facets(hits, limit)

    async def _by_all(self, query: SearchQuery, vector: list[float]) -> SearchResult:
        """Mode ``auto``: facets, profiles and words at once, and a decision whether that is an answer.

        A vague question that has one is asked once more, drawn to what lies nearest in the conference. That is
        for the order only: everything is near to what it was drawn to, so it is no evidence.
        """
        text = query.text[:_MAX_QUESTION_CHARS]
        master = master_name(query.entity_type)
        subject = await self._subject(text, vector, query.entity_type) if text.strip() else vector
        wording = await self._wording(query, text)
        near = await self._near(query, subject, wording, _breadth(query))
        ranked = near.ranked(query.limit)
        # A question without a subject ("what is on in Hall A?") asks for whatever the filters leave.
        subjectless = not has_subject(text)
        weighed = evidence(text, ranked.meanings, wording, near.words)
        if _is_narrowed(query) and not subjectless:
            everywhere = await self._near(replace(query, times=(), rooms=()), subject, wording, _EVERYWHERE)
            whole = evidence(text, everywhere.ranked(0).meanings, wording, everywhere.words)
            weighed = narrowed(whole, ranked.meanings, wording, near.words)
        measured = self._thresholds.auto
        threshold = await self._floors.floor(query.conference_id) if measured is None else measured
        answered = subjectless or weighed.strength >= threshold
        drawn_to: list[str] = []
        if ranked.found and answered and not subjectless and not asks_by_name(near.words):
            drawn, drawn_to = await self._neighbours.draw(subject, query.conference_id)
            facets, masters = await self._vectors.search_many(_by_meaning(query, drawn, _breadth(query)))
            ranked = _Near(facets, masters, near.words).ranked(query.limit)
        explain = {
            "evidence": round(weighed.strength, 4),
            "threshold": round(threshold, 4),
            "has_subject": not subjectless,
            "words_indexed": self._has_words.get(master, False),
            "corrected": wording.corrected,
            "unknown_names": list(weighed.unknown_names),
            "unkept": weighed.unkept,
            "unheard": list(weighed.unheard),
            "drawn_to": drawn_to,
        }
        shown = await self._in_full(master, ranked.found, {hit.id for hit in near.words})
        filters = _filters_applied(query)
        if answered:
            return SearchResult(query.mode, tuple(shown), filters, explain=explain)
        return SearchResult(query.mode, (), filters, near=tuple(shown[:_NEAR]), explain=explain)

    async def _near(self, query: SearchQuery, subject: list[float], wording: Wording, breadth: int) -> _Near:
        """What comes near by meaning and by words."""
        wanted = _by_meaning(query, subject, breadth)
        if wording.weights:
            master = master_name(query.entity_type)
            wanted.append(Nearest(master, wording.weights, breadth * _AUTO_WORDS, _conditions(query)))
        facets, masters, *by_words = await self._vectors.search_many(wanted)
        return _Near(facets, masters, less_chance(by_words[0], wording) if by_words else [])

    async def _subject(self, text: str, vector: list[float], entity_type: EntityType) -> list[float]:
        """The question's vector with more of its subject and less of the asking."""
        words = subject_words(text)
        if words and words != text:
            vector = leaning_to(vector, await self.question_vector(words))
        return await self._filler.taken_out(vector, entity_type)

    async def _in_full(self, master: str, found: list[Found], in_full: set[str]) -> list[Found]:
        """With whole payloads, for those that only facets had found."""
        ids = {one.entity_id: point_id(one.entity_id, MASTER_KEY) for one in found}
        missing = [one for one in ids.values() if one not in in_full]
        if not missing:
            return found
        payloads = {record.id: record.payload for record in await self._vectors.retrieve(master, missing)}
        shown = []
        for one in found:
            payload = payloads.get(ids[one.entity_id])
            if payload is not None:
                shown.append(with_payload(one, payload))
            elif ids[one.entity_id] in in_full:
                shown.append(one)
            # Else it was deleted since it was found.
        return shown

    async def _wording(self, query: SearchQuery, text: str) -> Wording:
        """The question's words; none where the index was built before it kept words (``reindex --full`` mends that)."""
        if not self._has_words.get(master_name(query.entity_type)):
            return Wording()
        return await self._lexicons.wording(text, query.conference_id, query.entity_type)


def _breadth(query: SearchQuery) -> int:
    """For how many entities points are fetched."""
    return max(query.limit, _AUTO_LEAST)


def _by_meaning(query: SearchQuery, subject: list[float], breadth: int) -> list[Nearest]:
    """The facets and the profiles that are nearest to a vector, for so many entities."""
    where = _conditions(query)
    return [
        Nearest(facets_name(query.entity_type), subject, breadth * _AUTO_FACETS, where, only=_IN_BRIEF),
        Nearest(master_name(query.entity_type), subject, breadth * _AUTO_MASTERS, where, only=_IN_BRIEF),
    ]


def _conditions(query: SearchQuery) -> tuple[Condition, ...]:
    """What a point must meet. Only sessions have a time and a room."""
    where: list[Condition] = [Match("conference_id", query.conference_id)]
    if query.entity_type is EntityType.SESSIONS:
        if query.times:
            where.append(Either(tuple(map(_in_time, query.times))))
        if query.rooms:
            where.append(AnyOf("room", query.rooms))
    return tuple(where)


def _is_narrowed(query: SearchQuery) -> bool:
    """Whether times or rooms have left fewer entities; nobody but sessions has them."""
    return query.entity_type is EntityType.SESSIONS and bool(query.times or query.rooms)


def _in_time(span: TimeRange) -> Every:
    begins = Range("start_time", span.start, span.end)
    return Every((begins, Range("end_time", span.runs_at)) if span.runs_at else (begins,))


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

"""What lies nearest in the whole conference, whatever its type, names a vague question's subject in its own words.

"Our data store is buckling as user numbers grow" is nearest to a talk on scaling and to a vendor of caches; what they
are called draws the question's vector to where speakers on the same subject are. The neighbours of the asked type
alone do not: they only repeat what was found already. This is Rocchio's feedback (1971) with names in place of
whole texts, whose vectors the index would have to give back. docs/search.md has what it was measured to do.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from search.collection_names import master_name
from search.points import title_of
from search.query import EntityType
from search.standing import look_up
from services.vectors import Match, Nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.embeddings.embedder import Embedder
    from services.vectors import Vectors

__all__ = ["NEIGHBOURS", "Neighbours", "drawn_to", "subject_of"]

NEIGHBOURS = 3
"""Profiles over all types; 2 to 5 are alike within the noise."""

_SHARE = 0.2
"""Of the neighbours' mean vector, added to the question's; 0.15 to 0.3 are alike within the noise."""

_NAMING = ("entity_id", "entity_type", "title", "name", "topics", "sessions", "category")
"""What ``subject_of`` reads."""

_MAX_CHARS = 300
"""Of a speaker with a dozen sessions the first few name the subject."""

_KEPT = 2_000
"""Subjects whose vectors are kept, as 32-bit floats: 12 MB with 1,536 dimensions."""

_CHECKED_FOR_S = 5.0


def subject_of(payload: Mapping[str, Any]) -> str:
    """What a profile is about, by its master point's payload.

    A session's title; the titles of a speaker's sessions (a person's name says nothing), or else the topics; an
    exhibitor's name and category.
    """
    title = title_of(payload)
    match payload.get("entity_type"):
        case EntityType.SPEAKERS:
            titles = [str(one.get("title") or "") for one in payload.get("sessions") or []]
            said = ". ".join(filter(None, titles)) or ", ".join(map(str, payload.get("topics") or [])) or title
        case EntityType.EXHIBITORS:
            said = ". ".join(filter(None, (title, str(payload.get("category") or ""))))
        case _:
            said = title
    return said[:_MAX_CHARS]


def drawn_to(question: Sequence[float], subjects: Sequence[Sequence[float]], share: float = _SHARE) -> list[float]:
    """The question's unit vector, drawn towards the mean of its neighbours' subjects; of length one again."""
    mean = np.asarray(subjects, dtype=np.float64).mean(axis=0)
    length = float(np.linalg.norm(mean))
    if not length:
        return list(question)
    both = np.asarray(question) + share * mean / length
    drawn: list[float] = (both / np.linalg.norm(both)).tolist()
    return drawn


class Neighbours:
    """Finds what lies nearest to a question, and remembers the vectors of what it is called."""

    def __init__(self, vectors: Vectors, embedder: Embedder) -> None:
        self._vectors = vectors
        self._embedder = embedder
        self._known: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._comparable: tuple[EntityType, ...] = ()
        self._checked_at = float("-inf")

    async def draw(self, question: list[float], conference_id: str) -> tuple[list[float], list[str]]:
        """The question's vector with a share of its neighbours' subjects, and these; as it is where there are none.

        Raises what embedder and index raise.
        """
        where = (Match("conference_id", conference_id),)
        wanted = [Nearest(master_name(kind), question, NEIGHBOURS, where, only=_NAMING) for kind in await self._types()]
        found = [hit for hits in await self._vectors.search_many(wanted) for hit in hits]
        nearest = sorted(found, key=lambda hit: (-hit.score, hit.id))[:NEIGHBOURS]
        said = [text for text in (subject_of(hit.payload) for hit in nearest) if text.strip()]
        if not said:
            return question, []
        # One text a call: a quantised model's vectors depend on the batch, and the same search must give the same list.
        return drawn_to(question, await asyncio.gather(*map(self._vector, said))), said

    async def _vector(self, subject: str) -> Sequence[float]:
        known = self._known.get(subject)
        if known is None:
            [embedded] = await self._embedder.embed([subject])
            known = self._known[subject] = np.asarray(embedded, dtype=np.float32)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(subject)
        listed: list[float] = known.tolist()
        return listed

    async def _types(self) -> tuple[EntityType, ...]:
        """The types with profiles of this embedder: another's vectors can't be compared, and one may not be indexed."""
        if time.monotonic() - self._checked_at > _CHECKED_FOR_S:
            standings = await look_up(self._vectors, map(master_name, EntityType))
            self._comparable = tuple(
                kind
                for kind in EntityType
                if standings[master_name(kind)].collection is not None
                and standings[master_name(kind)].mismatch(self._embedder) is None
            )
            self._checked_at = time.monotonic()
        return self._comparable

"""``Build``: one run of indexing over many entities."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from search.collection_names import facets_name, master_name
from search.difference import difference
from search.entity import MASTER_KEY, IndexReport
from search.points import INDEXED_AT, TOMBSTONE, point_id, point_payload, texts_by_key, words_of
from services.errors import ConflictError, NotFoundError
from services.vectors import AnyOf, Match, Not, Point

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from search.entity import IndexedEntity
    from services.embeddings.embedder import Embedder
    from services.vectors import Condition, Vectors

__all__ = ["Build", "Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """What kind of run it is.

    ``targets`` are the collections it writes into, by alias name. ``beside``: they are new, and go live at
    the end. ``embed_all``: unchanged texts are embedded again. ``over_all``: it sees every conference.
    """

    targets: Mapping[str, str]
    beside: bool
    embed_all: bool
    over_all: bool


class Build:
    """One run. ``write`` any number of batches, ``close_conference`` after each conference, then ``finish``.

    Use it as ``async with await writer.begin(...) as build``: leaving without ``finish`` abandons it. A
    full run that is abandoned leaves the live index untouched; one in place leaves what it has written.
    ``report`` is the sum of what has been done so far.
    """

    def __init__(self, vectors: Vectors, embedder: Embedder, run: Run) -> None:
        self.report = IndexReport()
        self._vectors = vectors
        self._embedder = embedder
        self._run = run
        self._targets = run.targets
        self._began_at = time.time()
        self._written: dict[str, set[str]] = {}
        self._closed: list[str] = []
        self._ended = False

    async def write(self, entities: Sequence[IndexedEntity]) -> IndexReport:
        """Index a batch, of one type or several; 32 to 128 entities at a time serve the embedders best.

        Raises ConflictError when another full run has begun since, which ends this one.
        """
        if self._run.beside:
            report = await self._write_beside(entities)
        else:
            found = await difference(
                self._vectors, entities, self._targets, embed_all=self._run.embed_all, not_since=self._began_at
            )
            report = await found.write(self._vectors, self._embedder)
        for entity in entities:
            self._written.setdefault(entity.conference_id, set()).update(
                point_id(entity.entity_id, key) for key in texts_by_key(entity)
            )
        self.report += report
        return report

    async def close_conference(self, conference_id: str) -> IndexReport:
        """Say that all entities of this conference have been written; what was not written is deleted."""
        written = self._written.pop(conference_id, set())
        self._closed.append(conference_id)
        deleted = 0
        if not self._run.beside:
            for name in self._targets.values():
                deleted += await self._delete_unseen(name, (Match("conference_id", conference_id),), written)
        report = IndexReport(points_deleted=deleted)
        self.report += report
        return report

    async def finish(self) -> IndexReport:
        """End the run and return its report.

        A full one goes live, for all its types in one step. One in place over all conferences deletes
        what belongs to none of those that were closed (unless none was).
        """
        if self._run.beside:
            await self._go_live()
        elif self._run.over_all and self._closed:
            unseen = (Not(AnyOf("conference_id", tuple(self._closed))),)
            for name in self._targets.values():
                self.report += IndexReport(points_deleted=await self._delete_unseen(name, unseen, set()))
        self._ended = True
        return self.report

    async def abandon(self) -> None:
        """Give the run up: a full one's new collections are dropped. Search goes on with what is live."""
        if self._run.beside and not self._ended:
            for collection in self._targets.values():
                await self._vectors.drop_collection(collection)
        self._ended = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._ended:
            await self.abandon()

    async def _write_beside(self, entities: Sequence[IndexedEntity]) -> IndexReport:
        """Into the new collections, where a single update has not written before us."""
        keyed = [(entity, key, text) for entity in entities for key, text in texts_by_key(entity).items()]
        vectors = await self._embedder.embed([text for _, _, text in keyed])
        points: dict[str, list[Point]] = {name: [] for name in self._targets}
        for (entity, key, text), vector in zip(keyed, vectors, strict=True):
            name = master_name(entity.entity_type) if key == MASTER_KEY else facets_name(entity.entity_type)
            payload = point_payload(entity, key, text)
            points[name].append(Point(point_id(entity.entity_id, key), vector, payload, words_of(payload)))
        try:
            for name, collection in self._targets.items():
                await self._vectors.upsert(collection, points[name], keep_existing=True)
        except NotFoundError as error:
            raise _overtaken() from error
        return IndexReport(entities=len(entities), texts_embedded=len(keyed))

    async def _go_live(self) -> None:
        collections = await self._vectors.collections()
        if not set(self._targets.values()) <= set(collections):
            raise _overtaken()
        before = await self._vectors.aliases()
        for name in self._targets:
            # A collection that someone made under our alias's name must go before the alias can be.
            if name in collections:
                await self._vectors.drop_collection(name)
        try:
            await self._vectors.switch_aliases(self._targets)
        except NotFoundError as error:
            raise _overtaken() from error
        for name, collection in self._targets.items():
            await self._vectors.delete_where(collection, (Match(TOMBSTONE, "yes"),))
            if name in before and before[name] != collection:
                await self._vectors.drop_collection(before[name])

    async def _delete_unseen(self, collection: str, where: Sequence[Condition], seen: set[str]) -> int:
        """Delete the points of ``where`` that are not ``seen``, but for what single updates wrote meanwhile."""
        unseen = [
            record.id
            async for page in self._vectors.scroll(collection, where)
            for record in page
            if record.id not in seen and float(record.payload.get(INDEXED_AT) or 0.0) <= self._began_at
        ]
        await self._vectors.delete(collection, unseen)
        return len(unseen)


def _overtaken() -> ConflictError:
    return ConflictError("qdrant", "another full reindex began meanwhile and took this one's place")

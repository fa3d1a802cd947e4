"""``IndexWriter``: what the librarian writes with. Runs over many entities (``Build``), and single ones.

How nothing is lost and search is never dark:

- A run that is not full compares text hashes with what is live and writes the differences in place.
- A full run fills new collections beside the live ones, with ids of its own in their names, and lets
  all aliases stand for them in one call; then it drops the old. A crashed run's collections are not
  live, and the next full run removes them.
- A single update or deletion that comes while a full run is under way (in whichever process) sees the
  run's collections in Qdrant and writes into the live ones *and* into those. The run inserts only where
  no point is yet, so what the update wrote, which was read from Directus later, stays. What an update
  deletes, or a facet it no longer has, leaves a tombstone there, which no search finds (it belongs to no
  conference) and which the run removes at its end.
- A run in place does not touch an entity that a single update wrote after the run began.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from search.build import Build, Run
from search.collection_names import (
    FIRST_BUILD,
    built_name,
    facets_name,
    master_name,
    names_of,
    new_build_id,
    stamp_of,
)
from search.difference import difference, known_keys
from search.entity import MASTER_KEY, IndexReport, StoredEntity
from search.points import INDEXED_AT, PAYLOAD_INDEXES, TOMBSTONE, point_id, point_payload, texts_by_key, words_of
from search.standing import look_up
from services.errors import NotFoundError
from services.vectors import Match, Not, Point, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.entity import IndexedEntity
    from search.query import EntityType
    from search.standing import Standing
    from services.embeddings.embedder import Embedder
    from services.vectors import Vectors

__all__ = ["IndexWriter"]


class IndexWriter:
    """Writes entities into the index. ``vectors`` and ``embedder`` are handed in and not closed.

    Every method raises ServiceUnavailableError when Qdrant or the embedder is away: the same call
    may then be made again, whole.
    """

    def __init__(self, vectors: Vectors, embedder: Embedder) -> None:
        self._vectors = vectors
        self._embedder = embedder

    async def begin(self, entity_types: Sequence[EntityType], *, full: bool, conference_id: str | None = None) -> Build:
        """Begin a run over these types: of one conference (the run's scope), or of all.

        Not ``full``: writes into the live index, embedding changed texts only (and makes the index where
        there is none). ``full``: embeds everything; builds new collections beside the live ones, which go
        live at ``finish()``. A full run of one conference among several embeds that one again, in place.

        Raises IndexMismatchError when the index has another embedder, unless the run is full and over
        all conferences that the index holds.
        """
        names = names_of(entity_types)
        standings = await look_up(self._vectors, names)
        beside = full and (conference_id is None or not await self._holds_others(standings, conference_id))
        if beside:
            targets = await self._make_beside(standings)
        else:
            await self._make_missing(standings)
            targets = {name: name for name in names}
        run = Run(targets, beside=beside, embed_all=full, over_all=conference_id is None)
        return Build(self._vectors, self._embedder, run)

    async def upsert(self, entity: IndexedEntity) -> IndexReport:
        """Index one changed entity at once; only its changed texts are embedded, unless a full run is under way.

        Raises IndexMismatchError when the index has another embedder and no full run with ours is under way.
        """
        names = names_of([entity.entity_type])
        standings = await look_up(self._vectors, names)
        # While a full run is changing the embedder, the live index can't take our vectors; the new one can.
        into_live = all(standing.mismatch(self._embedder) is None for standing in standings.values())
        beside = {name: self._under_way(standing) for name, standing in standings.items()}
        if into_live or not any(beside.values()):
            await self._make_missing(standings)
        report = IndexReport(entities=1)
        if any(beside.values()):
            report = await self._write_beside(entity, beside)
        if into_live:
            found = await difference(self._vectors, [entity], {name: name for name in names})
            report = await found.write(self._vectors, self._embedder, stamp=time.time())
        return report

    async def delete(self, entity_type: EntityType, entity_id: str) -> IndexReport:
        """Forget one entity at once; no error when it, or the index, is not there."""
        standings = await look_up(self._vectors, names_of([entity_type]))
        where = (Match("entity_id", entity_id),)
        deleted = 0
        for standing in standings.values():
            for collection in self._under_way(standing):
                await self._bury(collection, standing.name, entity_type, entity_id, frozenset())
            if standing.collection is not None:
                deleted += await self._vectors.count(standing.name, where)
                await self._vectors.delete_where(standing.name, where)
        return IndexReport(points_deleted=deleted)

    async def stored(self, conference_id: str, entity_type: EntityType) -> dict[str, StoredEntity]:
        """What the live index holds of a conference, by entity id; empty where there is no index.

        Texts are readable whichever embedder the index was built with.
        """
        return await self._stored(entity_type, Match("conference_id", conference_id))

    async def stored_entity(self, entity_type: EntityType, entity_id: str) -> StoredEntity | None:
        """What the live index holds of one entity."""
        return (await self._stored(entity_type, Match("entity_id", entity_id))).get(entity_id)

    async def stored_with(self, entity_type: EntityType, key: str, value: str) -> dict[str, StoredEntity]:
        """What the live index holds of the entities whose payload has ``value`` (in a list, too) under ``key``."""
        return await self._stored(entity_type, Match(key, value))

    async def _stored(self, entity_type: EntityType, where: Match) -> dict[str, StoredEntity]:
        found: dict[str, StoredEntity] = {}
        for name in (master_name(entity_type), facets_name(entity_type)):
            try:
                async for page in self._vectors.scroll(name, (where,)):
                    for record in page:
                        _put(found, record)
            except NotFoundError:
                continue
        return found

    async def _holds_others(self, standings: dict[str, Standing], conference_id: str) -> bool:
        others = (Not(Match("conference_id", conference_id)),)
        for standing in standings.values():
            if standing.collection is not None and await self._vectors.count(standing.name, others):
                return True
        return False

    async def _make_missing(self, standings: dict[str, Standing]) -> None:
        """Make what is not there; raise IndexMismatchError for what is there and not ours to write."""
        for standing in standings.values():
            mismatch = standing.mismatch(self._embedder)
            if mismatch is not None:
                raise mismatch
        missing = {
            name: built_name(name, self._embedder.identity, FIRST_BUILD)
            for name, standing in standings.items()
            if standing.collection is None
        }
        for collection in missing.values():
            await self._create(collection)
        await self._vectors.switch_aliases(missing)

    async def _make_beside(self, standings: dict[str, Standing]) -> dict[str, str]:
        """New collections for a full run; what an earlier one left behind is removed."""
        build_id = new_build_id()
        targets = {name: built_name(name, self._embedder.identity, build_id) for name in standings}
        for standing in standings.values():
            for leftover in standing.others:
                await self._vectors.drop_collection(leftover)
            await self._create(targets[standing.name])
        return targets

    async def _create(self, collection: str) -> None:
        await self._vectors.create_collection(collection, self._embedder.dimensions, PAYLOAD_INDEXES, words=True)

    def _under_way(self, standing: Standing) -> list[str]:
        """Collections of full runs that may still go live with our embedder."""
        return [one for one in standing.others if stamp_of(one) == self._embedder.identity]

    async def _write_beside(self, entity: IndexedEntity, beside: dict[str, list[str]]) -> IndexReport:
        texts = texts_by_key(entity)
        vectors = dict(zip(texts, await self._embedder.embed(list(texts.values())), strict=True))
        for name, collections in beside.items():
            is_master = name == master_name(entity.entity_type)
            points = [
                Point(point_id(entity.entity_id, key), vectors[key], payload, words_of(payload))
                for key, text in texts.items()
                for payload in [point_payload(entity, key, text)]
                if (key == MASTER_KEY) is is_master
            ]
            for collection in collections:
                try:
                    await self._vectors.upsert(collection, points)
                except NotFoundError:
                    continue  # the run was given up, or has just gone live and an even newer one removed it
                await self._bury(collection, name, entity.entity_type, entity.entity_id, frozenset(texts))
        return IndexReport(entities=1, texts_embedded=len(texts))

    async def _bury(
        self, collection: str, name: str, entity_type: EntityType, entity_id: str, living: frozenset[str]
    ) -> None:
        """Leave tombstones in a full run's collection where the entity has no text."""
        nowhere = [1.0, *([0.0] * (self._embedder.dimensions - 1))]
        graves = [
            Point(point_id(entity_id, key), nowhere, {TOMBSTONE: "yes"})
            for key in known_keys(entity_type, is_master=name == master_name(entity_type))
            if key not in living
        ]
        try:
            await self._vectors.upsert(collection, graves)
        except NotFoundError:
            return  # the run was given up


def _put(found: dict[str, StoredEntity], record: Record) -> None:
    """Add one point to what is known of its entity."""
    payload = {key: value for key, value in record.payload.items() if key != INDEXED_AT}
    entity_id = str(payload.get("entity_id", ""))
    key = str(payload.get("facet_key", MASTER_KEY))
    entity = found.setdefault(entity_id, StoredEntity(entity_id, {}, {}))
    entity.texts[key] = str(payload.get("text", ""))
    if key == MASTER_KEY or not entity.payload:
        entity.payload.clear()
        entity.payload.update(payload)

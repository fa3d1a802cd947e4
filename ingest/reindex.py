"""Indexing all of one conference, or all of all, again.

Rows flow through in batches: at no time is more held than one batch's texts and, for the facet
writer that costs money, what the index has of the conference in hand.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from assistants.conference.conference_cache import forget_facts
from ingest.entities import indexed_entity, source_hash, zone_of
from ingest.facet_writers.writer import Facets
from ingest.reading import Problems, count_rows, note_strays, read_conferences, read_rows
from search.entity import MASTER_KEY
from search.query import EntityType
from services.errors import InvalidInputError, ServiceUnavailableError
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import tzinfo

    from ingest.rows import Row
    from ingest.services import IngestServices
    from search.build import Build
    from search.entity import IndexedEntity, StoredEntity
    from services.queue.jobs import ReindexJob

__all__ = ["reindex", "write_facets"]

_BATCH = 64
"""Entities at a time: about 400 texts, which every embedder takes well."""

log = get_logger(__name__)


async def reindex(job: ReindexJob, services: IngestServices) -> dict[str, Any]:
    """Do the job and say what was done, as JSON.

    ``{conferences, entities, texts_embedded, texts_unchanged, deleted, facet_fallbacks, skipped,
    problems, seconds}``; ``skipped`` rows could not be indexed, ``problems`` names the first fifty.

    Raises InvalidInputError for an unknown type, NotFoundError for an unknown conference,
    IndexMismatchError when only a full run will do, ConflictError when another full run overtook this
    one, and ServiceUnavailableError when a service is away: what was live stays live, and the same
    job may be done again.
    """
    return await _Reindex(job, services).run()


class _Reindex:
    """One run and what it has counted so far."""

    def __init__(self, job: ReindexJob, services: IngestServices) -> None:
        self._job = job
        self._services = services
        self._types = _types_of(job.entity_type)
        self._problems = Problems()
        self._fallbacks = 0
        self._done = 0
        self._total = 0

    async def run(self) -> dict[str, Any]:
        began = time.monotonic()
        conferences = await read_conferences(self._services.directus, self._job.conference_id)
        await self._count(conferences)
        begin = self._services.index.begin(self._types, full=self._job.full, conference_id=self._job.conference_id)
        async with await begin as build:
            for conference in conferences:
                await self._index_conference(conference, build)
            await self._note_strays()
            report = await build.finish()
        await self._tell("done")
        result = {
            "conferences": len(conferences),
            "entities": report.entities,
            "texts_embedded": report.texts_embedded,
            "texts_unchanged": report.texts_unchanged,
            "deleted": report.points_deleted,
            "facet_fallbacks": self._fallbacks,
            "skipped": self._problems.count,
            "seconds": round(time.monotonic() - began, 2),
        }
        log.info("reindexed", full=self._job.full, **result)
        return result | {"problems": self._problems.first}

    async def _count(self, conferences: list[dict[str, Any]]) -> None:
        for conference in conferences:
            for entity_type in self._types:
                self._total += await count_rows(self._services.directus, entity_type, str(conference["id"]))

    async def _note_strays(self) -> None:
        if self._job.conference_id is None:
            for entity_type in self._types:
                await note_strays(self._services.directus, entity_type, self._problems)

    async def _index_conference(self, conference: dict[str, Any], build: Build) -> None:
        conference_id, zone = str(conference["id"]), zone_of(conference)
        await forget_facts(conference_id, self._services.redis)
        for entity_type in self._types:
            stored: Mapping[str, StoredEntity] = {}
            if self._services.facets.paid:
                stored = await self._services.index.stored(conference_id, entity_type)
            rows = read_rows(self._services.directus, entity_type, conference_id, self._problems)
            async for batch in _batches(rows):
                await build.write(await self._entities(batch, stored, zone))
                self._done += len(batch)
                await self._tell(str(entity_type))
        await build.close_conference(conference_id)

    async def _entities(self, rows: list[Row], stored: Mapping[str, StoredEntity], zone: tzinfo) -> list[IndexedEntity]:
        written = await asyncio.gather(*(write_facets(row, stored.get(row.id), self._services) for row in rows))
        self._fallbacks += sum(facets.version != self._services.facets.version for facets in written)
        return [indexed_entity(row, facets, zone) for row, facets in zip(rows, written, strict=True)]

    async def _tell(self, note: str) -> None:
        # Who watches misses a word while Redis is away; the work goes on.
        with suppress(ServiceUnavailableError):
            await self._services.queue.report_progress(self._job.job_id, self._done, self._total, note)


async def write_facets(row: Row, stored: StoredEntity | None, services: IngestServices) -> Facets:
    """The row's facets: those in the index where they rest on the same source, newly written ones otherwise."""
    writer = services.facets
    if writer.paid and stored and stored.payload.get("source_hash") == source_hash(row, writer.version):
        texts = {key: text for key, text in stored.texts.items() if key != MASTER_KEY}
        return Facets(texts, writer.version)
    await asyncio.sleep(0)  # the template writer never waits, and answers share this process
    return await writer.write(row)


def _types_of(name: str | None) -> list[EntityType]:
    if name is None:
        return list(EntityType)
    try:
        return [EntityType(name)]
    except ValueError:
        msg = f"no entity type is called {name[:40]!r}; there are {', '.join(EntityType)}"
        raise InvalidInputError(msg) from None


async def _batches(rows: AsyncIterator[Row]) -> AsyncIterator[list[Row]]:
    batch: list[Row] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch

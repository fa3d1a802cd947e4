"""Indexing what one changed row touches: itself, and the rows whose texts draw on it.

The event that reports a change is only a hint. The row is read from Directus, indexed, and read once
more: a change that came in between (two of these jobs may run side by side) is then indexed as well, so
whoever writes last leaves what Directus holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from assistants.conference.conference_cache import forget_facts
from ingest.entities import LINK_IDS, indexed_entity, zone_of
from ingest.reading import read_conference, read_one
from ingest.reindex import write_facets
from ingest.rows import SessionRow, SpeakerRow
from search.entity import IndexReport
from search.query import EntityType
from services.directus_names import (
    CONFERENCES,
    SESSIONS_SPEAKERS,
    SESSIONS_SPEAKERS_SESSION,
    SESSIONS_SPEAKERS_SPEAKER,
)
from services.errors import InvalidInputError, NotFoundError
from services.logging import get_logger

if TYPE_CHECKING:
    from datetime import tzinfo

    from ingest.rows import Row
    from ingest.services import IngestServices
    from search.entity import StoredEntity
    from services.queue.jobs import IndexItemJob

__all__ = ["index_item"]

_READS = 5
"""A row that changes faster than this is read again has a job of its own for each change."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entity is to be found."""

    entity_type: EntityType
    entity_id: str


async def index_item(job: IndexItemJob, services: IngestServices) -> dict[str, Any]:
    """Index what the changed row touches; ``{entities, texts_embedded, texts_unchanged, deleted}``.

    A row that is gone, or has no title any more, loses its points. Collections that are none of ours
    are passed over. Raises IndexMismatchError when only a full reindex will do, and
    ServiceUnavailableError when a service is away: the same job may be done again.
    """
    report = IndexReport()
    if job.collection == CONFERENCES:
        report = await _conference_changed(job.item_id, services)
    elif job.collection == SESSIONS_SPEAKERS:
        for place in await _ends_of_link(job.item_id, services):
            report += await _index_one(place, services)
    elif job.collection in set(EntityType):
        report = await _index_with_neighbours(_Place(EntityType(job.collection), job.item_id), services)
    else:
        log.warning("not_indexed", collection=job.collection)
    return {
        "entities": report.entities,
        "texts_embedded": report.texts_embedded,
        "texts_unchanged": report.texts_unchanged,
        "deleted": report.points_deleted,
    }


async def _conference_changed(conference_id: str, services: IngestServices) -> IndexReport:
    """Forget what is cached of the conference; if it is gone, all of it."""
    await forget_facts(conference_id, services.redis)
    try:
        await read_conference(services.directus, conference_id)
    except NotFoundError:
        async with await services.index.begin(list(EntityType), full=False, conference_id=conference_id) as build:
            await build.close_conference(conference_id)
            return await build.finish()
    return IndexReport()


async def _index_with_neighbours(place: _Place, services: IngestServices) -> IndexReport:
    """The row, those that draw on it, and those that drew on it when it was last indexed."""
    stored = await services.index.stored_entity(place.entity_type, place.entity_id)
    neighbours = _neighbours_of_stored(place.entity_type, stored)
    report, row = await _index_until_settled(place, services)
    if place.entity_type is EntityType.SESSIONS:
        await _forget_programme(row, stored, services)
    neighbours |= _neighbours_of_row(row)
    for neighbour in sorted(neighbours, key=lambda one: one.entity_id):
        report += await _index_one(neighbour, services)
    return report


async def _forget_programme(row: Row | None, stored: StoredEntity | None, services: IngestServices) -> None:
    """Drop what is cached of the conferences that the session is or was of: their days, breaks and rooms.

    What was read before the change and comes back from Directus after it is not kept either (``forget_facts``).
    """
    conferences = {row.conference_id if row else None, stored.payload.get("conference_id") if stored else None}
    for conference_id in conferences - {None}:
        await forget_facts(str(conference_id), services.redis)


async def _index_one(place: _Place, services: IngestServices) -> IndexReport:
    report, _ = await _index_until_settled(place, services)
    return report


async def _index_until_settled(place: _Place, services: IngestServices) -> tuple[IndexReport, Row | None]:
    report = IndexReport()
    row = await _read(place, services)
    for _ in range(_READS):
        report += await _write(place, row, services)
        read_again = await _read(place, services)
        if read_again == row:
            break
        row = read_again
    return report, row


async def _read(place: _Place, services: IngestServices) -> Row | None:
    """The row as it is to be indexed; None when it is gone or can't be."""
    try:
        return await read_one(services.directus, place.entity_type, place.entity_id)
    except InvalidInputError as error:
        log.warning("row_not_indexable", what=str(error))
        return None


async def _write(place: _Place, row: Row | None, services: IngestServices) -> IndexReport:
    if row is None:
        return await services.index.delete(place.entity_type, place.entity_id)
    stored = None
    if services.facets.paid:
        stored = await services.index.stored_entity(place.entity_type, place.entity_id)
    facets = await write_facets(row, stored, services)
    return await services.index.upsert(indexed_entity(row, facets, await _zone(row.conference_id, services)))


async def _zone(conference_id: str, services: IngestServices) -> tzinfo:
    try:
        return zone_of(await read_conference(services.directus, conference_id))
    except NotFoundError:
        return UTC


async def _ends_of_link(link_id: str, services: IngestServices) -> set[_Place]:
    """The session and the speaker that a junction row joins, or joined when they were last indexed."""
    ends = set()
    try:
        link = await services.directus.read_item(SESSIONS_SPEAKERS, link_id)
    except NotFoundError:
        link = {}
    if session_id := link.get(SESSIONS_SPEAKERS_SESSION):
        ends.add(_Place(EntityType.SESSIONS, str(session_id)))
    if speaker_id := link.get(SESSIONS_SPEAKERS_SPEAKER):
        ends.add(_Place(EntityType.SPEAKERS, str(speaker_id)))
    for entity_type in (EntityType.SESSIONS, EntityType.SPEAKERS):
        ends |= {
            _Place(entity_type, entity_id)
            for entity_id in await services.index.stored_with(entity_type, LINK_IDS, link_id)
        }
    return ends


def _neighbours_of_row(row: Row | None) -> set[_Place]:
    match row:
        case SessionRow():
            return {_Place(EntityType.SPEAKERS, speaker.id) for speaker in row.speakers}
        case SpeakerRow():
            return {_Place(EntityType.SESSIONS, session.id) for session in row.sessions}
        case _:
            return set()


def _neighbours_of_stored(entity_type: EntityType, stored: StoredEntity | None) -> set[_Place]:
    payload = stored.payload if stored else {}
    match entity_type:
        case EntityType.SESSIONS:
            return {_Place(EntityType.SPEAKERS, str(one["id"])) for one in payload.get("speakers", ())}
        case EntityType.SPEAKERS:
            return {_Place(EntityType.SESSIONS, str(one["id"])) for one in payload.get("sessions", ())}
        case _:
            return set()

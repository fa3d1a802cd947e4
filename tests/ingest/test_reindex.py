"""Reindexing and single rows, from a Directus in memory into an index in memory: what is indexed, kept, forgotten."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from ingest.facet_writers.template import TemplateFacetWriter
from ingest.facet_writers.writer import Facets
from ingest.jobs import index_handlers
from ingest.services import IngestServices
from search.index import SearchIndex
from search.query import EntityType, SearchMode, SearchQuery
from search.writer import IndexWriter
from services import redis_keys
from services.errors import InvalidInputError, NotFoundError, ServiceUnavailableError
from services.queue.job_queue import JobQueue
from services.queue.jobs import IndexItemJob, ReindexJob
from services.queue.runner import JobContext, RetryLater
from services.redis import connect_redis
from services.vectors import Vectors
from standins.directus import DirectusStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ingest.rows import Row
    from search.entity import StoredEntity
    from services.queue.jobs import Job


def uid(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


CONFERENCE, OTHER = uid("conference"), uid("other conference")


class WordEmbedder:
    """Each word is a direction: texts that share words are near. Counts what it embeds."""

    family = "words"
    identity = "words-64"
    dimensions = 64

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.texts += texts
        return [self._vector(text) for text in texts]

    async def aclose(self) -> None:
        """Nothing is open."""

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in text.lower().split():
            vector[hashlib.sha256(word.strip(".,:").encode()).digest()[0] % self.dimensions] += 1.0
        length = sum(one * one for one in vector) ** 0.5 or 1.0
        return [one / length for one in vector]


@dataclass
class PaidWriter:
    """A facet writer that costs money, and sometimes cannot write."""

    version: str = "paid-1"
    paid: bool = True
    fails: bool = False
    written: list[str] = field(default_factory=list)

    async def write(self, row: Row) -> Facets:
        if self.fails:
            return await TemplateFacetWriter().write(row)
        self.written.append(row.id)
        return Facets({"expertise" if row.entity_type is EntityType.SPEAKERS else "why_attend": "Paid."}, self.version)


@dataclass
class House:
    """All the librarian works with, and the ways a test looks at what came of it."""

    standin: DirectusStandIn
    services: IngestServices
    embedder: WordEmbedder
    search: SearchIndex

    async def run(self, job: Job, *, attempt: int = 1) -> dict[str, Any]:
        handler = index_handlers(self.services)[type(job)]
        result = await handler(job, JobContext(job.job_id, attempt, 0.0))
        assert isinstance(result, dict)
        return result

    async def change(self, collection: str, item_id: str) -> dict[str, Any]:
        return await self.run(IndexItemJob(collection=collection, item_id=item_id, change_id="c"))

    async def stored(self, entity_type: EntityType, conference_id: str = CONFERENCE) -> dict[str, StoredEntity]:
        return await self.services.index.stored(conference_id, entity_type)

    async def titles(self, entity_type: EntityType = EntityType.SESSIONS, conference_id: str = CONFERENCE) -> set[str]:
        found = await self.stored(entity_type, conference_id)
        return {str(one.payload.get("title") or one.payload.get("name")) for one in found.values()}

    def with_writer(self, writer: PaidWriter) -> None:
        old = self.services
        self.services = IngestServices(old.directus, old.index, writer, old.queue, old.redis)


def fill(standin: DirectusStandIn) -> None:
    """Two conferences; the first with two sessions, one speaker who gives both, one exhibitor."""
    standin.put("conferences", id=CONFERENCE, name="Conf", timezone="Europe/Prague")
    standin.put("conferences", id=OTHER, name="Other", timezone="UTC")
    standin.put(
        "speakers", id=uid("ada"), conference_id=CONFERENCE, name="Ada", company="Engines", bio="Ada likes maths."
    )
    for title in ("Testing", "Scaling"):
        standin.put(
            "sessions",
            id=uid(title),
            conference_id=CONFERENCE,
            title=title,
            description=f"All about {title.lower()} problems.",
            start_time="2024-07-10T08:00:00Z",
            room="Hall A",
        )
        standin.put("sessions_speakers", sessions_id=uid(title), speakers_id=uid("ada"))
    standin.put("exhibitors", id=uid("acme"), conference_id=CONFERENCE, name="Acme", description="Acme sells rockets.")
    standin.put("sessions", id=uid("far"), conference_id=OTHER, title="Far away", description="Elsewhere.")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    standin, embedder = DirectusStandIn(), WordEmbedder()
    fill(standin)
    directus = standin.directus(retry_for_s=0)
    redis, vectors = connect_redis("embedded://"), Vectors("embedded://", None)
    queue = JobQueue(redis)
    services = IngestServices(directus, IndexWriter(vectors, embedder), TemplateFacetWriter(), queue, redis)
    yield House(standin, services, embedder, SearchIndex(vectors, embedder))
    await redis.aclose()
    await vectors.aclose()
    await directus.aclose()


async def test_all_conferences_are_indexed_and_counted(house: House) -> None:
    """The result says how many entities and texts there were, and nothing was amiss."""
    result = await house.run(ReindexJob())
    assert (result["conferences"], result["entities"]) == (2, 5)
    assert result["texts_embedded"] == len(house.embedder.texts) > 5 * 2
    assert (result["deleted"], result["facet_fallbacks"], result["skipped"], result["problems"]) == (0, 0, 0, [])
    assert await house.titles() == {"Testing", "Scaling"}
    assert await house.titles(EntityType.SESSIONS, OTHER) == {"Far away"}


async def test_a_second_reindex_embeds_nothing(house: House) -> None:
    """Unchanged texts cost no vector."""
    first = await house.run(ReindexJob())
    house.embedder.texts.clear()
    second = await house.run(ReindexJob())
    assert house.embedder.texts == []
    assert (second["texts_embedded"], second["texts_unchanged"]) == (0, first["texts_embedded"])


async def test_a_full_reindex_embeds_everything_again(house: House) -> None:
    """``full`` is for another embedder or a doubtful index."""
    first = await house.run(ReindexJob())
    assert (await house.run(ReindexJob(full=True)))["texts_embedded"] == first["texts_embedded"]


async def test_what_directus_has_no_more_is_forgotten(house: House) -> None:
    """A deleted session and a deleted conference leave the index with the next reindex."""
    await house.run(ReindexJob())
    house.standin.tables.delete("sessions", uid("Scaling"))
    house.standin.tables.delete("conferences", OTHER)
    result = await house.run(ReindexJob())
    assert result["deleted"] > 0
    assert await house.titles() == {"Testing"}
    assert await house.titles(EntityType.SESSIONS, OTHER) == set()


async def test_one_conference_leaves_the_others_alone(house: House) -> None:
    """A job for one conference neither indexes nor deletes anything of another."""
    await house.run(ReindexJob(conference_id=OTHER))
    assert await house.titles() == set()
    await house.run(ReindexJob(conference_id=CONFERENCE))
    assert await house.titles(EntityType.SESSIONS, OTHER) == {"Far away"}


async def test_one_type_leaves_the_others_alone(house: House) -> None:
    """A job for speakers indexes speakers."""
    assert (await house.run(ReindexJob(entity_type="speakers")))["entities"] == 1
    assert await house.titles() == set()


async def test_a_row_that_cannot_be_indexed_is_named_and_the_rest_goes_on(house: House) -> None:
    """A session without a title and one without a conference are in the problems; the others are indexed."""
    house.standin.put("sessions", id=uid("blank"), conference_id=CONFERENCE, title="  ", description="What?")
    house.standin.put("sessions", id=uid("stray"), title="Stray")
    result = await house.run(ReindexJob())
    assert result["skipped"] == 2
    assert any(uid("blank") in problem and "no title" in problem for problem in result["problems"])
    assert any(uid("stray") in problem and "conference" in problem for problem in result["problems"])
    assert await house.titles() == {"Testing", "Scaling"}


async def test_progress_is_told(house: House) -> None:
    """Who waits sees how many of how many are done."""
    job = ReindexJob()
    await house.run(job)
    progress = await house.services.queue.progress(job.job_id)
    assert progress is not None
    assert (progress.done, progress.total) == (5, 5)


@pytest.mark.parametrize(
    ("job", "error"),
    [(ReindexJob(conference_id=uid("none")), NotFoundError), (ReindexJob(entity_type="rooms"), InvalidInputError)],
)
async def test_what_is_not_there_is_said(house: House, job: ReindexJob, error: type[Exception]) -> None:
    """An unknown conference or type is an error for the operator, and deletes nothing."""
    await house.run(ReindexJob())
    with pytest.raises(error):
        await house.run(job)
    assert await house.titles() == {"Testing", "Scaling"}


@pytest.mark.parametrize("full", [False, True])
async def test_directus_away_in_the_middle_is_tried_later_and_switches_nothing(house: House, full: bool) -> None:  # noqa: FBT001 - two ways
    """The live index stays as it was, the job is put off, and its next run ends well."""
    await house.run(ReindexJob())
    house.standin.put("sessions", id=uid("new"), conference_id=CONFERENCE, title="New", description="Fresh.")
    write = house.services.index.begin

    async def begin_and_lose_directus(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - handed through
        house.standin.away = True
        return await write(*args, **kwargs)

    house.services.index.begin = begin_and_lose_directus  # type: ignore[method-assign]  # the moment between two reads
    with pytest.raises(RetryLater):
        await house.run(ReindexJob(full=full))
    assert await house.titles() == {"Testing", "Scaling"}
    house.services.index.begin = write  # type: ignore[method-assign]  # as it was
    house.standin.away = False
    await house.run(ReindexJob(full=full), attempt=2)
    assert await house.titles() == {"Testing", "Scaling", "New"}


async def test_an_outage_without_end_is_said_at_last(house: House) -> None:
    """An operator who waits for a reindex learns what is away instead of waiting for ever."""
    house.standin.away = True
    with pytest.raises(ServiceUnavailableError):
        await house.run(ReindexJob(), attempt=10)


async def test_times_get_the_conferences_offset(house: House) -> None:
    """A time without an offset is the conference's; what is no time is left out of the filters."""
    # A collection that was there before Erleah may have other column types.
    house.standin.tables.rows["sessions"][uid("Testing")] |= {"start_time": "2024-07-10T10:00:00", "end_time": "soon"}
    await house.run(ReindexJob())
    payload = (await house.stored(EntityType.SESSIONS))[uid("Testing")].payload
    assert payload["start_time"] == "2024-07-10T10:00:00+02:00"
    assert "end_time" not in payload


async def test_the_payload_has_what_answers_need(house: House) -> None:
    """A session knows its speakers, room and description; a speaker his sessions."""
    await house.run(ReindexJob())
    session = (await house.stored(EntityType.SESSIONS))[uid("Testing")].payload
    speaker = (await house.stored(EntityType.SPEAKERS))[uid("ada")].payload
    assert session["speakers"] == [{"id": uid("ada"), "name": "Ada"}]
    assert (session["room"], session["description"]) == ("Hall A", "All about testing problems.")
    assert {one["title"] for one in speaker["sessions"]} == {"Testing", "Scaling"}
    assert speaker["company"] == "Engines"


async def test_a_paid_text_is_paid_once(house: House) -> None:
    """Unchanged rows keep their facets, in a full run too; a changed one is written anew."""
    writer = PaidWriter()
    house.with_writer(writer)
    await house.run(ReindexJob())
    assert len(writer.written) == 5
    writer.written.clear()
    await house.run(ReindexJob())
    await house.run(ReindexJob(full=True))
    await house.services.directus.update_item("sessions", uid("Testing"), {"room": "Hall B"})
    await house.change("sessions", uid("Testing"))
    assert writer.written == []
    assert (await house.stored(EntityType.SESSIONS))[uid("Testing")].texts["why_attend"] == "Paid."
    await house.services.directus.update_item("sessions", uid("far"), {"description": "Nearer now."})
    await house.run(ReindexJob())
    assert writer.written == [uid("far")]


async def test_a_fallback_is_counted_and_tried_again(house: House) -> None:
    """What the model could not write is counted, indexed from the template, and asked for at the next run."""
    writer = PaidWriter(fails=True)
    house.with_writer(writer)
    assert (await house.run(ReindexJob()))["facet_fallbacks"] == 5
    assert len((await house.stored(EntityType.SESSIONS))[uid("Testing")].texts) > 2
    writer.fails = False
    assert (await house.run(ReindexJob()))["facet_fallbacks"] == 0
    assert len(writer.written) == 5


# Single rows.


async def test_a_changed_row_is_read_from_directus_and_indexed_alone(house: House) -> None:
    """The new title is found; no other session is embedded again."""
    await house.run(ReindexJob())
    house.embedder.texts.clear()
    await house.services.directus.update_item("exhibitors", uid("acme"), {"description": "Acme sells submarines."})
    result = await house.change("exhibitors", uid("acme"))
    assert result["entities"] == 1
    assert house.embedder.texts
    assert all("Acme" in text or "submarines" in text for text in house.embedder.texts)
    query = SearchQuery("submarines", CONFERENCE, EntityType.EXHIBITORS, SearchMode.MASTER)
    assert [found.title for found in (await house.search.search(query)).results] == ["Acme"]


async def test_a_changed_session_changes_its_speaker(house: House) -> None:
    """A speaker's texts draw on his sessions: he is indexed with them."""
    await house.run(ReindexJob())
    await house.services.directus.update_item("sessions", uid("Testing"), {"title": "Fuzzing"})
    await house.change("sessions", uid("Testing"))
    assert "Fuzzing" in (await house.stored(EntityType.SPEAKERS))[uid("ada")].texts["what_they_speak_about"]


async def test_a_changed_speaker_changes_his_sessions(house: House) -> None:
    """A session's payload names its speakers: a new name is in it at once."""
    await house.run(ReindexJob())
    await house.services.directus.update_item("speakers", uid("ada"), {"name": "Countess"})
    await house.change("speakers", uid("ada"))
    sessions = await house.stored(EntityType.SESSIONS)
    assert [one.payload["speakers"][0]["name"] for one in sessions.values()] == ["Countess", "Countess"]


async def test_a_deleted_session_is_forgotten_by_its_speaker_too(house: House) -> None:
    """No point of it is left, and the speaker no longer speaks of it."""
    await house.run(ReindexJob())
    house.standin.tables.delete("sessions", uid("Testing"))
    assert (await house.change("sessions", uid("Testing")))["deleted"] > 0
    assert await house.titles() == {"Scaling"}
    assert "Testing" not in (await house.stored(EntityType.SPEAKERS))[uid("ada")].texts["what_they_speak_about"]


@pytest.mark.parametrize("event_comes", ["after the link is gone", "while the link is there"])
async def test_a_changed_link_changes_both_its_ends(house: House, event_comes: str) -> None:
    """A junction row that comes or goes is all that says that a session has another speaker."""
    link = {"id": uid("link"), "sessions_id": uid("far"), "speakers_id": uid("ada")}
    if event_comes == "while the link is there":
        await house.run(ReindexJob())
        house.standin.put("sessions_speakers", **link)
    else:
        house.standin.put("sessions_speakers", **link)
        await house.run(ReindexJob())
        house.standin.tables.delete("sessions_speakers", uid("link"))
    await house.change("sessions_speakers", uid("link"))
    speakers = (await house.stored(EntityType.SESSIONS, OTHER))[uid("far")].payload.get("speakers", [])
    spoken = (await house.stored(EntityType.SPEAKERS))[uid("ada")].texts["what_they_speak_about"]
    expected = event_comes == "while the link is there"
    assert bool(speakers) is expected
    assert ("Far away" in spoken) is expected


async def test_a_row_that_loses_its_title_is_no_longer_offered(house: House) -> None:
    """What can't be indexed any more must not stay as it was."""
    await house.run(ReindexJob())
    await house.services.directus.update_item("sessions", uid("Testing"), {"title": ""})
    await house.change("sessions", uid("Testing"))
    assert await house.titles() == {"Scaling"}


async def test_a_row_of_an_unindexed_conference_is_indexed_alone(house: House) -> None:
    """A change before the first reindex makes an index with this row (and who draws on it) in it."""
    await house.change("exhibitors", uid("acme"))
    assert await house.titles(EntityType.EXHIBITORS) == {"Acme"}
    assert await house.titles() == set()


async def test_a_change_while_an_older_state_is_being_indexed_is_not_lost(house: House) -> None:
    """A slow job that read the row before the change does not leave the old state behind."""
    await house.run(ReindexJob())
    upsert = house.services.index.upsert

    async def slow_upsert(entity: Any) -> Any:  # noqa: ANN401 - handed through
        if entity.title == "Acme":
            await house.services.directus.update_item("exhibitors", uid("acme"), {"name": "Apex"})
        return await upsert(entity)

    house.services.index.upsert = slow_upsert  # type: ignore[method-assign]  # the change comes between read and write
    await house.change("exhibitors", uid("acme"))
    assert await house.titles(EntityType.EXHIBITORS) == {"Apex"}


async def test_a_changed_conference_is_dropped_from_the_cache(house: House) -> None:
    """The next answer reads the conference anew."""
    key = redis_keys.conference(CONFERENCE)
    await house.services.redis.set(key, "{}")
    await house.change("conferences", CONFERENCE)
    assert await house.services.redis.get(key) is None


async def test_a_changed_session_drops_what_is_cached_of_its_conference(house: House) -> None:
    """Its rooms, days and breaks are read from the sessions; also when the session is gone, or new."""
    await house.run(ReindexJob())
    key = redis_keys.conference(CONFERENCE)
    session = next(iter(await house.stored(EntityType.SESSIONS)))
    for gone in (False, True):
        await house.services.redis.set(key, "old")
        if gone:
            house.standin.tables.delete("sessions", session)
        await house.change("sessions", session)
        assert await house.services.redis.get(key) is None
    await house.services.redis.set(key, "kept")
    await house.change("exhibitors", next(iter(await house.stored(EntityType.EXHIBITORS))))
    assert await house.services.redis.get(key) is not None


async def test_a_deleted_conference_is_forgotten_with_all_it_had(house: House) -> None:
    """Nothing of it is found any more; other conferences stay."""
    await house.run(ReindexJob())
    house.standin.tables.delete("conferences", CONFERENCE)
    await house.change("conferences", CONFERENCE)
    assert await house.titles() == set()
    assert await house.titles(EntityType.SPEAKERS) == set()
    assert await house.titles(EntityType.SESSIONS, OTHER) == {"Far away"}


@pytest.mark.parametrize(("collection", "item_id"), [("directus_users", uid("x")), ("sessions", "../../x")])
async def test_an_event_about_something_else_does_nothing(house: House, collection: str, item_id: str) -> None:
    """Events are hints from outside: a foreign collection or a crafted id touches nothing."""
    await house.run(ReindexJob())
    assert (await house.change(collection, item_id))["deleted"] == 0
    assert await house.titles() == {"Testing", "Scaling"}


async def test_directus_away_puts_a_changed_row_off(house: House) -> None:
    """The change is not lost: the job comes back, later each time and at most 30 s later."""
    house.standin.away = True
    for attempt, delay_s in ((1, 1.0), (3, 4.0), (50, 30.0)):
        with pytest.raises(RetryLater) as later:
            await house.run(IndexItemJob(collection="sessions", item_id=uid("Testing"), change_id="c"), attempt=attempt)
        assert later.value.delay_s == delay_s


async def test_items_and_a_full_reindex_side_by_side_end_in_what_directus_holds(house: House) -> None:
    """A row changed while everything is indexed beside the live index is in the new one as it is now."""
    await house.run(ReindexJob())
    await house.services.directus.update_item("sessions", uid("Testing"), {"title": "Fuzzing"})
    await asyncio.gather(house.run(ReindexJob(full=True)), house.change("sessions", uid("Testing")))
    assert await house.titles() == {"Fuzzing", "Scaling"}

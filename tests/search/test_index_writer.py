"""Writing in place: what is embedded, what is not, what is deleted, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from search.collection_names import ALL_NAMES, names_of
from search.entity import IndexReport
from search.query import EntityType, SearchQuery
from search.standing import look_up
from search.writer import IndexWriter
from services.errors import IndexMismatchError, ServiceUnavailableError
from services.vectors import Match, Vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from search.index import SearchIndex
    from tests.search.conftest import MakeEntity, WordEmbedder

    Fill = Callable[..., Any]


async def test_a_second_run_embeds_nothing(fill: Fill, entity: MakeEntity, embedder: WordEmbedder) -> None:
    """Unchanged texts cost nothing; the counts say so."""
    entities = [entity(number, facets={"why_attend": f"cos=0.{number}"}) for number in range(1, 4)]
    assert await fill(*entities) == IndexReport(entities=3, texts_embedded=6)
    embedder.embedded.clear()
    assert await fill(*entities) == IndexReport(entities=3, texts_unchanged=6)
    assert embedder.embedded == []


async def test_only_the_changed_text_of_an_entity_is_embedded(
    fill: Fill, entity: MakeEntity, embedder: WordEmbedder
) -> None:
    """One facet's new words cost one vector; its siblings none."""
    await fill(entity(1, facets={"why_attend": "cos=0.1", "problems_addressed": "cos=0.2"}))
    embedder.embedded.clear()
    report = await fill(entity(1, facets={"why_attend": "cos=0.3", "problems_addressed": "cos=0.2"}))
    assert embedder.embedded == ["cos=0.3"]
    assert report == IndexReport(entities=1, texts_embedded=1, texts_unchanged=2)


async def test_a_changed_room_rewrites_payloads_and_embeds_nothing(
    fill: Fill, entity: MakeEntity, embedder: WordEmbedder, index: SearchIndex
) -> None:
    """What answers show follows the row even where no text changed, in the facets too."""
    await fill(entity(1, room="Hall A", facets={"why_attend": "cos=0.9"}))
    embedder.embedded.clear()
    report = await fill(entity(1, room="Hall B", facets={"why_attend": "cos=0.9"}))
    assert (report, embedder.embedded) == (IndexReport(entities=1, texts_unchanged=2, payloads_updated=2), [])
    result = await index.search(SearchQuery("q", "c1", EntityType.SESSIONS, rooms=("Hall B",)))
    assert [found.payload["room"] for found in result.results] == ["Hall B"]


async def test_what_is_gone_from_a_conference_is_deleted_and_no_others(
    fill: Fill, writer: IndexWriter, entity: MakeEntity, vectors: Vectors
) -> None:
    """Entities that were not written again, and facets that an entity no longer has; not another conference's."""
    await fill(entity(1, facets={"why_attend": "cos=0.1"}), entity(2), entity(3, conference="c2"))
    async with await writer.begin([EntityType.SESSIONS], full=False, conference_id="c1") as build:
        await build.write([entity(1)])
        await build.close_conference("c1")
        report = await build.finish()
    assert report.points_deleted == 2  # entity 2's master, entity 1's facet
    assert set(await writer.stored("c1", EntityType.SESSIONS)) == {entity(1).entity_id}
    assert set(await writer.stored("c2", EntityType.SESSIONS)) == {entity(3).entity_id}
    assert await vectors.count("sessions_facets") == 0


async def test_a_conference_that_is_gone_is_deleted_by_a_run_over_all(
    fill: Fill, writer: IndexWriter, entity: MakeEntity
) -> None:
    """Only where the run saw some conference: a run that saw none deletes nothing."""
    await fill(entity(1), entity(2, conference="c2"))
    await fill(entity(1))
    assert await writer.stored("c2", EntityType.SESSIONS) == {}
    await fill()
    assert set(await writer.stored("c1", EntityType.SESSIONS)) == {entity(1).entity_id}


async def test_an_entity_that_moved_to_another_conference_is_found_there_only(
    fill: Fill, entity: MakeEntity, index: SearchIndex
) -> None:
    """Its points keep their ids and change their conference."""
    await fill(entity(1, conference="c1"))
    await fill(entity(1, conference="c2"))
    assert not (await index.search(SearchQuery("q", "c1", EntityType.SESSIONS))).results
    assert (await index.search(SearchQuery("q", "c2", EntityType.SESSIONS))).results


async def test_a_single_entity_is_indexed_and_forgotten_at_once(
    writer: IndexWriter, entity: MakeEntity, index: SearchIndex, vectors: Vectors
) -> None:
    """Where there was no index at all one is made; forgetting twice is no error."""
    query = SearchQuery("q", "c1", EntityType.SESSIONS)
    report = await writer.upsert(entity(1, facets={"why_attend": "cos=0.9"}))
    assert report == IndexReport(entities=1, texts_embedded=2)
    assert len((await index.search(query)).results) == 1
    assert await writer.upsert(entity(1)) == IndexReport(entities=1, texts_unchanged=1, points_deleted=1)
    assert await vectors.count("sessions_facets") == 0
    assert await writer.delete(EntityType.SESSIONS, entity(1).entity_id) == IndexReport(points_deleted=1)
    assert await writer.delete(EntityType.SESSIONS, entity(1).entity_id) == IndexReport()
    assert await writer.delete(EntityType.SPEAKERS, entity(1).entity_id) == IndexReport()
    assert not (await index.search(query)).results


async def test_two_writers_that_begin_with_nothing_fill_one_index(
    writer: IndexWriter, vectors: Vectors, embedder: WordEmbedder, entity: MakeEntity
) -> None:
    """A process that saw no index yet, and makes one when another has made and filled it, hides nothing."""
    late = IndexWriter(vectors, embedder)
    nothing_yet = await look_up(vectors, names_of([EntityType.SESSIONS]))
    await writer.upsert(entity(1))
    await late._make_missing(nothing_yet)
    await late.upsert(entity(2))
    assert len(await writer.stored("c1", EntityType.SESSIONS)) == 2


async def test_stored_gives_back_texts_and_payload(writer: IndexWriter, entity: MakeEntity, fill: Fill) -> None:
    """What ingest needs to leave an unchanged entity alone: texts by key, and what it put into the payload."""
    await fill(entity(1, source_hash="abc", facets={"why_attend": "cos=0.9"}))
    await writer.upsert(entity(2, master="cos=0.3"))
    stored = await writer.stored("c1", EntityType.SESSIONS)
    one = stored[entity(1).entity_id]
    assert one.texts == {"master": "cos=0.5", "why_attend": "cos=0.9"}
    assert (one.payload["source_hash"], one.payload["title"]) == ("abc", "Title 1")
    two = await writer.stored_entity(EntityType.SESSIONS, entity(2).entity_id)
    assert two is not None
    assert two.texts == {"master": "cos=0.3"}
    assert await writer.stored_entity(EntityType.SPEAKERS, "nobody") is None


async def test_a_run_that_is_not_full_refuses_another_embedders_index(
    vectors: Vectors, fill: Fill, entity: MakeEntity, other_embedder: WordEmbedder
) -> None:
    """Neither a run nor a single update writes vectors that can't be compared; deleting is still possible."""
    await fill(entity(1))
    stranger = IndexWriter(vectors, other_embedder)
    with pytest.raises(IndexMismatchError, match="erleah reindex --full"):
        await stranger.begin([EntityType.SESSIONS], full=False)
    with pytest.raises(IndexMismatchError, match="erleah reindex --full"):
        await stranger.upsert(entity(2))
    assert other_embedder.embedded == []
    assert await stranger.delete(EntityType.SESSIONS, entity(1).entity_id) == IndexReport(points_deleted=1)


async def test_a_run_does_not_undo_what_a_single_update_wrote_meanwhile(
    writer: IndexWriter, entity: MakeEntity, fill: Fill
) -> None:
    """The run read its row before the change; the change stays, as does a row that is newer than the run."""
    await fill(entity(1, room="old"), entity(2))
    async with await writer.begin([EntityType.SESSIONS], full=False) as build:
        await writer.upsert(entity(1, room="new"))
        await writer.upsert(entity(3))
        await build.write([entity(1, room="old"), entity(2)])
        await build.close_conference("c1")
        await build.finish()
    stored = await writer.stored("c1", EntityType.SESSIONS)
    assert stored[entity(1).entity_id].payload["room"] == "new"
    assert set(stored) == {entity(number).entity_id for number in (1, 2, 3)}
    report = await fill(entity(1, room="older still"), entity(2))  # a later run has read later
    assert report.points_deleted == 1
    assert (await writer.stored("c1", EntityType.SESSIONS))[entity(1).entity_id].payload["room"] == "older still"


async def test_an_embedder_that_fails_leaves_what_is_live(
    writer: IndexWriter, entity: MakeEntity, fill: Fill, embedder: WordEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that breaks in the middle deletes nothing, and the same run may be made again."""
    await fill(entity(1), entity(2))

    async def failing(texts: list[str]) -> list[list[float]]:
        raise ServiceUnavailableError("embeddings", "away")

    with monkeypatch.context() as broken:
        broken.setattr(embedder, "embed", failing)
        with pytest.raises(ServiceUnavailableError):
            await fill(entity(1, master="cos=0.9"))
    assert len(await writer.stored("c1", EntityType.SESSIONS)) == 2
    assert (await fill(entity(1, master="cos=0.9"))).texts_embedded == 1


async def test_all_types_have_their_collections_after_a_run(fill: Fill, entity: MakeEntity, vectors: Vectors) -> None:
    """A conference without exhibitors has an empty index of them, not a missing one; all six names are aliases."""
    await fill(entity(1))
    aliases = await vectors.aliases()
    assert set(aliases) == set(ALL_NAMES)
    assert await vectors.count("exhibitors_master", [Match("conference_id", "c1")]) == 0

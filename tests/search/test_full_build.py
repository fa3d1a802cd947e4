"""Full runs: built beside, switched at once, never dark, and nothing lost that comes meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from search.collection_names import built_name, new_build_id
from search.entity import IndexReport
from search.index import SearchIndex
from search.query import EntityType, SearchMode, SearchQuery
from search.writer import IndexWriter
from services.errors import ConflictError, IndexMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.vectors import Vectors
    from tests.search.conftest import MakeEntity, WordEmbedder

    Fill = Callable[..., Any]

QUERY = SearchQuery("q", "c1", EntityType.SESSIONS, SearchMode.MASTER)


async def titles(index: SearchIndex) -> list[str]:
    return [found.title for found in (await index.search(QUERY)).results]


async def test_a_full_run_embeds_everything_and_leaves_six_collections(
    fill: Fill, entity: MakeEntity, vectors: Vectors, embedder: WordEmbedder
) -> None:
    """The old collections are gone, the new ones stand behind the same names."""
    await fill(entity(1))
    before = await vectors.aliases()
    embedder.embedded.clear()
    assert await fill(entity(1), full=True) == IndexReport(entities=1, texts_embedded=1)
    after = await vectors.aliases()
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())
    assert await vectors.collections() == sorted(after.values())
    assert embedder.embedded == ["cos=0.5"]


async def test_search_is_never_dark_during_a_full_run(
    fill: Fill, entity: MakeEntity, index: SearchIndex, vectors: Vectors, embedder: WordEmbedder
) -> None:
    """Searches in a loop through three full runs each see a whole index, the old one or the new, and no error."""
    facets = {"why_attend": "cos=0.9"}
    entities = [entity(number, master="cos=0.5 quartz", facets=facets) for number in range(1, 21)]
    await fill(*entities)
    rebuilding = asyncio.create_task(_rebuild_three_times(vectors, embedder, entities))
    seen: list[int] = []
    while not rebuilding.done():
        for mode in SearchMode:
            query = SearchQuery("quartz", "c1", EntityType.SESSIONS, mode, limit=50)
            seen.append(len((await index.search(query)).results))
    await rebuilding
    assert len(seen) > 10
    assert set(seen) == {20}


async def _rebuild_three_times(vectors: Vectors, embedder: WordEmbedder, entities: list[Any]) -> None:
    for _ in range(3):
        async with await IndexWriter(vectors, embedder).begin(list(EntityType), full=True) as build:
            for start in range(0, len(entities), 4):
                await build.write(entities[start : start + 4])
                await asyncio.sleep(0)
            await build.close_conference("c1")
            await build.finish()


async def test_nothing_changes_before_the_end(
    fill: Fill, writer: IndexWriter, entity: MakeEntity, index: SearchIndex
) -> None:
    """Until ``finish`` every search sees the old index; after it, the new one alone."""
    await fill(entity(1))
    async with await writer.begin(list(EntityType), full=True) as build:
        await build.write([entity(2)])
        await build.close_conference("c1")
        assert await titles(index) == ["Title 1"]
        await build.finish()
    assert await titles(index) == ["Title 2"]


async def test_a_full_run_that_fails_leaves_no_trace(
    fill: Fill, writer: IndexWriter, entity: MakeEntity, index: SearchIndex, vectors: Vectors
) -> None:
    """The live index stays and the half-built collections are dropped at once."""
    await fill(entity(1))
    before = await vectors.collections()

    async def half_a_run() -> None:
        async with await writer.begin(list(EntityType), full=True) as build:
            await build.write([entity(2)])
            raise RuntimeError("Directus went away")

    with pytest.raises(RuntimeError, match="Directus went away"):
        await half_a_run()
    assert await titles(index) == ["Title 1"]
    assert await vectors.collections() == before


async def test_a_crashed_runs_leftovers_are_removed_by_the_next(
    fill: Fill, writer: IndexWriter, entity: MakeEntity, vectors: Vectors
) -> None:
    """A run that neither finished nor was abandoned (a killed process) is swept away by the next full one."""
    await fill(entity(1))
    crashed = await writer.begin(list(EntityType), full=True)
    await crashed.write([entity(2)])
    assert len(await vectors.collections()) == 12
    await fill(entity(1), full=True)
    assert len(await vectors.collections()) == 6


async def test_of_two_full_runs_the_later_one_wins(
    fill: Fill, writer: IndexWriter, entity: MakeEntity, index: SearchIndex
) -> None:
    """The earlier one ends with an error that says so, at its next write or at its end."""
    await fill(entity(1))
    first = await writer.begin(list(EntityType), full=True)
    await first.write([entity(2)])
    second = await writer.begin(list(EntityType), full=True)
    with pytest.raises(ConflictError, match="another full reindex"):
        await first.write([entity(3)])
    with pytest.raises(ConflictError, match="another full reindex"):
        await first.finish()
    await second.write([entity(4)])
    await second.finish()
    assert await titles(index) == ["Title 4"]


async def test_an_update_during_a_full_run_is_in_the_old_index_and_the_new(
    fill: Fill, writer: IndexWriter, *, entity: MakeEntity, index: SearchIndex, vectors: Vectors, embedder: WordEmbedder
) -> None:
    """Whether the run comes to the row before or after, another process's newer row is what stays."""
    await fill(entity(1, room="old"), entity(2, room="old"))
    elsewhere = IndexWriter(vectors, embedder)
    async with await writer.begin(list(EntityType), full=True) as build:
        await build.write([entity(1, room="old")])
        await elsewhere.upsert(entity(1, room="new"))
        await elsewhere.upsert(entity(2, room="new", master="cos=0.6"))
        await elsewhere.upsert(entity(3, room="new"))
        live = await writer.stored("c1", EntityType.SESSIONS)
        assert {one.payload["room"] for one in live.values()} == {"new"}
        await build.write([entity(2, room="old")])
        await build.close_conference("c1")
        await build.finish()
    stored = await writer.stored("c1", EntityType.SESSIONS)
    assert [one.payload["room"] for one in stored.values()] == ["new"] * 3
    assert stored[entity(2).entity_id].texts == {"master": "cos=0.6"}
    assert sorted(await titles(index)) == ["Title 1", "Title 2", "Title 3"]


async def test_a_deletion_during_a_full_run_is_not_undone(
    fill: Fill, writer: IndexWriter, *, entity: MakeEntity, index: SearchIndex, vectors: Vectors, embedder: WordEmbedder
) -> None:
    """Nor does a facet come back that an update removed; no tombstone stays behind."""
    facets = {"why_attend": "cos=0.9"}
    rows = [entity(number, facets=facets) for number in (1, 2, 3)]
    await fill(*rows)
    elsewhere = IndexWriter(vectors, embedder)
    async with await writer.begin(list(EntityType), full=True) as build:
        await build.write(rows[:1])
        await elsewhere.delete(EntityType.SESSIONS, rows[0].entity_id)
        await elsewhere.delete(EntityType.SESSIONS, rows[1].entity_id)
        await elsewhere.upsert(entity(3))
        await build.write(rows[1:])
        await build.close_conference("c1")
        await build.finish()
    assert await titles(index) == ["Title 3"]
    assert await vectors.count("sessions_master") == 1
    assert await vectors.count("sessions_facets") == 0


async def test_a_full_run_brings_another_embedder_in(
    fill: Fill, entity: MakeEntity, vectors: Vectors, index: SearchIndex, other_embedder: WordEmbedder
) -> None:
    """After it the new embedder searches; during it, an update with the new one waits in the new index only."""
    await fill(entity(1))
    newcomer = IndexWriter(vectors, other_embedder)
    async with await newcomer.begin(list(EntityType), full=True) as build:
        await newcomer.upsert(entity(2))
        assert await titles(index) == ["Title 1"]
        await build.write([entity(1)])
        await build.close_conference("c1")
        await build.finish()
    assert sorted(await titles(SearchIndex(vectors, other_embedder))) == ["Title 1", "Title 2"]


async def test_a_full_run_of_one_conference_keeps_the_others(
    fill: Fill, writer: IndexWriter, entity: MakeEntity, vectors: Vectors, embedder: WordEmbedder
) -> None:
    """It embeds that one again, in place; with another embedder it would break the others, and is refused."""
    await fill(entity(1), entity(2, conference="c2"))
    embedder.embedded.clear()
    async with await writer.begin(list(EntityType), full=True, conference_id="c1") as build:
        assert (await build.write([entity(1)])).texts_embedded == 1
        await build.close_conference("c1")
        await build.finish()
    assert set(await writer.stored("c2", EntityType.SESSIONS)) == {entity(2).entity_id}
    assert embedder.embedded == ["cos=0.5"]


async def test_a_full_run_of_one_among_several_conferences_cannot_change_the_embedder(
    fill: Fill, entity: MakeEntity, vectors: Vectors, other_embedder: WordEmbedder
) -> None:
    """Alone in the index it can; beside another it is told to run over all."""
    newcomer = IndexWriter(vectors, other_embedder)
    await fill(entity(1), entity(2, conference="c2"))
    with pytest.raises(IndexMismatchError, match="erleah reindex --full"):
        await newcomer.begin(list(EntityType), full=True, conference_id="c1")
    await fill(entity(1))
    async with await newcomer.begin(list(EntityType), full=True, conference_id="c1") as build:
        await build.write([entity(1)])
        await build.close_conference("c1")
        await build.finish()
    assert await titles(SearchIndex(vectors, other_embedder)) == ["Title 1"]


async def test_a_full_run_replaces_a_collection_that_bears_our_name(
    fill: Fill, entity: MakeEntity, vectors: Vectors, index: SearchIndex
) -> None:
    """Where someone made plain collections of another size under our names, the command that is named mends it."""
    for name in ("sessions_master", "sessions_facets"):
        await vectors.create_collection(name, 5, {})
    with pytest.raises(IndexMismatchError):
        await fill(entity(1))
    await fill(entity(1), full=True)
    assert await titles(index) == ["Title 1"]
    assert "sessions_master" in await vectors.aliases()


async def test_an_update_survives_a_run_that_is_given_up_under_it(
    fill: Fill, writer: IndexWriter, entity: MakeEntity, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Collections that vanish between looking and writing are no error for a single update."""
    await fill(entity(1, room="old"))
    ghost = built_name("sessions_master", "test-words-2", new_build_id())
    real = vectors.collections

    async def with_a_ghost() -> list[str]:
        return [*await real(), ghost]

    monkeypatch.setattr(vectors, "collections", with_a_ghost)
    await writer.upsert(entity(1, room="new"))
    await writer.delete(EntityType.SESSIONS, entity(2).entity_id)
    assert (await writer.stored("c1", EntityType.SESSIONS))[entity(1).entity_id].payload["room"] == "new"

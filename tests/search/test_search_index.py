"""Searching: isolation, filters, thresholds, modes, and what a search says that can't be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from search.index import SearchIndex
from search.query import EntityType, SearchMode, SearchQuery, TimeRange
from search.thresholds import Thresholds
from search.writer import IndexWriter
from services.errors import IndexMismatchError, InvalidInputError, NotFoundError
from services.vectors import Point, Vectors
from tests.search.conftest import WordEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable

    from search.query import SearchResult
    from tests.search.conftest import MakeEntity

    Fill = Callable[..., Any]

PRAGUE = timezone(timedelta(hours=2))


def ask(mode: SearchMode = SearchMode.MASTER, **more: Any) -> SearchQuery:  # noqa: ANN401 - fields of SearchQuery
    wanted = {"text": "q", "conference_id": "c1", "entity_type": EntityType.SESSIONS, "mode": mode}
    return SearchQuery(**(wanted | more))


_BY_MEANING = (SearchMode.AUTO, SearchMode.FACETED, SearchMode.MASTER)


def ids(result: SearchResult) -> list[int]:
    return [int(found.entity_id[-12:]) for found in result.results]


@pytest.mark.parametrize("mode", _BY_MEANING)
async def test_a_conference_sees_its_own_only(
    mode: SearchMode, index: SearchIndex, fill: Fill, entity: MakeEntity
) -> None:
    """In every mode; the other conference's better match is not there, and an unknown conference has nothing."""
    facets = {"why_attend": "cos=0.9"}
    await fill(
        entity(1, conference="c1", master="cos=0.5", facets={"why_attend": "cos=0.4"}),
        entity(2, conference="c2", master="cos=0.9", facets=facets),
    )
    assert ids(await index.search(ask(mode))) == [1]
    assert ids(await index.search(ask(mode, conference_id="c2"))) == [2]
    unknown = await index.search(ask(mode, conference_id="c3"))
    assert (unknown.results, unknown.mode) == ((), mode)


@pytest.mark.parametrize("mode", _BY_MEANING)
async def test_types_do_not_mix(mode: SearchMode, index: SearchIndex, fill: Fill, entity: MakeEntity) -> None:
    """A search of speakers gives speakers."""
    await fill(entity(1), entity(2, kind=EntityType.SPEAKERS), entity(3, kind=EntityType.EXHIBITORS))
    for number, kind in ((1, EntityType.SESSIONS), (2, EntityType.SPEAKERS), (3, EntityType.EXHIBITORS)):
        result = await index.search(ask(mode, entity_type=kind))
        assert ids(result) in ([number], [] if mode is SearchMode.FACETED else [number])
        assert {found.entity_type for found in result.results} <= {kind}


async def test_words_alone_find_what_shares_them_and_nothing_else(
    index: SearchIndex, fill: Fill, entity: MakeEntity
) -> None:
    """By the share of the question's words, the rarer ones weighing more; within one conference and its limit."""
    await fill(
        entity(1, master="cos=0.1 Testing databases"),
        entity(2, master="cos=0.9 Testing"),
        entity(3, master="cos=0.9 Gardening"),
        entity(4, conference="c2", master="cos=0.9 Testing databases"),
    )
    words = ask(SearchMode.WORDS, text="Which talks are about testing databases?")
    assert ids(await index.search(words)) == [1, 2]
    assert ids(await index.search(replace(words, limit=1))) == [1]
    assert ids(await index.search(replace(words, text="What about knitting?"))) == []
    assert ids(await index.search(replace(words, text="And of the?"))) == []


async def test_faceted_is_the_published_formula_to_the_number(
    index: SearchIndex, fill: Fill, entity: MakeEntity
) -> None:
    """Three facets at 0.6 score 0.66 and come before one facet at 0.8 with 0.58."""
    await fill(
        entity(1, facets={"why_attend": "cos=0.8"}),
        entity(
            2, facets={"why_attend": "cos=0.6", "problems_addressed": "cos=0.6 b", "what_you_will_learn": "cos=0.6 c"}
        ),
    )
    result = await index.search(ask(SearchMode.FACETED))
    assert [(found.title, found.score, found.facet_matches) for found in result.results] == [
        ("Title 2", 0.66, 3),
        ("Title 1", 0.58, 1),
    ]
    assert result.results[1].facet_scores == {"why_attend": 0.8}


async def test_faceted_fetches_five_points_for_each_wanted_entity(
    index: SearchIndex, fill: Fill, entity: MakeEntity
) -> None:
    """With a limit of 1 the sixth facet point is not seen: five of an entity's six facets count."""
    keys = (
        "what_you_will_learn",
        "problems_addressed",
        "who_should_attend",
        "topics_and_technologies",
        "format_and_level",
        "why_attend",
    )
    await fill(entity(1, facets={key: f"cos=0.{9 - at}" for at, key in enumerate(keys)}))
    [found] = (await index.search(ask(SearchMode.FACETED, limit=1))).results
    assert found.facet_matches == 5
    assert found.score == pytest.approx(0.6 * 0.7 + 0.4)


@pytest.mark.parametrize(
    ("model", "mode", "below", "above"),
    [
        ("openai-any", SearchMode.FACETED, "cos=0.49", "cos=0.51"),
        ("local-wordllama-256", SearchMode.FACETED, "cos=0.23", "cos=0.25"),
        ("local-wordllama-256", SearchMode.MASTER, "cos=0.17", "cos=0.19"),
        ("local-wordllama-256", SearchMode.AUTO, "cos=0.13", "cos=0.17"),
        ("fastembed-all-minilm-l6-v2-0a1b2c3d", SearchMode.FACETED, "cos=0.27", "cos=0.29"),
        ("fastembed-all-minilm-l6-v2-0a1b2c3d", SearchMode.MASTER, "cos=0.27", "cos=0.29"),
        ("fastembed-all-minilm-l6-v2-0a1b2c3d", SearchMode.AUTO, "cos=0.15", "cos=0.20"),
    ],
)
async def test_what_is_below_the_models_threshold_is_not_found(
    model: str, mode: SearchMode, *, below: str, above: str, embedder: WordEmbedder, entity: MakeEntity
) -> None:
    """Nothing near enough is an empty result; a little nearer is one."""
    embedder.identity = f"{model}-2"
    vectors = Vectors("embedded://")
    writer, index = IndexWriter(vectors, embedder), SearchIndex(vectors, embedder)
    for number, (text, expected) in enumerate(((below, []), (above, [1]))):
        await writer.upsert(entity(number, master=text, facets={"why_attend": text}))
        assert ids(await index.search(ask(mode))) == expected + ([0] if expected and mode is SearchMode.AUTO else [])
    await vectors.aclose()


async def test_times_are_alternatives_and_the_end_is_not_within(
    index: SearchIndex, fill: Fill, entity: MakeEntity
) -> None:
    """Either of two ranges; an offset in the data and another in the question mean the same moment."""
    ten = datetime(2026, 7, 8, 10, tzinfo=PRAGUE)
    await fill(*[entity(n, start_time=(ten + timedelta(hours=n)).isoformat()) for n in range(5)], entity(9))
    morning = TimeRange(datetime(2026, 7, 8, 8, tzinfo=UTC), datetime(2026, 7, 8, 10, tzinfo=UTC))
    result = await index.search(ask(times=(morning,)))
    assert sorted(ids(result)) == [0, 1]
    late = TimeRange(start=ten + timedelta(hours=4))
    assert sorted(ids(await index.search(ask(times=(morning, late))))) == [0, 1, 4]
    assert result.filters["times"] == [["2026-07-08T08:00:00+00:00", "2026-07-08T10:00:00+00:00"]]


async def test_rooms_are_alternatives_and_join_with_times(index: SearchIndex, fill: Fill, entity: MakeEntity) -> None:
    """In Hall A or B, and in the morning."""
    nine = datetime(2026, 7, 8, 9, tzinfo=UTC)
    await fill(
        entity(1, room="Hall A", start_time=nine.isoformat()),
        entity(2, room="Hall B", start_time=nine.isoformat()),
        entity(3, room="Hall C", start_time=nine.isoformat()),
        entity(4, room="Hall A", start_time=(nine + timedelta(hours=9)).isoformat()),
    )
    assert sorted(ids(await index.search(ask(rooms=("Hall A", "Hall B"))))) == [1, 2, 4]
    both = ask(rooms=("Hall A", "Hall B"), times=(TimeRange(end=nine + timedelta(hours=1)),))
    assert sorted(ids(await index.search(both))) == [1, 2]
    assert (await index.search(both)).filters["rooms"] == ["Hall A", "Hall B"]


async def test_exhibitors_and_speakers_have_no_times_to_be_filtered_by(
    index: SearchIndex, fill: Fill, entity: MakeEntity
) -> None:
    """A time in the question does not hide the stands, and the result says that it was not applied."""
    await fill(entity(1, kind=EntityType.EXHIBITORS))
    late = TimeRange(start=datetime(2030, 1, 1, tzinfo=UTC))
    result = await index.search(ask(entity_type=EntityType.EXHIBITORS, times=(late,), rooms=("Nowhere",)))
    assert ids(result) == [1]
    assert result.filters == {"conference_id": "c1"}


async def test_at_most_the_limit_and_a_limit_within_bounds(index: SearchIndex, fill: Fill, entity: MakeEntity) -> None:
    """Best first, cut at the limit; 0 and 101 are refused by name."""
    await fill(*[entity(n, master=f"cos=0.{n}", facets={"why_attend": f"cos=0.{n}"}) for n in range(1, 10)])
    for mode in _BY_MEANING:
        assert ids(await index.search(ask(mode, limit=3))) == [9, 8, 7]
    for limit in (0, 101):
        with pytest.raises(InvalidInputError, match="limit"):
            await index.search(ask(limit=limit))


async def test_a_missing_index_says_to_reindex(index: SearchIndex) -> None:
    """Before anything was ever indexed, every mode names the command; counting is nought."""
    for mode in SearchMode:
        with pytest.raises(NotFoundError, match=r"conference c1 is not indexed: run `erleah reindex`"):
            await index.search(ask(mode))
    with pytest.raises(NotFoundError, match="erleah reindex"):
        await index.check()
    assert set((await index.counts("c1")).values()) == {0}


async def test_counts_tell_what_a_conference_has(index: SearchIndex, fill: Fill, entity: MakeEntity) -> None:
    """By type, of that conference alone."""
    await fill(entity(1), entity(2), entity(3, kind=EntityType.SPEAKERS), entity(4, conference="c2"))
    assert await index.counts("c1") == {EntityType.SESSIONS: 2, EntityType.EXHIBITORS: 0, EntityType.SPEAKERS: 1}
    await index.check()


async def test_another_embedder_is_refused_even_of_the_same_size(
    vectors: Vectors, fill: Fill, entity: MakeEntity, other_embedder: WordEmbedder
) -> None:
    """The error names both embedders and the command that mends it; no question is embedded for it."""
    await fill(entity(1))
    stranger = SearchIndex(vectors, other_embedder)
    for mode in SearchMode:
        with pytest.raises(
            IndexMismatchError, match=r"built with test-words-2, .* say test-otherwords-2 .*erleah reindex --full"
        ):
            await stranger.search(ask(mode))
    assert other_embedder.embedded == []


async def test_a_collection_that_someone_else_made_with_vectors_of_another_size_is_refused(
    vectors: Vectors, index: SearchIndex
) -> None:
    """A plain collection of the contract's name, three numbers wide, is noticed by its size."""
    for name in ("sessions_master", "sessions_facets"):
        await vectors.create_collection(name, 3, {})
    with pytest.raises(IndexMismatchError, match=r"vectors of 3 numbers.*erleah reindex --full"):
        await index.search(ask())


async def test_a_switch_to_another_embedder_is_noticed_by_a_running_reader(
    *,
    index: SearchIndex,
    vectors: Vectors,
    fill: Fill,
    entity: MakeEntity,
    other_embedder: WordEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A check holds for seconds, not for the life of the process."""
    await fill(entity(1))
    assert ids(await index.search(ask())) == [1]
    await fill(entity(1), full=True, by=IndexWriter(vectors, other_embedder))
    monkeypatch.setattr("search.index._CHECKED_FOR_S", 0.0)
    with pytest.raises(IndexMismatchError):
        await index.search(ask())


async def test_a_question_without_end_is_cut(
    index: SearchIndex, fill: Fill, entity: MakeEntity, embedder: WordEmbedder
) -> None:
    """100,000 characters cost no more than a long question."""
    await fill(entity(1))
    embedder.embedded.clear()
    assert ids(await index.search(ask(text="x" * 100_000))) == [1]
    assert [len(text) for text in embedder.embedded] == [2000]


async def test_what_is_too_far_is_offered_and_not_answered(
    index: SearchIndex, fill: Fill, entity: MakeEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the family's threshold there are no results, only up to three near ones, best first."""
    monkeypatch.setattr(index, "_thresholds", Thresholds(facet=0.0, master=0.0, auto=0.9))
    await fill(*(entity(number, master=f"cos=0.{number}") for number in range(1, 6)))
    result = await index.search(ask(SearchMode.AUTO, text="Any zeppelins?"))
    assert result.results == ()
    assert [int(found.entity_id[-12:]) for found in result.near] == [5, 4, 3]
    assert result.explain["evidence"] < result.explain["threshold"] == 0.9
    assert (result.explain["unheard"], result.explain["unkept"]) == (["zeppelins"], None)


async def test_what_the_conference_lacks_it_lacks_in_that_room_too(
    index: SearchIndex, fill: Fill, entity: MakeEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is near by chance is no answer because it is the only one in the hall; a subject's only one is."""
    monkeypatch.setattr(index, "_thresholds", Thresholds(facet=0.0, master=0.0, auto=0.15))
    far = [entity(number, master=f"cos=0.0{number} walrus", room="Hall B") for number in range(1, 5)]
    await fill(entity(9, master="cos=0.95 walrus", room="Hall A"), *far)
    asked = ask(SearchMode.AUTO, text="my zeppelins annoy penguins and otters daily", rooms=("Hall A",))
    alone = await index.search(asked)
    assert (ids(alone), [int(one.entity_id[-12:]) for one in alone.near]) == ([], [9])
    await fill(
        entity(9, master="cos=0.95", room="Hall A"), *(entity(n, master="cos=0.9", room="Hall B") for n in (1, 2))
    )
    assert ids(await index.search(asked)) == [9]


@pytest.mark.parametrize("text", ["", "   ", "What is on?", "Which sessions should I attend?"])
async def test_a_question_without_a_subject_takes_what_the_filters_leave(
    text: str, index: SearchIndex, fill: Fill, entity: MakeEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing that the conference could lack."""
    monkeypatch.setattr(index, "_thresholds", Thresholds(facet=0.0, master=0.0, auto=0.9))
    await fill(entity(1, master="cos=0.1"))
    assert ids(await index.search(ask(SearchMode.AUTO, text=text))) == [1]


async def test_a_name_word_for_word_is_an_answer_however_far_its_meaning(
    index: SearchIndex, fill: Fill, entity: MakeEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by its words, ranked before nearer meanings, mistyped as well; the parts of the score say so."""
    monkeypatch.setattr(index, "_thresholds", Thresholds(facet=0.0, master=0.0, auto=0.9))
    await fill(
        entity(1, master="A talk with cos=0.1 by Armin Ronacher"),
        *(entity(number, master="A talk with cos=0.6 and more") for number in range(2, 6)),
    )
    for text in ("Armin Ronacher", "Who is Armin Ronaccher?"):
        result = await index.search(ask(SearchMode.AUTO, text=text))
        assert ids(result)[0] == 1
        assert result.results[0].parts["words"] >= 0.8


async def test_the_size_of_a_list_changes_no_decision(
    index: SearchIndex, fill: Fill, entity: MakeEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One result or ten: the same evidence."""
    monkeypatch.setattr(index, "_thresholds", Thresholds(facet=0.0, master=0.0, auto=0.1))
    await fill(*(entity(number, master=f"cos=0.{number}") for number in range(1, 9)))
    one, ten = [await index.search(ask(SearchMode.AUTO, text="zeppelins", limit=limit)) for limit in (1, 10)]
    assert one.explain == ten.explain
    assert (len(one.results), len(ten.results)) == (1, 8)


async def test_an_index_without_words_is_searched_by_meaning_and_says_so(
    index: SearchIndex, vectors: Vectors, fill: Fill, entity: MakeEntity
) -> None:
    """Built before words were kept: nothing fails, and a full reindex brings them."""
    await fill(entity(1, master="cos=0.5 Ronacher"))
    live = (await vectors.aliases())["sessions_master"]
    old = live.replace("first", "older")
    await vectors.create_collection(old, 2, {})
    points = [record async for page in vectors.scroll(live) for record in page]
    await vectors.upsert(old, [Point(one.id, [0.5, 0.866], one.payload, {1: 1.0}) for one in points])
    await vectors.switch_aliases({"sessions_master": old})
    result = await index.search(ask(SearchMode.AUTO, text="Ronacher"))
    assert (ids(result), result.explain["words_indexed"]) == ([1], False)
    await fill(entity(1, master="cos=0.5 Ronacher"), full=True)
    fresh = SearchIndex(vectors, WordEmbedder())
    result = await fresh.search(ask(SearchMode.AUTO, text="Ronacher"))
    assert (ids(result), result.explain["words_indexed"]) == ([1], True)


async def test_a_new_word_is_found_at_once(
    index: SearchIndex, fill: Fill, writer: IndexWriter, entity: MakeEntity
) -> None:
    """Words of a single update are searched for before the conference's word counts are read again."""
    await fill(entity(1, master="cos=0.5 compilers"), entity(2, master="cos=0.5 compilers"))
    await index.search(ask(SearchMode.AUTO, text="compilers"))
    await writer.upsert(entity(2, master="cos=0.1 zeppelins"))
    result = await index.search(ask(SearchMode.AUTO, text="zeppelins"))
    assert ids(result)[0] == 2
    assert result.results[0].parts["words"] == pytest.approx(1.0)


async def test_what_only_facets_found_is_shown_in_full(index: SearchIndex, fill: Fill, entity: MakeEntity) -> None:
    """Facet hits come without their payload; who is shown has all of it."""
    # Sixty profiles are nearer than this one's; its facet is the nearest of all.
    others = [entity(number, master="cos=0.9 others") for number in range(2, 62)]
    await fill(entity(1, master="cos=0.1 it", facets={"why_attend": "cos=0.99"}, room="Hall A"), *others)
    result = await index.search(ask(SearchMode.AUTO, text="zeppelins"))
    assert ids(result)[0] == 1
    assert (result.results[0].payload["room"], result.results[0].title) == ("Hall A", "Title 1")

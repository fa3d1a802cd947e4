"""A vague question is drawn to what the conference calls its nearest profiles, of whatever type; nothing else is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from search.neighbours import NEIGHBOURS, Neighbours, drawn_to, subject_of
from search.query import EntityType, SearchQuery
from search.writer import IndexWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from search.index import SearchIndex
    from services.vectors import Vectors
    from tests.search.conftest import MakeEntity, WordEmbedder

    Fill = Callable[..., Any]

ASKED = [1.0, 0.0]


def called(made: Any, title: str) -> Any:  # noqa: ANN401 - an IndexedEntity
    return replace(made, title=title)


@pytest.mark.parametrize(
    ("payload", "subject"),
    [
        ({"entity_type": "sessions", "title": "Caches", "name": "x"}, "Caches"),
        (
            {"entity_type": "speakers", "name": "Ada", "sessions": [{"title": "Caches"}, {"title": "Locks"}]},
            "Caches. Locks",
        ),
        ({"entity_type": "speakers", "name": "Ada", "sessions": [{"id": "1"}], "topics": ["Web", "Data"]}, "Web, Data"),
        ({"entity_type": "speakers", "name": "Ada"}, "Ada"),
        ({"entity_type": "exhibitors", "name": "Acme", "category": "Databases"}, "Acme. Databases"),
        ({"entity_type": "exhibitors", "name": "Acme"}, "Acme"),
    ],
)
def test_a_profile_is_called_by_what_it_is_about(payload: dict[str, Any], subject: str) -> None:
    assert subject_of(payload) == subject


def test_a_long_list_of_sessions_is_cut() -> None:
    sessions = [{"title": "A talk on the very same thing"}] * 100
    assert len(subject_of({"entity_type": "speakers", "name": "Ada", "sessions": sessions})) == 300


def test_the_question_is_drawn_by_a_share_and_stays_a_unit_vector() -> None:
    """Two subjects at right angles on either side of the second axis pull along it alone."""
    drawn = drawn_to([1.0, 0.0, 0.0], [[0.0, 0.6, 0.8], [0.0, 0.6, -0.8]], 0.5)
    assert drawn == pytest.approx([2 / 5**0.5, 1 / 5**0.5, 0.0])
    assert drawn_to(ASKED, [[0.0, 1.0], [0.0, -1.0]]) == ASKED


async def test_the_nearest_of_all_types_draw_and_those_of_other_conferences_do_not(
    vectors: Vectors, embedder: WordEmbedder, fill: Fill, entity: MakeEntity
) -> None:
    """Three of four: a session, a speaker and an exhibitor. Each subject is embedded once, however often asked for."""
    speaker = entity(2, kind=EntityType.SPEAKERS, master="cos=0.8", sessions=[{"title": "cos=0.0 speaker"}])
    await fill(
        called(entity(1, master="cos=0.9"), "cos=0.0 session"),
        called(speaker, "cos=-0.9"),
        called(entity(3, kind=EntityType.EXHIBITORS, master="cos=0.7"), "cos=0.0 exhibitor"),
        called(entity(4, master="cos=0.1"), "cos=-0.9 farther"),
        called(entity(5, conference="c2", master="cos=1.0"), "cos=-0.9 elsewhere"),
    )
    embedder.embedded.clear()
    neighbours = Neighbours(vectors, embedder)
    for _ in range(2):
        drawn, subjects = await neighbours.draw(ASKED, "c1")
        assert drawn == pytest.approx(drawn_to(ASKED, [[0.0, 1.0]]))
        assert subjects == ["cos=0.0 session", "cos=0.0 speaker", "cos=0.0 exhibitor"]
    assert sorted(embedder.embedded) == ["cos=0.0 exhibitor", "cos=0.0 session", "cos=0.0 speaker"]
    assert len(embedder.embedded) == NEIGHBOURS


async def test_types_without_an_index_or_of_another_model_are_left_out(
    vectors: Vectors, embedder: WordEmbedder, other_embedder: WordEmbedder, entity: MakeEntity
) -> None:
    """Sessions of this model, exhibitors of another, no speakers: the session alone draws."""
    await IndexWriter(vectors, embedder).upsert(called(entity(1, master="cos=0.5"), "cos=0.0"))
    other = called(entity(2, kind=EntityType.EXHIBITORS, master="cos=0.9"), "cos=-0.9")
    await IndexWriter(vectors, other_embedder).upsert(other)
    drawn, _ = await Neighbours(vectors, embedder).draw(ASKED, "c1")
    assert drawn == pytest.approx(drawn_to(ASKED, [[0.0, 1.0]]))


async def test_where_nothing_is_near_the_question_stays(
    vectors: Vectors, embedder: WordEmbedder, fill: Fill, entity: MakeEntity
) -> None:
    await fill(entity(1))
    assert await Neighbours(vectors, embedder).draw(ASKED, "nobody's") == (ASKED, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("something gentle for rainy afternoons", ["Title 1"]),
        ("Title 1", []),
        ("What should I see?", []),
    ],
)
async def test_only_a_vague_question_with_a_subject_is_drawn(
    index: SearchIndex, fill: Fill, entity: MakeEntity, text: str, expected: list[str]
) -> None:
    """Who asks by name wants that; who names no subject wants whatever is there."""
    await fill(entity(1, master="Title 1 cos=0.9"))
    result = await index.search(SearchQuery(text, "c1", EntityType.SESSIONS))
    assert len(result.results) == 1
    assert result.explain["drawn_to"] == expected

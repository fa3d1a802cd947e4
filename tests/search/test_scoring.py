"""The formulas, on numbers worked out by hand."""

from __future__ import annotations

import pytest

from search.query import EntityType
from search.scoring import (
    auto_score,
    meaning_score,
    published_score,
    ranked_by_all,
    ranked_by_facets,
    ranked_by_master,
)
from search.thresholds import Thresholds, thresholds_for
from services.vectors import Hit


def hit(entity: str, facet: str | None, score: float) -> Hit:
    payload = {
        "entity_id": entity,
        "entity_type": "sessions",
        "title": f"T {entity}",
        "conference_id": "c",
        "room": "A",
    }
    internal = {"text": "t", "text_hash": "h", "source_hash": "s", "indexed_at": 1.0}
    return Hit("x", score, payload | internal | ({"facet_key": facet} if facet else {}))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], 0.0),
        ([0.8], 0.6 * 0.8 + 0.4 * 0.25),  # one match: 0.58
        ([0.9, 0.7, 0.5], 0.6 * 0.7 + 0.4 * 0.75),  # 0.72
        ([0.5, 0.5, 0.5, 0.5], 0.6 * 0.5 + 0.4),  # four count for all: 0.70
        ([0.5] * 6, 0.6 * 0.5 + 0.4),  # and more than four for no more
    ],
)
def test_the_published_formula(scores: list[float], expected: float) -> None:
    """0.6 times the mean plus 0.4 times the share of four matches."""
    assert published_score(scores) == pytest.approx(expected)


def test_several_matches_outrank_a_single_better_one() -> None:
    """What the published formula is for: three facets at 0.6 (0.66) before one at 0.8 (0.58)."""
    hits = [hit("one", "a", 0.8), *[hit("many", facet, 0.6) for facet in ("a", "b", "c")]]
    ranked = ranked_by_facets(hits, 10)
    assert [(found.entity_id, found.score, found.facet_matches) for found in ranked] == [
        ("many", 0.66, 3),
        ("one", 0.58, 1),
    ]
    assert ranked[0].facet_scores == {"a": 0.6, "b": 0.6, "c": 0.6}


def test_a_result_shows_what_answers_need_and_nothing_internal() -> None:
    """Texts, hashes and stamps stay in the index."""
    [found] = ranked_by_facets([hit("e", "a", 0.5)], 10)
    assert (found.title, found.entity_type) == ("T e", EntityType.SESSIONS)
    assert set(found.payload) == {"entity_id", "entity_type", "title", "conference_id", "room"}


def test_the_cut_is_after_the_sorting_and_equal_scores_have_an_order() -> None:
    """The best ``limit`` stay; ties are in the order of ids."""
    ranked = ranked_by_master([hit("c", None, 0.5), hit("b", None, 0.5), hit("a", None, 0.4), hit("d", None, 0.9)], 3)
    assert [found.entity_id for found in ranked] == ["d", "b", "c"]


def test_an_entity_is_named_once() -> None:
    """Two points of one entity make one result, by the better one."""
    ranked = ranked_by_master([hit("a", None, 0.3), hit("a", None, 0.7)], 10)
    assert [(found.entity_id, found.score) for found in ranked] == [("a", 0.7)]


def test_scores_stay_within_nought_and_one() -> None:
    """A text that points away from the question scores 0."""
    assert ranked_by_master([hit("a", None, -0.4)], 10)[0].score == 0.0


def test_meaning_is_best_facet_profile_and_best_three() -> None:
    """0.6 best facet + 0.2 profile + 0.2 mean of the best three, where the floor stands for what was not fetched."""
    assert meaning_score([0.9, 0.6, 0.3, 0.1], 0.5) == pytest.approx(0.54 + 0.1 + 0.2 * 0.6)
    assert meaning_score([0.9], 0.5, floor=0.3) == pytest.approx(0.54 + 0.1 + 0.2 * 0.5)


def test_few_shared_words_are_chance_and_all_of_them_are_a_name() -> None:
    """A third of the words adds less than 0.03; all of them outrank any meaning; the result stays in 0..1."""
    assert auto_score(0.4, 0.33) - auto_score(0.4, 0.0) < 0.03
    assert auto_score(0.1, 1.0) > auto_score(0.7, 0.3)
    assert auto_score(1.0, 1.0) == pytest.approx(1.0)
    assert auto_score(-0.5, 0.0) == 0.0


def test_once_one_has_nearly_all_words_the_others_count_in_proportion() -> None:
    """Half the words, little meaning, beside some more meaning: it is second where somebody was asked for by name."""
    meant, half = [hit("meant", "a", 0.5)], hit("half", None, 0.5)
    facets = [*meant, hit("half", "a", 0.3), hit("all", "a", 0.3)]
    by_name = ranked_by_all(facets, [], [hit("all", None, 0.9), half], 10).found
    assert [found.entity_id for found in by_name] == ["all", "half", "meant"]
    by_chance = ranked_by_all(facets, [], [hit("all", None, 0.59), half], 10).found
    assert by_chance[0].entity_id == "meant"


def test_the_default_knows_entities_by_any_way() -> None:
    """Seen only by profile, only by a facet, only by words: all are ranked; the least score stands in."""
    facets = [hit("f", "a", 0.9), hit("both", "a", 0.6)]
    masters = [hit("m", None, 0.8), hit("both", None, 0.4)]
    ranked = ranked_by_all(facets, masters, [hit("w", None, 0.9)], 10).found
    by_id = {found.entity_id: found for found in ranked}
    assert by_id["f"].score == pytest.approx(auto_score(meaning_score([0.9], 0.4, 0.6), 0.0), abs=1e-4)
    assert by_id["m"].score == pytest.approx(auto_score(meaning_score([], 0.8, 0.6), 0.0), abs=1e-4)
    assert by_id["both"].score == pytest.approx(auto_score(meaning_score([0.6], 0.4, 0.6), 0.0), abs=1e-4)
    assert by_id["w"].score == pytest.approx(auto_score(meaning_score([], 0.4, 0.6), 0.9, by_name=True), abs=1e-4)
    assert by_id["w"].parts == {"facets": 0.6, "master": 0.4, "meaning": 0.56, "words": 0.9}


def test_each_measured_model_has_its_thresholds_and_openai_the_published_one() -> None:
    """0.5 for OpenAI's facets as published; a model nobody measured cuts nothing by score, whatever its family."""
    assert thresholds_for("openai-text-embedding-3-small-1536").facet == 0.5
    assert thresholds_for("local-wordllama-256").auto is not None
    assert thresholds_for("fastembed-all-minilm-l6-v2-384") == thresholds_for("fastembed-all-minilm-l6-v2-ab-384")
    assert thresholds_for("fastembed-multilingual-e5-large-1024") == Thresholds(0.0, 0.0, None)

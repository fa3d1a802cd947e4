"""The figures are those of the textbook, and their intervals those of the sample."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from evals.measures import figures, with_confidence
from evals.questions import Judged, read_questions
from search.query import EntityType, Found, SearchMode, SearchResult

if TYPE_CHECKING:
    from pathlib import Path


def answer(*ids: str) -> SearchResult:
    """Results of these ids, all with one score: their order alone counts."""
    return SearchResult(SearchMode.AUTO, tuple(Found(one, EntityType.SESSIONS, one, 0.5, 0, {}, {}) for one in ids))


def judged(number: int, kind: str, **relevant: int) -> Judged:
    return Judged(f"q{number}", "?", kind, EntityType.SESSIONS, relevant)


def test_figures_of_a_ranking_worked_out_by_hand() -> None:
    """Grades 2 and 1, found at places 2 and not at all: nDCG, recall and reciprocal rank of that."""
    one = judged(1, "vague", a=2, b=1)
    found = {(each.kind, each.metric): each.value for each in figures("x", "y", [one], {one.key: answer("c", "a")})}
    ideal = 2 + 1 / math.log2(3)
    assert found["vague", "nDCG@10"] == pytest.approx(2 / math.log2(3) / ideal, abs=1e-4)
    assert found["vague", "recall@10"] == 0.5
    assert found["vague", "MRR"] == 0.5
    assert found["answerable", "lost"] == 0.0


def test_what_is_not_found_counts_as_nothing_and_as_lost() -> None:
    """A search without results is not left out of the mean."""
    one, two = judged(1, "specific", a=2), judged(2, "specific", a=2)
    found = {
        (each.kind, each.metric): each
        for each in figures("x", "y", [one, two], {one.key: answer("a"), two.key: answer()})
    }
    assert (found["specific", "nDCG@10"].value, found["specific", "nDCG@10"].n) == (0.5, 2)
    assert found["specific", "lost"].value == 0.5


def test_a_question_is_silent_only_if_all_its_searches_are() -> None:
    """One type with rows is an answer to what has none."""
    silent = Judged("u1", "?", "unanswerable", EntityType.SESSIONS, {})
    spoken = Judged("u1", "?", "unanswerable", EntityType.SPEAKERS, {})
    found = {
        each.metric: each.value
        for each in figures("x", "y", [silent, spoken], {silent.key: answer(), spoken.key: answer("a")})
        if each.kind == "unanswerable"
    }
    assert found == {"silent searches": 0.5, "silent questions": 0.0}


def test_the_interval_holds_the_mean_and_narrows_with_more() -> None:
    """And is the same each time."""
    few, many = with_confidence([0.0, 1.0] * 5), with_confidence([0.0, 1.0] * 200)
    assert few[1] < few[0] == 0.5 < few[2]
    assert many[2] - many[1] < few[2] - few[1]
    assert with_confidence([0.0, 1.0] * 5) == few


def test_a_question_is_asked_of_the_types_it_was_judged_for(tmp_path: Path) -> None:
    """Types without anything relevant are left out, but for what nothing answers, which is asked of all."""
    rows = [
        {"id": "1", "query": "a", "kind": "vague", "entity_type": ["session", "speaker"], "relevant": {"s": 2}},
        {"id": "2", "query": "b", "kind": "unanswerable", "entity_type": [], "relevant": {}},
    ]
    file = tmp_path / "queries.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    known = {EntityType.SESSIONS: {"s"}, EntityType.SPEAKERS: set(), EntityType.EXHIBITORS: set()}
    asked = [(one.question_id, one.entity_type) for one in read_questions(file, known)]
    assert asked == [("1", EntityType.SESSIONS), *(("2", kind) for kind in EntityType)]

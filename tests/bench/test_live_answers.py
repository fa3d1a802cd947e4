"""How the watched answers' figures are made of what was seen."""

from __future__ import annotations

import pytest

from bench.live_answers import MODEL_S, Question, Round, asked_at, figures, update_rate


def test_the_rate_counts_each_state_once() -> None:
    """Directus may send the same state twice; a visitor's eye sees one."""
    seen = [[10.0, 1], [10.1, 2], [10.1, 2], [10.2, 3], [11.0, 4]]
    assert update_rate(seen) == pytest.approx(3.0)


def test_an_answer_that_came_at_once_did_not_move() -> None:
    """One update is no stream."""
    assert update_rate([[10.0, 1]]) == 0.0
    assert update_rate([]) == 0.0


def test_a_stream_is_told_by_its_question() -> None:
    """Each question holds its own message's id, and the model's record is searched for it."""
    asked = {"… Which talks? (m-1)": 5.0, "… Which talks? (m-2)": 6.0}
    assert asked_at(Question("m-2", "c", "Which talks? (m-2)"), asked) == 6.0
    assert asked_at(Question("m-3", "c", "Which talks? (m-3)"), asked) is None


def test_a_round_without_an_end_misses_its_goals() -> None:
    """Answers that never ended are counted, and their time is unknown instead of small."""
    lost = figures("x", [Round(None, None, 0.0, 0, 2)], late=1.05, moves=6)
    assert [figure.ok for figure in lost if figure.goal is not None] == [False, False, False]


def test_lateness_is_in_the_models_own_time() -> None:
    """The slowest answer's time over 300 tokens at 60 a second."""
    late, *_ = figures("x", [Round(5.1, 5.3, 9.0, 50, 0)], late=1.05, moves=6)
    assert MODEL_S == 5.0
    assert late.value == pytest.approx(1.02)
    assert late.ok

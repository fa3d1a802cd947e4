"""The second set of questions asks of the packaged conference, and repeats nothing of the first."""

from __future__ import annotations

import json

from evals.conference import SAMPLE, SECOND_QUESTIONS, judged


def test_every_judged_entity_is_there() -> None:
    """``judged`` leaves out ids that the conference has not; none was, and grades are 1 or 2."""
    rows = [json.loads(line) for line in SECOND_QUESTIONS.read_text(encoding="utf-8").splitlines()]
    asked = judged(SAMPLE, SECOND_QUESTIONS)
    found: dict[str, set[str]] = {row["id"]: set() for row in rows}
    for one in asked:
        found[one.question_id] |= set(one.relevant)
        assert set(one.relevant.values()) <= {1, 2}
    assert found == {row["id"]: set(row["relevant"]) for row in rows}


def test_the_sets_share_no_question() -> None:
    first, second = judged(SAMPLE), judged(SAMPLE, SECOND_QUESTIONS)
    for field in ("question_id", "text"):
        assert {getattr(one, field) for one in first}.isdisjoint(getattr(one, field) for one in second)

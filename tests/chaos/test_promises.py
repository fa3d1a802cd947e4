"""What faults look for beyond the counts: paid twice, a burst in pieces, a text cut short, a visitor not told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from chaos.answers import answer_text, read_answer
from chaos.faults.deaths import nothing_paid_twice
from chaos.faults.late import not_whole
from chaos.faults.outages import tell_missing
from chaos.faults.visitors import became_two_answers
from services.answer_ids import answer_id_of

if TYPE_CHECKING:
    from chaos.fault import Scene

ASKED = [f"{number}1111111-1111-4111-8111-111111111111" for number in range(6)]


@dataclass
class SceneOfTest:
    """What a fault says to its scene."""

    marks: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def broken(self, text: str) -> None:
        self.told.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)


def understood(tag: str, at: float) -> dict[str, Any]:
    return {"tag": tag, "at": at, "streamed": False}


def rows_of_burst() -> dict[str, dict[str, Any]]:
    """Five messages that the fifth's answer covers, and a sixth with its own."""
    rows = {message_id: {"status": "superseded"} for message_id in ASKED[:4]}
    rows |= {message_id: {"status": "answered"} for message_id in ASKED[4:]}
    answers: list[dict[str, Any]] = [{"metadata": {"covers": ASKED[:4]}}, {"metadata": {"covers": []}}]
    return rows | dict(zip(map(answer_id_of, ASKED[4:]), answers, strict=True))


@pytest.mark.parametrize(
    ("calls", "kills", "is_kept"),
    [
        ([understood("q1q", 1.0), understood("q2q", 2.0)], [2.5], True),
        ([understood("q1q", 1.0), understood("q1q", 8.0)], [1.3], True),
        ([understood("q1q", 1.0), understood("q1q", 8.0)], [3.0], False),
        ([understood("q1q", 1.0), understood("q1q", 8.0)], [], False),
    ],
    ids=["once each", "killed on its way", "killed long after it had ended", "without a kill"],
)
def test_understanding_that_had_ended_is_not_paid_again(
    calls: list[dict[str, Any]],
    kills: list[float],
    is_kept: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    scene = SceneOfTest(marks=kills)
    nothing_paid_twice(cast("Scene", scene), calls, 0.5)
    assert (not scene.told) is is_kept


def test_a_burst_of_five_becomes_one_answer_that_says_so() -> None:
    scene = SceneOfTest()
    became_two_answers(cast("Scene", scene), ASKED, rows_of_burst())
    assert scene.told == []


@pytest.mark.parametrize(
    "change",
    [
        {answer_id_of(ASKED[0]): {"metadata": {"covers": []}}},
        {answer_id_of(ASKED[4]): {"metadata": {"covers": ASKED[:3]}}},
        {ASKED[2]: {"status": None}},
    ],
    ids=["an answer too many", "one not covered", "one not marked"],
)
def test_a_burst_that_falls_apart_is_broken(change: dict[str, Any]) -> None:
    scene = SceneOfTest()
    became_two_answers(cast("Scene", scene), ASKED, rows_of_burst() | change)
    assert len(scene.told) == 1


def completed(text: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    row = {"id": "a", "role": "assistant", "status": "completed", "messageText": text, "degraded": 0}
    return row | {"metadata": {"model": "m", "tools_used": ["search_sessions"]}} | fields


def test_a_completed_answer_is_whole_or_is_named() -> None:
    """Cut by a late write, or without its last points; what no model wrote, or is no end, is none of it."""
    whole = answer_text("q1q", 7)
    assert not_whole([completed(whole)]) == []
    assert not_whole([completed(whole[:-60])]) == ["a"]
    assert not_whole([completed(answer_text("q1q", 7, points=9))]) == ["a"]
    assert not_whole([completed("", degraded=1), completed("", status="streaming"), completed("", role="user")]) == []


def test_an_answer_without_its_search_says_so() -> None:
    told = answer_text("q1q", 7, missing="sessions")
    assert read_answer(told).is_whole
    for answers, broken in (
        ([completed(told)], 0),
        ([completed(answer_text("q1q", 7))], 1),
        ([], 1),
        ([completed(told), completed("Hello!", metadata={"tools_used": []})], 0),
    ):
        scene = SceneOfTest()
        tell_missing(cast("Scene", scene), answers)
        assert len(scene.told) == broken

"""The bookkeeping of a run of faults: it must see each kind of broken promise, or a green table says nothing."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.answers import answer_text, read_answer, tag_of
from chaos.tally import Asked, Tally, count, longest_recovery_s, markdown, table
from services.answer_ids import answer_id_of

MESSAGE = "11111111-1111-4111-8111-111111111111"
LATER = "22222222-2222-4222-8222-222222222222"
WHOLE = answer_text("q1q", 7)


def question(message_id: str = MESSAGE, status: str | None = "answered") -> dict[str, Any]:
    return {"id": message_id, "role": "user", "status": status, "messageText": "?", "metadata": None}


def answer(message_id: str = MESSAGE, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    row = {"id": answer_id_of(message_id), "role": "assistant", "status": "completed", "messageText": WHOLE}
    return row | {"metadata": {"covers": []}, "degraded": 0} | fields


def counted(rows: list[dict[str, Any]], *, ended_text: str | None = WHOLE, one_call: bool = True) -> Tally:
    tally = Tally("a fault", injected=1)
    ids = [row["id"] for row in rows if row["role"] == "user"] or [MESSAGE]
    asked = [Asked(each, "c", at=0.0, ended_at=2.0, ended_text=ended_text) for each in ids]
    count(tally, asked, rows, one_call=one_call)
    return tally


def test_a_whole_answer_is_answered_once() -> None:
    tally = counted([question(), answer()])
    assert (tally.sent, tally.answered_once, tally.is_kept) == (1, 1, True)


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([question(status=None)], {"lost": 1, "stuck": 1}),
        ([question()], {"lost": 1}),
        ([], {"lost": 1, "stuck": 1}),
        ([question(status=None), answer(status="streaming")], {"lost": 1, "stuck": 2}),
        ([question(), answer(status="failed")], {"lost": 1}),
        ([question(), answer(), answer() | {"id": "another"}], {"answered_twice": 1}),
        ([question(), answer(messageText=WHOLE[:40])], {"answered_twice": 1}),
        ([question(), answer(messageText=f"{WHOLE} {WHOLE}")], {"answered_twice": 1}),
        ([question(), answer(messageText=WHOLE.replace("call 7 then", "call 6 then"))], {"answered_twice": 1}),
    ],
)
def test_each_broken_promise_is_counted(rows: list[dict[str, Any]], what: dict[str, int]) -> None:
    """Nothing there, no mark, streaming, failed, a second row, a cut, doubled or mixed text."""
    tally = counted(rows, ended_text=None)
    found = {name: getattr(tally, name) for name in ("answered_twice", "lost", "stuck") if getattr(tally, name)}
    assert found == what
    assert not tally.is_kept


def test_a_text_that_changed_after_its_end_is_answered_twice() -> None:
    assert counted([question(), answer()], ended_text="something else").answered_twice == 1


def test_a_superseded_message_is_answered_by_the_later_one_that_covers_it() -> None:
    covering = answer(LATER, metadata={"covers": [MESSAGE]})
    tally = counted([question(status="superseded"), question(LATER), covering])
    assert (tally.answered_once, tally.lost) == (2, 0)
    assert counted([question(status="superseded"), question(LATER), answer(LATER)]).lost == 1


def test_a_message_that_is_answered_and_covered_is_answered_twice() -> None:
    covering = answer(LATER, metadata={"covers": [MESSAGE]})
    assert counted([question(), answer(), question(LATER), covering]).answered_twice == 1


def test_an_answer_that_another_provider_went_on_with_is_one_answer() -> None:
    """Its ends are of two calls, its points still count up; only where one call is expected is that a fault."""
    begun = answer_text("q1q", 7).partition(" Point 5")[0]
    text = begun + answer_text("q1q", 8, written=begun)
    writing = read_answer(text)
    assert (writing.is_whole, writing.calls) == (True, ("7", "8"))
    assert counted([question(), answer(messageText=text)], ended_text=text, one_call=False).answered_once == 1
    assert counted([question(), answer(messageText=text)], ended_text=text).answered_twice == 1


def test_a_stopped_or_degraded_answer_may_be_short_but_not_garbled() -> None:
    cut = WHOLE[:120]
    for fields in ({"status": "cancelled"}, {"degraded": 1}):
        row = answer(messageText=cut, **fields)
        assert counted([question(), row], ended_text=cut).answered_once == 1
    garbled = WHOLE.replace("Point 3", "Point 9")
    assert counted([question(), answer(messageText=garbled, degraded=1)], ended_text=garbled).answered_twice == 1


def test_recovery_is_counted_from_the_mark_to_the_end_of_what_was_open_then() -> None:
    open_then = Asked("a", "c", at=1.0, ended_at=9.0, changed_at=[3.2, 6.5, 9.0])
    before, after = Asked("b", "c", at=0.0, ended_at=2.0), Asked("d", "c", at=4.0, ended_at=20.0)
    assert longest_recovery_s([open_then, before, after], [3.0]) == 6.0
    assert longest_recovery_s([open_then, before, after], [3.0], goes_on=True) == 3.5, (
        "its last words count for nothing"
    )
    assert longest_recovery_s([open_then, before, after], []) == 16.0
    assert longest_recovery_s([before], [3.0]) is None


def test_a_fault_that_never_struck_or_came_too_late_is_not_kept() -> None:
    """A row without an injection proves nothing; one over its promise is broken."""
    kept = Tally("f", injected=1, sent=1, answered_once=1, longest_recovery_s=9.9, promised_s=10)
    assert kept.is_kept
    for change in (
        {"injected": 0},
        {"sent": 0},
        {"longest_recovery_s": 10.1},
        {"longest_recovery_s": None},
        {"broken": ["it was"]},
    ):
        broken = Tally("f", 1, 1, 1, longest_recovery_s=9.9, promised_s=10)
        for name, value in change.items():
            setattr(broken, name, value)
        assert not broken.is_kept
    assert "BROKEN" in table([kept, broken])


def test_the_file_has_the_promised_fields() -> None:
    assert list(Tally("f").as_json()) == [
        "fault", "injected", "sent", "answered_once", "answered_twice", "lost", "stuck", "longest_recovery_s",
    ]  # fmt: skip


def test_the_page_shows_a_fault_a_row() -> None:
    tally = Tally("kill -9 in plan", 3, 29, 29, longest_recovery_s=8.7)
    assert markdown([tally.as_json()]).splitlines()[2] == "| kill -9 in plan | 3 | 29 | 29 | 0 | 0 | 0 | 8.7 s |"


def test_a_burst_is_tagged_by_its_newest_question() -> None:
    assert tag_of("Which talks? q1q\nAnd who? q2q") == "q2q"
    assert tag_of("no tag, not even aq1q") is None

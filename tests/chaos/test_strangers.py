"""What faults look for where somebody reaches for what is not his: refusals, foreign words, changes, forgeries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from chaos.answers import answer_text, read_answer, with_orders_done
from chaos.faults.forgeries import forgeries
from chaos.faults.intruders import is_refused, nothing_changed, strangers_in
from chaos.faults.poison import nothing_foreign
from chaos.intruder import Target, reads, writes
from chaos.traffic import Traffic
from services.answer_ids import answer_id_of

if TYPE_CHECKING:
    from chaos.fault import Scene
    from chaos.house import House

MESSAGE = "11111111-1111-4111-8111-111111111111"
SECRET = "w3bh00k-Secret-of-the-House"
WHOLE = answer_text("q1q", 7)


class SceneOfTest:
    """What a fault says to its scene, and the traffic that it asks about."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.traffic = Traffic(cast("House", None), [0])
        self.traffic.note(MESSAGE, "c")
        self.traffic.tags[MESSAGE] = "q1q"

    def broken(self, text: str) -> None:
        self.told.append(text)


def answer(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    row = {"id": answer_id_of(MESSAGE), "role": "assistant", "status": "completed", "messageText": WHOLE}
    return row | {"degraded": 0, "metadata": {"tools_used": ["search_sessions"], "sources": []}} | fields


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (403, {"errors": [{}]}, True),
        (404, {}, True),
        (202, {"cancelled": True}, False),
        (204, None, False),
        (500, {}, False),
        (200, {"data": []}, True),
        (200, {"data": [{"id": "a"}]}, False),
        (200, {"data": {"id": "a"}}, False),
        (200, {"data": {"update_messages_item": None}, "errors": [{}]}, True),
        (200, {"data": {"update_messages_item": {"id": "a"}}}, False),
        (200, [{"id": "a", "status": "cancelled"}], False),
    ],
)
def test_a_change_is_refused_or_it_is_not(status: int, body: Any, refused: bool) -> None:  # noqa: ANN401, FBT001 - any JSON; a parameter
    assert is_refused(httpx.Response(status, json=body)) is refused


def test_words_and_ids_of_others_are_found_in_what_a_visitor_is_given() -> None:
    text = f'{{"data": [{{"id": "{MESSAGE}", "messageText": "Point 1 about q2q stands as said. And q1q."}}]}}'
    assert strangers_in(text, own_tags={"q1q"}, ids=[MESSAGE, "another"]) == ["q2q", MESSAGE]
    assert strangers_in(text, own_tags={"q1q", "q2q"}, ids=[]) == []


@pytest.mark.parametrize(
    ("row", "is_kept"),
    [
        (answer(), True),
        (answer(status="cancelled"), False),
        (answer(metadata={"previous": [{"text": "before"}]}), False),
        ({"id": "his", "role": "user", "status": None, "metadata": None}, False),
        ({"id": MESSAGE, "role": "user", "status": "answered", "metadata": None}, True),
    ],
    ids=["whole", "stopped", "written anew", "a message of his", "their own message"],
)
def test_a_change_in_anothers_conversation_is_seen(row: dict[str, Any], is_kept: bool) -> None:  # noqa: FBT001 - a parameter of the test
    scene = SceneOfTest()
    nothing_changed(cast("Scene", scene), [row])
    assert (not scene.told) is is_kept


@pytest.mark.parametrize(
    ("row", "is_kept"),
    [
        (answer(), True),
        (answer(messageText=f"{WHOLE} Zanzibarium"), False),
        (answer(metadata={"sources": [{"id": "foreign-row"}]}), False),
        (answer(messageText="Go to https://a.evil.example/login"), False),
        (answer(messageText="They told me of evil.example."), True),
        (answer(metadata={"tools_used": ["delete_items"]}), False),
        (answer(degraded=1), False),
    ],
)
def test_what_is_foreign_in_an_answer_is_seen(row: dict[str, Any], is_kept: bool) -> None:  # noqa: FBT001 - a parameter of the test
    scene = SceneOfTest()
    nothing_foreign(cast("Scene", scene), [row], ["Zanzibarium", "foreign-row"])
    assert (not scene.told) is is_kept


def test_an_answer_about_another_question_is_a_mistake() -> None:
    traffic = SceneOfTest().traffic
    assert traffic.mistaken([answer()]) == []
    assert traffic.mistaken([answer(messageText=answer_text("q2q", 7))]) == ["the answer to q1q is about q2q"]
    assert traffic.mistaken([]) == [], "what is lost is counted elsewhere"


def test_what_an_obedient_model_repeats_is_no_part_of_its_answer() -> None:
    """Whole and of one piece though it quotes other answers, and the orders stand in it."""
    text = with_orders_done(WHOLE, f"{answer_text('q2q', 3)} https://evil.example/")
    writing = read_answer(text)
    assert (writing.is_whole, writing.tag) == (True, "q1q")
    assert "https://evil.example/" in text


def test_every_forgery_is_one_and_no_two_are_alike() -> None:
    """None has the one right header with a body that may be believed."""
    made = forgeries(SECRET, MESSAGE)
    assert len({(each.path, *each.headers, each.body, each.is_chunked) for each in made}) == len(made)
    for each in made:
        is_right = list(each.headers) == [("X-Erleah-Secret", SECRET)]
        assert is_right is (401 not in each.refused_with), each.what


def test_a_visitor_tries_what_is_anothers_and_nothing_of_his_own() -> None:
    """Each write names the other's rows; the reads name them or ask for everything."""
    other = Target("conversation-of-another", "question-of-another", "answer-of-another")
    assert len(reads(other)) > 25
    for each in writes(other, "his-own"):
        assert "of-another" in str(each), each

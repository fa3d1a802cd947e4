"""An answer written anew: it keeps what it said and covered, and nobody takes it from the screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from services import redis_keys
from services.answer_ids import answer_id_of
from services.errors import ServiceUnavailableError
from services.queue.jobs import AnswerJob
from services.queue.runner import RetryLater
from tests.worker.test_answering import until
from webhook.regeneration import Regeneration

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rate_limits import RateLimits
    from tests.worker.conftest import Workshop


async def open_anew(workshop: Workshop, message_id: str) -> None:
    """What the receiver writes for a regeneration (``tests/webhook/test_regeneration.py`` holds it to this)."""
    row = workshop.answer_to(message_id)
    assert row is not None
    opened: dict[str, Any] = {
        "id": row["id"],
        "status": "streaming",
        "messageText": "",
        "seq": row["seq"] + 1000,
        "metadata": {"previous": [{"text": row["messageText"]}], "covers": row["metadata"]["covers"]},
    }
    await workshop.services.directus.update_items("messages", [opened, {"id": message_id, "status": None}])


def receiver_of(workshop: Workshop) -> Regeneration:
    limits = cast("RateLimits", None)  # counted before, not here
    services = workshop.services
    return Regeneration(directus=services.directus, redis=workshop.redis, queue=services.queue, limits=limits)


async def test_an_answer_asked_for_anew_keeps_its_old_text_in_metadata(workshop: Workshop) -> None:
    """One row, the new text, the old one kept, and as many attempts as it took."""
    message_id = workshop.ask()
    await workshop.answer(message_id)
    await open_anew(workshop, message_id)
    workshop.provider.pieces = ["Hi."]
    await workshop.answer(message_id)
    anew = workshop.answer_to(message_id)
    assert anew is not None
    assert (anew["messageText"], anew["status"]) == ("Hi.", "completed")
    assert anew["metadata"]["previous"] == [{"text": "Hello there."}]
    assert anew["metadata"]["attempts"] == 1
    assert anew["seq"] > 1003


async def test_one_who_stops_and_asks_anew_at_once_gets_the_new_answer_alone(workshop: Workshop) -> None:
    """The receiver's row says "cancelled" before the worker has noticed: its end does not fall on the new answer."""
    services = workshop.services
    workshop.provider.pieces, workshop.provider.pace_s = ["old "] * 500, 0.02
    message_id = workshop.ask()
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: (workshop.answer_to(message_id) or {}).get("messageText"))
    await services.directus.update_item("messages", answer_id_of(message_id), {"status": "cancelled"})
    await receiver_of(workshop).begin_again(message_id, "trace-2")
    await asyncio.wait_for(turn, 5)
    assert (workshop.answer_to(message_id) or {})["status"] == "streaming"
    assert workshop.status_of(message_id) is None
    workshop.provider.pieces, workshop.provider.pace_s = ["New."], 0
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["messageText"], row["status"], workshop.status_of(message_id)) == ("New.", "completed", "answered")
    (before,) = row["metadata"]["previous"]
    assert (before["text"].split()[0], before["outcome"]) == ("old", "cancelled")


async def begun_anew(workshop: Workshop) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A question whose answer the receiver has opened anew: its old last row, and the new one."""
    message_id = workshop.ask()
    await workshop.answer(message_id)
    old = dict(workshop.answer_to(message_id) or {})
    await receiver_of(workshop).begin_again(message_id, "trace-2")
    workshop.provider.pieces = ["New."]
    return message_id, old, dict(workshop.answer_to(message_id) or {})


async def test_the_old_turns_end_that_is_done_late_does_not_take_the_new_answer_away(workshop: Workshop) -> None:
    """Question and answer would count as done: nobody would write the new one, and its screen stay empty."""
    message_id, old, opened = await begun_anew(workshop)
    late = {name: old[name] for name in ("id", "status", "messageText", "seq", "metadata")}
    await workshop.directus.directus().update_items("messages", [late, {"id": message_id, "status": "answered"}])
    await workshop.answer(message_id)
    assert workshop.provider.prompts[1:] == [], "as it stands, nothing is due"
    await until(lambda: (workshop.answer_to(message_id) or {})["status"] == "streaming")
    assert (workshop.answer_to(message_id) or {})["seq"] == opened["seq"]
    assert workshop.status_of(message_id) is None, "the sweep asks for it again"
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["messageText"], row["status"], workshop.status_of(message_id)) == ("New.", "completed", "answered")


async def test_an_old_text_that_is_done_late_does_not_take_the_new_answer_behind_the_screen(workshop: Workshop) -> None:
    """A screen keeps the highest seq: that is what opened the answer, whatever the row says when its turn begins.

    The old answer was a long one: the number of the attempt alone is not ahead of it.
    """
    message_id = workshop.ask()
    await workshop.answer(message_id)
    answer_id = answer_id_of(message_id)
    await workshop.directus.directus().update_item("messages", answer_id, {"seq": 5000})
    await receiver_of(workshop).begin_again(message_id, "trace-2")
    opened = dict(workshop.answer_to(message_id) or {})
    await workshop.directus.directus().update_item("messages", answer_id, {"messageText": "Hel", "seq": 1})
    workshop.provider.pieces = ["New."]
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["messageText"] == "New."
    assert row["seq"] > opened["seq"] > 5000


async def test_an_old_stop_that_is_done_late_does_not_take_a_new_answers_place(workshop: Workshop) -> None:
    message_id, old, _ = await begun_anew(workshop)
    await workshop.answer(message_id)
    row = dict(workshop.answer_to(message_id) or {})
    late = {"id": old["id"], "status": "cancelled", "messageText": "Hel", "seq": 5}
    await workshop.directus.directus().update_items("messages", [late])
    await until(lambda: (workshop.answer_to(message_id) or {})["status"] == "completed")
    assert workshop.answer_to(message_id) == row


async def test_a_stop_of_an_answer_begun_anew_is_a_stop(workshop: Workshop) -> None:
    message_id, old, _ = await begun_anew(workshop)
    await workshop.directus.directus().update_item("messages", old["id"], {"status": "cancelled"})
    await asyncio.sleep(5)
    await workshop.answer(message_id)
    assert (workshop.answer_to(message_id) or {})["status"] == "cancelled"
    assert workshop.status_of(message_id) == "answered"
    assert len(workshop.provider.prompts) == 1


async def test_what_a_bursts_answer_covered_it_covers_again(workshop: Workshop) -> None:
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    await asyncio.sleep(0.01)
    second = workshop.ask("Two?", conversation_id)
    await workshop.answer(second)
    await asyncio.sleep(60)
    await workshop.answer(workshop.ask("Three, much later?", conversation_id))
    await open_anew(workshop, second)
    await workshop.answer(second)
    row = workshop.answer_to(second)
    assert row is not None
    assert row["metadata"]["covers"] == [first]
    assert [message.text for message in workshop.provider.prompts[-1].messages] == ["One?\nTwo?"]
    assert (workshop.status_of(first), workshop.status_of(second)) == ("superseded", "answered")


async def test_a_new_question_does_not_take_an_answer_from_the_screen_that_is_written_anew(
    workshop: Workshop,
) -> None:
    """Its row is empty until the first token, but it is on the screen: both are answered."""
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    await workshop.answer(first)
    await open_anew(workshop, first)
    workshop.provider.pace_s = 0.6
    turn = asyncio.create_task(workshop.answer(first))
    await until(lambda: len(workshop.provider.prompts) == 2)
    second = workshop.ask("Two?", conversation_id)
    await workshop.answer(second)
    await asyncio.wait_for(turn, 5)
    workshop.provider.pace_s = 0
    await workshop.answer(second)
    rows = [workshop.answer_to(first), workshop.answer_to(second)]
    assert [(row or {}).get("status") for row in rows] == ["completed", "completed"]
    assert (workshop.status_of(first), workshop.status_of(second)) == ("answered", "answered")
    assert (rows[1] or {})["metadata"]["covers"] == []


async def test_an_answer_on_the_screen_is_not_superseded_though_redis_forgot_its_turn(
    make_workshop: Callable[..., Workshop],
) -> None:
    """Redis is emptied and the worker killed: the turn is begun anew, with attempt 1, and ends."""
    dying, next_one = make_workshop(), make_workshop()
    dying.provider.pieces = ["word "] * 500
    dying.provider.pace_s = 0.02
    next_one.provider.pace_s = 0.6
    conversation_id = dying.conversation()
    first = dying.ask("One?", conversation_id)
    turn = asyncio.create_task(dying.answer(first))
    await until(lambda: (dying.answer_to(first) or {}).get("messageText"))
    await dying.stand_still(first)
    await dying.redis.flushall()
    going_on = asyncio.create_task(next_one.answer(first))
    await until(lambda: next_one.provider.prompts)
    second = dying.ask("Two?", conversation_id)
    await next_one.answer(second)
    await asyncio.wait_for(going_on, 5)
    await asyncio.wait_for(turn, 2)
    row = next_one.answer_to(first)
    assert row is not None
    assert (row["status"], next_one.status_of(first)) == ("completed", "answered")


async def test_a_question_whose_answer_is_on_the_screen_is_not_covered_by_a_later_one(workshop: Workshop) -> None:
    """Its worker is gone and so is its place in the line; its answer still ends by itself, and before the other."""
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    workshop.directus.put(
        "messages",
        id=answer_id_of(first),
        conversation_id=conversation_id,
        role="assistant",
        status="streaming",
        messageText="Half of",
        seq=3,
    )
    await asyncio.sleep(0.05)
    second = workshop.ask("Two?", conversation_id)
    with pytest.raises(RetryLater):
        await workshop.answer(second)
    assert (workshop.status_of(first), workshop.answer_to(second)) == (None, None)
    assert await workshop.services.queue.due_in_s(AnswerJob(message_id=first)) is not None, "its turn was asked for"
    await workshop.answer(first)
    await workshop.answer(second)
    rows = [workshop.answer_to(first), workshop.answer_to(second)]
    assert [(row or {}).get("status") for row in rows] == ["completed", "completed"]
    assert await workshop.redis.exists(redis_keys.conversation_lock(conversation_id)) == 0


async def test_a_redis_that_goes_as_a_turn_begins_again_leaves_no_stream_behind(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was opened for a turn that does not begin would stay with the pump for the life of the process."""

    async def silent(_message_ids: list[str]) -> None:
        raise ServiceUnavailableError("redis", "nobody is there")

    message_id = workshop.ask()
    await workshop.answer(message_id)
    await open_anew(workshop, message_id)
    monkeypatch.setattr(workshop.services.watched, "expected", silent)
    with pytest.raises(RetryLater):
        await workshop.answer(message_id)
    pump: Any = workshop.services.pump
    assert not pump._streams

"""POST /api/messages/{answer id}/cancel: a visitor stops an answer."""

from __future__ import annotations

from typing import Any

import pytest

from services.redis_keys import cancel_flag
from tests.webhook.conftest import Door, Visitor, some_id


async def cancel(door: Door, visitor: Visitor, answer_id: str, **query: str) -> Any:  # noqa: ANN401 - an httpx response
    return await door.http.post(f"/api/messages/{answer_id}/cancel", headers=visitor.headers, params=query)


async def asked(door: Door, status: str | None = None) -> tuple[Visitor, str]:
    """A visitor with a question, and its answer's id; the answer has a row if it has a status."""
    visitor = await door.visitor()
    answer_id = (await door.ask(visitor)).json()["answer_id"]
    if status is not None:
        row = {"conversation_id": visitor.conversation_id, "role": "assistant", "status": status, "seq": 3}
        door.directus.put("messages", id=answer_id, messageText="Three talks", **row)
    return visitor, answer_id


async def test_a_streaming_answer_is_stopped_in_redis_and_in_directus_and_its_text_stays(door: Door) -> None:
    visitor, answer_id = await asked(door, "streaming")
    answer = await cancel(door, visitor, answer_id)
    assert answer.status_code == 202
    row = door.directus.row("messages", answer_id)
    assert (row["status"], row["messageText"], row["seq"]) == ("cancelled", "Three talks", 3)
    assert await door.redis.get(cancel_flag(answer_id)) == b"1"
    assert await door.redis.ttl(cancel_flag(answer_id)) > 0


async def test_an_answer_without_a_row_yet_is_stopped_by_its_flag(door: Door) -> None:
    visitor, answer_id = await asked(door)
    answer = await cancel(door, visitor, answer_id)
    assert answer.status_code == 202
    assert await door.redis.get(cancel_flag(answer_id)) == b"1"


async def test_an_id_in_upper_case_is_the_same_answer(door: Door) -> None:
    visitor, answer_id = await asked(door)
    assert (await cancel(door, visitor, answer_id.upper())).status_code == 202
    assert await door.redis.get(cancel_flag(answer_id)) == b"1"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_an_answer_that_has_ended_is_a_409_and_stays_as_it_is(door: Door, status: str) -> None:
    visitor, answer_id = await asked(door, status)
    answer = await cancel(door, visitor, answer_id)
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert door.directus.row("messages", answer_id)["status"] == status
    assert await door.redis.get(cancel_flag(answer_id)) is None


async def test_an_answer_that_ends_at_this_very_moment_stays_completed(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor, answer_id = await asked(door, "streaming")
    set_flag = door.redis.set

    async def complete_meanwhile(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - redis-py's signature
        door.directus.tables.update("messages", answer_id, {"status": "completed"})
        return await set_flag(*args, **options)

    monkeypatch.setattr(door.redis, "set", complete_meanwhile)
    await cancel(door, visitor, answer_id)
    assert door.directus.row("messages", answer_id)["status"] == "completed"


@pytest.mark.parametrize("status", [None, "streaming"])
async def test_another_visitors_answer_is_a_404_and_goes_on(door: Door, status: str | None) -> None:
    _, answer_id = await asked(door, status)
    stranger = await door.visitor()
    answer = await cancel(door, stranger, answer_id)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert await door.redis.get(cancel_flag(answer_id)) is None
    if status:
        assert door.directus.row("messages", answer_id)["status"] == "streaming"


@pytest.mark.parametrize(
    "answer_id", ["5f0c2f0e-0000-4000-8000-0000000000aa", "17", "x" * 500, "..%2f..%2fusers", "%00"]
)
async def test_an_unknown_answer_is_a_404(door: Door, answer_id: str) -> None:
    visitor, _ = await asked(door)
    answer = await cancel(door, visitor, answer_id)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


async def test_a_question_is_no_answer(door: Door) -> None:
    visitor = await door.visitor()
    message_id = (await door.ask(visitor)).json()["message_id"]
    assert (await cancel(door, visitor, message_id)).status_code == 404
    assert door.directus.row("messages", message_id)["status"] is None


async def test_a_conversation_may_be_named_to_look_in(door: Door) -> None:
    visitor, answer_id = await asked(door)
    assert (await cancel(door, visitor, answer_id, conversation_id="17")).status_code == 422
    assert (await cancel(door, visitor, answer_id, conversation_id=some_id())).status_code == 404
    assert (await cancel(door, visitor, answer_id, conversation_id=visitor.conversation_id)).status_code == 202


async def test_without_a_known_token_it_is_a_401(door: Door) -> None:
    _, answer_id = await asked(door, "streaming")
    for headers in ({}, {"Authorization": "Bearer nobody-has-this"}):
        answer = await door.http.post(f"/api/messages/{answer_id}/cancel", headers=headers)
        assert answer.status_code == 401
    assert door.directus.row("messages", answer_id)["status"] == "streaming"


async def test_while_redis_is_away_the_row_alone_stops_the_answer(door: Door) -> None:
    visitor, answer_id = await asked(door, "streaming")
    door.break_redis()
    assert (await cancel(door, visitor, answer_id)).status_code == 202
    assert door.directus.row("messages", answer_id)["status"] == "cancelled"


async def test_without_redis_and_without_a_row_nothing_can_be_stopped_and_that_is_said(door: Door) -> None:
    visitor, answer_id = await asked(door)
    door.break_redis()
    assert (await cancel(door, visitor, answer_id)).status_code == 503

"""POST /api/messages/{id}/regenerate: the same answer, written anew, its old text kept."""

from __future__ import annotations

import pytest

from services.redis_keys import cancel_flag
from tests.webhook.conftest import Door, Visitor, some_id


async def answered(door: Door, status: str = "completed") -> tuple[Visitor, str, str]:
    """A visitor, the question and its ended answer."""
    visitor = await door.visitor()
    ids = (await door.ask(visitor)).json()
    door.directus.put(
        "messages",
        id=ids["answer_id"],
        conversation_id=visitor.conversation_id,
        role="assistant",
        status=status,
        seq=7,
        messageText="The first answer",
        metadata={"provider": "anthropic", "model": "m"},
    )
    await door.directus.directus().update_item("messages", ids["message_id"], {"status": "answered"})
    return visitor, ids["message_id"], ids["answer_id"]


async def again(door: Door, visitor: Visitor, message_id: str) -> int:
    headers = visitor.headers | {"X-Correlation-ID": "once-more"}
    answer = await door.http.post(f"/api/messages/{message_id}/regenerate", headers=headers)
    return int(answer.status_code)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_an_ended_answer_begins_again_and_keeps_what_it_said(door: Door, status: str) -> None:
    visitor, message_id, answer_id = await answered(door, status)
    await door.redis.set(cancel_flag(answer_id), "1")
    assert await again(door, visitor, answer_id) == 202
    row = door.directus.row("messages", answer_id)
    assert (row["status"], row["messageText"]) == ("streaming", "")
    assert row["seq"] > 7
    assert [before["text"] for before in row["metadata"]["previous"]] == ["The first answer"]
    question = door.directus.row("messages", message_id)
    assert (question["status"], question["metadata"]["trace_id"]) == (None, "once-more")
    assert await door.redis.get(cancel_flag(answer_id)) is None, "an old stop does not stop the new answer"


async def test_the_question_names_its_answer_too(door: Door) -> None:
    visitor, message_id, answer_id = await answered(door)
    assert await again(door, visitor, message_id) == 202
    assert door.directus.row("messages", answer_id)["status"] == "streaming"


async def test_an_answer_that_is_being_written_is_a_409(door: Door) -> None:
    visitor, _, answer_id = await answered(door, "streaming")
    assert await again(door, visitor, answer_id) == 409
    assert door.directus.row("messages", answer_id)["messageText"] == "The first answer"


async def test_anothers_answer_is_a_404_and_stays(door: Door) -> None:
    _, _, answer_id = await answered(door)
    stranger = await door.visitor()
    assert await again(door, stranger, answer_id) == 404
    assert await again(door, stranger, some_id()) == 404
    assert await again(door, stranger, "17") == 404
    assert door.directus.row("messages", answer_id)["status"] == "completed"


async def test_without_a_token_it_is_a_401(door: Door) -> None:
    _, _, answer_id = await answered(door)
    assert (await door.http.post(f"/api/messages/{answer_id}/regenerate")).status_code == 401

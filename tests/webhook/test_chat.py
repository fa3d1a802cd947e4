"""POST /api/chat: the contract of the first version."""

from __future__ import annotations

from typing import Any

import pytest

from services.answer_ids import answer_id_of
from services.queue.jobs import AnswerJob
from tests.webhook.conftest import CONFERENCE, Door, some_id

CHAT = "/api/chat"


def conversation_with(door: Door, role: str = "user") -> dict[str, Any]:
    conversation = door.directus.put("conversations", source="mini")
    message = door.directus.put("messages", conversation_id=conversation["id"], role=role, messageText="hello")
    return {"conversation_id": conversation["id"], "message_id": message["id"], "conference_id": CONFERENCE}


async def test_a_users_message_is_accepted_and_its_answers_id_told(door: Door) -> None:
    body = conversation_with(door)
    answer = await door.http.post(CHAT, json=body)
    expected = {"success": True, "assistant_message_id": answer_id_of(body["message_id"]), "error": None}
    assert (answer.status_code, answer.json()) == (200, expected)
    (job,) = door.queue.asked
    assert isinstance(job, AnswerJob)
    assert (job.message_id, job.conference_id) == (body["message_id"], CONFERENCE)


async def test_asking_twice_is_asking_once(door: Door) -> None:
    body = conversation_with(door)
    answers = [await door.http.post(CHAT, json=body) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert door.queue.new == [True, False]


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"message_id": some_id()}, 404, "not_found"),
        ({"conversation_id": some_id()}, 404, "not_found"),
        ({"message_id": "17"}, 422, "invalid_input"),
        ({"conversation_id": None}, 422, "invalid_input"),
        ({"conference_id": "x"}, 422, "invalid_input"),
    ],
)
async def test_a_failure_has_an_honest_status_and_the_shape_of_this_call(
    door: Door, change: dict[str, Any], status: int, error: str
) -> None:
    answer = await door.http.post(CHAT, json={**conversation_with(door), **change})
    assert answer.status_code == status
    said = answer.json()
    assert (said["success"], said["assistant_message_id"], said["error"]) == (False, None, error)
    assert said["request_id"] == answer.headers["X-Correlation-ID"]
    assert door.queue.asked == []


async def test_an_assistants_message_is_not_answered(door: Door) -> None:
    answer = await door.http.post(CHAT, json=conversation_with(door, role="assistant"))
    assert (answer.status_code, answer.json()["success"]) == (422, False)
    assert door.queue.asked == []


async def test_without_redis_it_is_a_503_that_says_when_to_come_back(door: Door) -> None:
    body = conversation_with(door)
    door.break_redis()
    answer = await door.http.post(CHAT, json=body)
    assert (answer.status_code, answer.json()["success"]) == (503, False)
    assert int(answer.headers["Retry-After"]) >= 1


async def test_what_nobody_foresaw_has_the_shape_of_this_call_too(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> bool:
        raise ZeroDivisionError("the-secret-of-it")

    monkeypatch.setattr(door.queue, "enqueue", broken)
    answer = await door.http.post(CHAT, json=conversation_with(door))
    assert (answer.status_code, answer.json()["success"], answer.json()["error"]) == (500, False, "internal")
    assert "the-secret-of-it" not in answer.text

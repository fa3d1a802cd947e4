"""POST /api/messages: a visitor's question."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid5

import pytest

from services.answer_ids import answer_id_of
from services.queue.jobs import AnswerJob
from standins.directus_filters import Refusal
from tests.webhook.conftest import Door, some_id


async def test_a_question_becomes_a_users_message_and_a_job_and_names_its_answer(door: Door) -> None:
    visitor = await door.visitor()
    answer = await door.ask(visitor, "Which talks are about testing?")
    assert answer.status_code == 201
    message_id = answer.json()["message_id"]
    expected = str(uuid5(UUID("6f1c1f3e-6d1b-5d4e-9f0e-0d8f5f1f7a11"), message_id))
    assert answer.json()["answer_id"] == expected
    row = door.directus.row("messages", message_id)
    assert (row["role"], row["conversation_id"]) == ("user", visitor.conversation_id)
    assert row["messageText"] == "Which talks are about testing?"
    assert not row["status"]
    assert row["metadata"] == {"trace_id": answer.headers["X-Correlation-ID"]}, "the Flow's hook may come first"
    (job,) = door.queue.asked
    assert isinstance(job, AnswerJob)
    assert (job.message_id, job.trace_id) == (message_id, answer.headers["X-Correlation-ID"])


def test_one_uuid_in_two_spellings_has_one_answer() -> None:
    message_id = some_id()
    assert answer_id_of(message_id) == answer_id_of(message_id.upper())
    with pytest.raises(ValueError, match="UUID"):
        answer_id_of("seventeen")


async def test_the_flows_hook_for_the_same_message_makes_no_second_job(door: Door) -> None:
    async def flow(trigger: dict[str, Any]) -> None:
        if trigger["collection"] == "messages":
            assert (await door.hook("/hooks/message-created", trigger)).status_code == 202

    visitor = await door.visitor()
    door.directus.on_create = flow
    assert (await door.ask(visitor)).status_code == 201
    await door.directus.settle()
    assert sorted(door.queue.new) == [False, True]


async def test_without_redis_a_question_is_kept_all_the_same(door: Door) -> None:
    visitor = await door.visitor()
    door.break_redis()
    answer = await door.ask(visitor)
    assert answer.status_code == 201
    assert door.directus.row("messages", answer.json()["message_id"])["role"] == "user"


async def test_a_write_whose_answer_was_lost_is_one_message_and_no_error(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await door.visitor()

    def lose_the_answer(_collection: str, _key: str, _payload: dict[str, Any]) -> None:
        monkeypatch.undo()
        raise Refusal(503, "SERVICE_UNAVAILABLE", "The row is in, and now the connection breaks.")

    monkeypatch.setattr(door.directus, "_tell", lose_the_answer)
    answer = await door.ask(visitor)
    assert answer.status_code == 201
    (row,) = door.directus.rows("messages")
    assert row["id"] == answer.json()["message_id"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  hello \n", "hello"),
        ("line one\r\nline two\rline three", "line one\nline two\nline three"),
        ("tab\there", "tab\there"),
        ("nul\x00 bell\x07 escape\x1b[31m csi\x9b", "nul bell escape[31m csi"),
        ("cafe\u0301", "café"),
        ("🤖🎉", "🤖🎉"),
        ("\U0001f469\u200d\U0001f467", "\U0001f469\u200d\U0001f467"),  # one emoji, held together by a format character
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x" * 8000, "x" * 8000),
        ("😀" * 8000, "😀" * 8000),
    ],
)
async def test_a_text_is_kept_without_what_controls_terminals_and_databases(door: Door, text: str, kept: str) -> None:
    answer = await door.ask(await door.visitor(), text)
    assert answer.status_code == 201
    assert door.directus.row("messages", answer.json()["message_id"])["messageText"] == kept


@pytest.mark.parametrize(
    "text",
    ["", "   ", "\n\t\r\n", "\x00\x01\x02\x1f\x7f", "\u200b\u200b", "\u00a0\u3000", "\ufeff\x07", "\u202e"],
    ids=ascii,
)
async def test_a_text_with_nothing_to_see_is_a_422_that_says_so(door: Door, text: str) -> None:
    answer = await door.ask(await door.visitor(), text)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("text: is empty")
    assert door.directus.rows("messages") == []


async def test_a_text_of_100_000_characters_is_a_422_that_says_how_many_may_be(door: Door) -> None:
    answer = await door.ask(await door.visitor(), "x" * 100_000)
    assert answer.status_code == 422
    assert "100000" in answer.json()["message"]
    assert "8000" in answer.json()["message"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": None}, "text"),
        ({"text": 7}, "text"),
        ({"text": ["a"]}, "text"),
        ({"conversation_id": None}, "conversation_id"),
        ({"conversation_id": "1; drop"}, "conversation_id"),
    ],
)
async def test_a_wrong_body_is_a_422_that_names_the_field(door: Door, change: dict[str, Any], field: str) -> None:
    visitor = await door.visitor()
    body = {"conversation_id": visitor.conversation_id, "text": "hello", **change}
    answer = await door.http.post("/api/messages", json=body, headers=visitor.headers)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == field


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Basic abc")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Bearer two words")],
        [("Authorization", f"Bearer {'x' * 5000}")],
        [("Authorization", "Bearer abc"), ("Authorization", "Bearer abc")],
        [("Authorization", "Bearer nobody-has-this")],
    ],
    ids=str,
)
async def test_without_a_token_that_directus_knows_it_is_a_401(door: Door, headers: list[tuple[str, str]]) -> None:
    visitor = await door.visitor()
    body = {"conversation_id": visitor.conversation_id, "text": "hello"}
    answer = await door.http.post("/api/messages", json=body, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert door.directus.rows("messages") == []


async def test_a_visitor_cant_write_into_anothers_conversation(door: Door) -> None:
    one, other = await door.visitor(), await door.visitor()
    body = {"conversation_id": other.conversation_id, "text": "hello"}
    for conversation_id in (other.conversation_id, some_id()):
        body["conversation_id"] = conversation_id
        answer = await door.http.post("/api/messages", json=body, headers=one.headers)
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert door.directus.rows("messages") == []


async def test_a_burst_asks_directus_once_who_the_visitor_is(door: Door) -> None:
    visitor = await door.visitor()
    await door.ask(visitor)
    before = door.directus.requests
    await asyncio.gather(*(door.ask(visitor) for _ in range(10)))
    assert door.directus.requests - before == 10  # the ten writes


async def test_what_was_remembered_of_one_token_opens_nothing_for_another(door: Door) -> None:
    one, other = await door.visitor(), await door.visitor()
    await door.ask(one)
    stolen = type(one)(one.conversation_id, other.token)
    assert (await door.ask(stolen)).status_code == 403


async def test_while_directus_is_away_it_is_a_503(door: Door) -> None:
    visitor = await door.visitor()
    door.directus.away = True
    answer = await door.ask(visitor)
    assert answer.status_code == 503


async def test_neither_token_nor_question_is_logged(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    visitor = await door.visitor()
    with_question = await door.ask(visitor, "does my knee heal?")
    door.directus.away = True
    await door.ask(type(visitor)(some_id(), visitor.token), "does my knee heal?")
    logged = "".join(capsys.readouterr())
    assert with_question.json()["message_id"] in logged
    assert "knee" not in logged
    assert visitor.token not in logged

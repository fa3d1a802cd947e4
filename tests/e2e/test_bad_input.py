"""What is odd, wrong or missing: the worker says so, answers as well as it can, and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import httpx
import pytest

from cli.local_directus import free_port
from search.collection_names import ALL_NAMES
from services.errors import ErleahError
from services.queue.jobs import ReindexJob
from services.vectors import Vectors
from standins.models import Fault, FaultKind, Script
from tests.e2e.processes import ErleahProcess
from tests.e2e.stack import ANSWER, CONFERENCE_ID, Stack, eventually, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

NO_MODEL = Script(fault=Fault(FaultKind.STATUS, status=400, error_type="invalid_request_error"))
"""Rejected at once and never tried again: the answer is written from what was found."""

SWEPT_S = 60.0


# Messages.


async def test_an_unknown_message_is_no_message(stack: Stack) -> None:
    """A hook for a row that is not there: the job ends, nothing is written, and the next message is answered."""
    unknown = str(uuid4())
    trigger = {"event": "messages.items.create", "collection": "messages", "key": unknown, "payload": {"role": "user"}}
    headers = {"X-Erleah-Secret": stack.directus.webhook_secret}
    async with httpx.AsyncClient(base_url=stack.directus.receiver_url, headers=headers, trust_env=False) as flow:
        assert (await flow.post("/hooks/message-created", json=trigger)).status_code == 202
    await asyncio.to_thread(stack.worker.wait_for, "turn.no_such_message", message_id=unknown)
    assert await stack.answer(unknown) is None
    assert (await stack.answered(await stack.ask("Which talks are about testing?")))["status"] == "completed"


TEXTS = {
    "empty": "",
    "white space": " \n\t ",
    "control characters": "\x01\x02\x1b\x7f\x9f",
    "a terminal's colours": "\x1b[31mWhich talks are about testing?\x1b[0m",
    "emoji": "🎉🎉🎉",
    "long": "Which talks are about testing? " + "Please tell me. " * 6250,
    "a lone accent": "\u0301",
    "turned around": "\u202ewhich talks are about testing?\u202c",
    "markup": "<script>alert(1)</script> {{ 7 * 7 }} {% raw %} ]]> ' OR 1=1 --",
}


async def test_odd_texts_are_answered_like_any_other(stack: Stack) -> None:
    """Empty, 100,000 characters, emoji alone, control characters: each has its one answer, the row stays as it was."""
    assert len(TEXTS["long"]) > 100_000
    asked = {name: await stack.ask(text) for name, text in TEXTS.items()}
    for name, message_id in asked.items():
        row = await stack.answered(message_id, 30)
        assert (row["status"], row["outcome"]) in {
            ("completed", "clarification"),
            ("completed", "answered"),
            ("completed", "unanswerable"),
        }, name
        assert row["messageText"].strip(), name
        assert len(await stack.answers(message_id)) == 1, name
        assert (await stack.row(message_id))["messageText"] == TEXTS[name], name
    for name in ("empty", "white space", "control characters"):
        row = await stack.answered(asked[name])
        assert row["outcome"] == "clarification", name
        assert row["metadata"]["provider"] == "none", "no model is paid for nothing"
    for request in stack.model.requests:
        assert len(json.dumps(request.body)) < 100_000
        assert not any(char in request.last_user_text for char in "\x00\x01\x1b\x7f\x9f")


# Conversations and conferences.


async def test_a_conversation_without_a_conference_asks_back(stack: Stack) -> None:
    """Nothing can be looked up, and it says so instead of searching everywhere."""
    stack.model.reply_with(NO_MODEL)
    message_id = await stack.say(await stack.conversation(None), "Which talks are about testing?")
    row = await stack.answered(message_id)
    assert (row["status"], row["outcome"], row["metadata"]["sources"]) == ("completed", "clarification", [])
    assert "conference" in row["messageText"]
    assert "Mutation" not in row["messageText"]


async def test_a_conference_that_is_not_indexed_is_said_to_be_so(stack: Stack) -> None:
    """The visitor is told that the programme is not there yet, not that there is no such talk."""
    stack.model.reply_with(NO_MODEL)
    conference = (await stack.call("POST", "/items/conferences", json={"name": "Not indexed yet"}))["id"]
    message_id = await stack.say(await stack.conversation(conference), "Which talks are about testing?")
    row = await stack.answered(message_id)
    assert (row["status"], row["outcome"], row["metadata"]["sources"]) == ("completed", "error", [])
    assert "not available to me yet" in row["messageText"]


async def test_a_conversation_that_is_deleted_in_mid_answer_ends_the_turn(stack: Stack) -> None:
    """Its rows go with it; the worker stops the model and writes nothing."""
    stack.model.reply_with(Script(text=ANSWER * 5, tokens_per_second=20))
    text = f"Where has {uuid4().hex[:8]} gone?"
    conversation_id = await stack.conversation()
    message_id = await stack.say(conversation_id, text)
    await stack.begun(message_id)
    await asyncio.to_thread(stack.admin.data, "DELETE", f"/items/conversations/{conversation_id}")
    (asked,) = stack.asked_of_model(text)
    await until(lambda: asked.hung_up, 5)
    await asyncio.to_thread(stack.worker.wait_for, "turn.ended", message_id=message_id)
    assert await stack.rows(conversation_id) == []
    assert await stack.answer(message_id) is None


# The index.


async def test_vectors_of_another_size_are_refused_with_what_to_do(stack: Stack, tmp_path: Path) -> None:
    """Said at the start, by the job and in the log of a turn; `erleah reindex --full` mends it."""
    url = f"embedded://{tmp_path / 'index'}"
    vectors = Vectors(url)
    for name in ALL_NAMES:
        await vectors.create_collection(name, 99, {})
    await vectors.aclose()
    stack.model.reply_with(NO_MODEL)
    conference = (await stack.call("POST", "/items/conferences", json={"name": "A small one"}))["id"]
    session = {"title": "Testing the tests", "description": "On testing.", "conference_id": conference}
    await stack.call("POST", "/items/sessions", json=session)
    with stack.worker_with(QDRANT_URL=url) as worker:
        warned = worker.wait_for("worker.service_away", service="index")
        assert "erleah reindex --full" in warned["reason"]
        assert "99" in warned["reason"]
        with pytest.raises(ErleahError, match="erleah reindex --full"):
            await stack.job(ReindexJob(conference_id=conference))
        message_id = await stack.say(await stack.conversation(conference), "Which talks are about testing?")
        row = await stack.answered(message_id)
        assert (row["status"], row["outcome"]) == ("completed", "error")
        assert "reindex" not in row["messageText"], "that is the operator's business"
        assert any("erleah reindex --full" in line.get("reason", "") for line in worker.events("tool.failed"))

        await stack.job(ReindexJob(conference_id=conference, full=True))

        async def searched() -> list[str]:
            with contextlib.suppress(ErleahError):  # for a few seconds the worker may still believe its last check
                return [hit["title"] for hit in await stack.search("testing", conference_id=conference)]
            return []

        assert await eventually(searched, 20) == ["Testing the tests"]


# Services that are not there.


async def test_services_that_are_away_at_the_start_are_named_and_waited_for(stack: Stack) -> None:
    """Redis, Directus and Qdrant away: each is named with what to do; what was asked meanwhile is answered later."""
    stack.model.reply_with(NO_MODEL)
    stack.worker.stop()
    waiting = await stack.ask("Which talks are about testing?")
    await until(lambda: any(stack.webhook.events("message_accepted")))
    stack.redis.stop()
    unreported = await stack.ask("Which talks are about testing, please?")
    await asyncio.to_thread(stack.directus.process.stop)
    nowhere = f"http://127.0.0.1:{free_port()}"
    try:
        stack.worker.start({"QDRANT_URL": nowhere}, until_ready=False)
        for service, variable in (("redis", "REDIS_URL"), ("directus", "DIRECTUS_URL"), ("qdrant", "QDRANT_URL")):
            warned = await asyncio.to_thread(stack.worker.wait_for, "worker.service_away", within_s=60, service=service)
            assert "not reachable at" in warned["reason"], warned
            assert variable in warned["reason"], warned
        await asyncio.to_thread(stack.directus.process.start)
        await asyncio.to_thread(stack.redis.start)
        for message_id in (waiting, unreported):
            row = await stack.answered(message_id, SWEPT_S)
            assert (row["status"], row["outcome"]) == ("completed", "error")
            assert "could not look up the sessions" in row["messageText"], "without Qdrant it says what is missing"
            assert len(await stack.answers(message_id)) == 1
    finally:
        stack.worker.stop()


BAD_SETTINGS: tuple[tuple[Literal["webhook", "worker"], str, str, str], ...] = (
    ("worker", "LLM_TIMEOUT_S", "soon", "number"),
    ("worker", "REDIS_URL", "localhost:6379", "redis://"),
    ("worker", "DIRECTUS_API_KEY", "", "required"),
    ("webhook", "WEBHOOK_PORT", "99999", "65535"),
    ("webhook", "LLM_PROVIDERS", "oracle", "anthropic"),
    ("webhook", "DIRECTUS_WEBHOOK_SECRET", "", "required"),
)


def test_a_bad_setting_stops_the_start_and_is_named(tmp_path: Path) -> None:
    """One line with the variable's name and what it wants; exit code 1, no trace, and no secret."""
    good = {"DIRECTUS_API_KEY": "a-key-that-is-not-shown", "DIRECTUS_WEBHOOK_SECRET": "a-secret-that-is-not-shown"}
    started = []
    for module, variable, value, says in BAD_SETTINGS:
        process = ErleahProcess(module, good | {variable: value}, tmp_path, name=variable)
        process.start(until_ready=False)
        started.append((process, variable, says))
    for process, variable, says in started:
        assert process.wait() == 1
        said = process.output().strip()
        assert said.startswith(variable), said
        assert says in said
        assert "\n" not in said
        assert "not-shown" not in said


def test_the_sample_conference_is_still_there(stack: Stack) -> None:
    """None of it has touched the other conference's index."""
    found = asyncio.run(stack.search("testing", conference_id=CONFERENCE_ID))
    assert any("Testing" in hit["title"] for hit in found)

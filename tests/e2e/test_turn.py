"""A question's whole way: a row in Directus, Flow, hook, queue, worker, and the answer watched as it grows."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.answer_ids import answer_id_of
from standins.models import Fault, FaultKind, Script
from tests.e2e.stack import ANSWER, CONFERENCE_ID, Stack

if TYPE_CHECKING:
    from tests.e2e.visitor import Watched

pytestmark = pytest.mark.e2e

QUESTION = "Which talks are about testing?"

METADATA = {
    "assistant", "intent", "search_type", "entities", "tools_used", "iterations", "sources", "suggestions",
    "timings_ms", "usage", "provider", "model", "prompt_version", "degraded", "attempts", "trace_id",
}  # fmt: skip
TIMINGS = {"queued", "understand", "plan", "execute", "reflect", "first_token", "respond", "total"}
USAGE = {"input_tokens", "output_tokens", "cache_read_tokens", "cost_usd"}


def grew(watched: Watched, text: str, *, screens_at_least: int) -> None:
    """Assert that the answer was seen growing: whole texts, each a beginning of the last, a higher seq with each."""
    screens = watched.screens
    assert len(screens) >= screens_at_least, screens
    assert screens[-1] == text
    assert all(later.startswith(earlier) for earlier, later in pairwise(screens)), screens
    last_seq = max(row["seq"] for row in watched.updates)
    assert all(row["status"] == "streaming" for row in watched.updates if row["seq"] < last_seq)


def is_whole(row: dict[str, Any]) -> None:
    """Assert that a completed answer's row holds what the contract promises."""
    assert (row["role"], row["status"], row["assistant"], row["degraded"]) == (
        "assistant",
        "completed",
        "conference",
        0,
    )
    assert (row["outcome"], row["language"]) == ("answered", "en")
    metadata = row["metadata"]
    assert set(metadata) >= METADATA, METADATA - set(metadata)
    assert set(metadata["timings_ms"]) >= TIMINGS
    assert set(metadata["usage"]) >= USAGE
    assert metadata["usage"]["output_tokens"] > 0
    assert row["cost_usd"] == metadata["usage"]["cost_usd"] > 0
    assert 0 < row["first_token_ms"] <= row["total_ms"] == metadata["timings_ms"]["total"]
    assert (metadata["provider"], metadata["degraded"], metadata["attempts"]) == ("anthropic", False, 1)
    assert len(metadata["suggestions"]) in {2, 3}


async def is_grounded(stack: Stack, row: dict[str, Any], prompt: dict[str, Any]) -> list[str]:
    """Assert that the sources are sessions of this Directus and were in the model's prompt; their titles."""
    sources = row["metadata"]["sources"]
    ids = [source["id"] for source in sources if source["type"] == "sessions"]
    params = {"filter[id][_in]": ",".join(ids), "fields": "id,title,conference_id"}
    sessions = {each["id"]: each for each in await stack.call("GET", "/items/sessions", params=params)}
    assert len(ids) >= 3
    whole_prompt = json.dumps(prompt, ensure_ascii=False)
    for source in sources[:3]:
        session = sessions[source["id"]]
        assert (session["title"], session["conference_id"]) == (source["title"], CONFERENCE_ID)
        assert source["title"].replace('"', '\\\\\\"') in whole_prompt
        assert source["score"] > 0
    return [source["title"] for source in sources]


async def test_a_message_written_by_rest_is_answered_and_seen_growing_by_a_visitor(stack: Stack) -> None:
    """Row → Flow → hook → worker → answer, over the WebSocket with a share's token, subscribed before it exists."""
    stack.model.reply_with(Script(text=ANSWER, tokens_per_second=12))  # 2.2 s
    async with stack.visitor() as visitor:
        message_id = str(uuid4())
        watched = await visitor.watch(answer_id_of(message_id))
        await stack.say(visitor.conversation_id, QUESTION, message_id)
        last = await watched.ended()
        grew(watched, ANSWER, screens_at_least=5)
        assert (last["status"], last["outcome"]) == ("completed", "answered")
        assert watched.seen_at[-1] - watched.seen_at[0] >= 0.4, "it grew, it did not come at once"
    row = await stack.answered(message_id)
    is_whole(row)
    (asked,) = stack.asked_of_model(QUESTION)
    titles = await is_grounded(stack, row, asked.body)
    assert any("test" in title.lower() for title in titles[:3]), titles
    assert (await stack.row(message_id))["status"] == "answered"
    assert len(await stack.answers(message_id)) == 1


async def test_a_question_asked_at_the_receiver_carries_its_trace_to_the_answer(stack: Stack) -> None:
    """POST /api/messages answers with the answer's id; the correlation id is the trace of the whole turn."""
    trace = f"visit-{uuid4().hex}"
    async with stack.visitor() as visitor:
        message_id, watched = await visitor.ask(QUESTION, X_Correlation_ID=trace)
        assert watched.answer_id == answer_id_of(message_id)
        last = await watched.ended()
        assert last["messageText"] == ANSWER
        assert last["metadata"]["trace_id"] == trace
        own = await visitor.read("/items/messages", sort="date_created")
        assert [(row["role"], row["status"]) for row in own["data"]] == [
            ("user", "answered"),
            ("assistant", "completed"),
        ]
    is_whole(await stack.answered(message_id))
    ended = stack.worker.wait_for("turn.ended", message_id=message_id)
    assert ended["trace_id"] == trace
    stack.webhook.wait_for("question_asked", message_id=message_id, trace_id=trace)


async def test_a_follow_up_is_asked_with_the_conversation(stack: Stack) -> None:
    """The model is given what was said before, both sides of it."""
    async with stack.visitor() as visitor:
        _, watched = await visitor.ask(QUESTION)
        await watched.ended()
        message_id, watched = await visitor.ask("And which of them are on Friday?")
        await watched.ended()
    await stack.answered(message_id)
    (asked,) = stack.asked_of_model("And which of them are on Friday?")
    said = json.dumps(asked.body["messages"])
    assert QUESTION in said
    assert "Mutation Testing in Python with Cosmic Ray" in said


async def test_without_a_model_the_answer_names_real_sessions(stack: Stack) -> None:
    """LLM_PROVIDERS=offline is a real mode: found, written by template, streamed, and said to be degraded."""
    with stack.worker_with(LLM_PROVIDERS="offline"):
        async with stack.visitor() as visitor:
            message_id, watched = await visitor.ask(QUESTION)
            last = await watched.ended()
    row = await stack.answered(message_id)
    assert (row["status"], row["degraded"], row["outcome"]) == ("completed", 1, "answered")
    assert (row["metadata"]["provider"], row["cost_usd"]) == ("offline", 0)
    assert last["messageText"] == row["messageText"]
    named = [source for source in row["metadata"]["sources"] if source["title"] in row["messageText"]]
    assert len(named) >= 3, row["messageText"]
    assert all("test" in source["title"].lower() for source in named[:3]), named
    shown = (await stack.call("GET", f"/items/sessions/{named[0]['id']}"))["room"]
    assert shown in row["messageText"]
    assert stack.model.requests == []


async def test_ten_visitors_at_once_are_all_answered(stack: Stack) -> None:
    """Ten answers grow side by side; each visitor sees his own, and none waits for another's."""
    stack.model.reply_with(Script(text=ANSWER, tokens_per_second=20))  # 1.4 s each
    began = time.monotonic()
    visitors = [stack.visitor() for _ in range(10)]
    try:
        await asyncio.gather(*(visitor.__aenter__() for visitor in visitors))
        asked = await asyncio.gather(
            *(visitor.ask(f"{QUESTION} I am visitor {n}.") for n, visitor in enumerate(visitors))
        )
        for _, watched in asked:
            await watched.ended()
            grew(watched, ANSWER, screens_at_least=2)
    finally:
        await asyncio.gather(*(visitor.__aexit__() for visitor in visitors))
    assert time.monotonic() - began < 13, "one after the other they would take 14 s"
    for message_id, _ in asked:
        is_whole(await stack.answered(message_id))


async def test_no_process_writes_secrets_or_words_into_its_log(stack: Stack) -> None:
    """All output of all processes is searched for keys, secrets, tokens and texts, after good turns and bad."""
    question = "My very private knee hurts since yesterday evening, which workshop has chairs?"
    answer = "A most confidential answer on chairs and knees, written for one visitor alone. " * 2
    stack.model.reply_with(Script(text=answer, tokens_per_second=100))
    async with stack.visitor() as visitor:
        stack.keep_out_of_logs(visitor.share_id, visitor.token, question, answer.strip())
        _, watched = await visitor.ask(question)
        assert (await watched.ended())["messageText"] == answer
        for fault in (
            Fault(FaultKind.STATUS, status=400, error_type="invalid_request_error", message=f"bad: {question}"),
            Fault(FaultKind.ERROR_EVENT, after_tokens=5, message=question),
            Fault(FaultKind.GARBAGE, after_tokens=5),
        ):
            stack.model.reply_with(Script(text=answer, tokens_per_second=100, fault=fault))
            message_id, watched = await visitor.ask(question)
            await watched.ended()
            await stack.answered(message_id)
        refused = await visitor.post(
            "/api/messages", {"conversation_id": visitor.conversation_id, "text": question * 500}
        )
        assert refused.status_code in {413, 422}
        wrong = await visitor.post("/api/messages", {"conversation_id": str(uuid4()), "text": question})
        assert wrong.status_code in {401, 403}
    said = stack.all_output()
    assert len(said) > 1000
    found = [secret[:12] for secret in stack.secrets if secret in said]
    assert found == [], found
    assert "knee" not in said

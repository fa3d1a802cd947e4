"""What Erleah promises when things go wrong: real processes killed with real signals, real servers stopped.

Small versions, one fault at a time and with no other load.
"""

from __future__ import annotations

import asyncio
import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from services.answer_ids import answer_id_of
from services.llm.prices import usage_of
from standins.models import Fault, FaultKind, Script
from tests.e2e.stack import ANSWER, WRITES, Stack, eventually, until

if TYPE_CHECKING:
    from standins.models import RecordedRequest
    from tests.e2e.processes import ErleahProcess

pytestmark = pytest.mark.e2e

TAKEN_UP_S = 10.0
"""Another worker goes on with a dead one's answer within this."""
SWEPT_S = 60.0
"""A message that nobody reported is answered within this."""
STOPPED_S = 1.0
"""A stop ends the model's stream within this."""
AWAY_S = 10.0
"""For this long a service is stopped."""

LONG = " ".join(f"This is sentence {number} of a longer answer." for number in range(1, 11))
"""80 tokens."""
SLOW = Script(text=LONG, tokens_per_second=16)
"""Five seconds: time enough for something to happen in the middle."""
QUICK = Script(text=LONG, tokens_per_second=100)


def question() -> str:
    """A question that only a model understands, unlike any other."""
    return f"Zorblat quandary {uuid4().hex[:8]} fluxions?"


async def held_by_spare(
    stack: Stack, spare: ErleahProcess, text: str, *, conversation_id: str | None = None, message_id: str | None = None
) -> str:
    """Ask a question that ``spare`` takes, by letting the other worker sleep meanwhile; the message's id."""
    stack.worker.pause()
    try:
        conversation_id = conversation_id or await stack.conversation()
        message_id = await stack.say(conversation_id, text, message_id)
        await until(lambda: stack.asked_of_model(text))
    finally:
        stack.worker.resume()
    return message_id


async def is_one_whole_answer(stack: Stack, message_id: str, text: str) -> None:
    """Assert that the message has one answer, whole and ended, and counts as answered."""
    (row,) = await stack.answers(message_id)
    assert (row["id"], row["status"], row["messageText"]) == (answer_id_of(message_id), "completed", text)
    assert (await stack.row(message_id))["status"] == "answered"


# Each message is answered once, whatever is delivered.


@pytest.mark.parametrize("times", [1, 2, 50])
async def test_a_hook_delivered_many_times_at_once_gives_one_answer(stack: Stack, times: int) -> None:
    """The Flow's own call and so many more, at once and once more at the end: one answer, paid once."""
    text = question()
    message_id = await stack.ask(text)
    trigger = {"event": "messages.items.create", "collection": "messages", "key": message_id, "payload": {}}
    headers = {"X-Erleah-Secret": stack.directus.webhook_secret}
    async with httpx.AsyncClient(base_url=stack.directus.receiver_url, headers=headers, trust_env=False) as flow:
        told = await asyncio.gather(
            *(flow.post("/hooks/message-created", json=trigger, timeout=30) for _ in range(times))
        )
        assert {answer.status_code for answer in told} == {202}
        row = await stack.answered(message_id)
        assert (await flow.post("/hooks/message-created", json=trigger)).status_code == 202
    await stack.answered(await stack.ask(question()))  # by then the late call has been looked at, too
    await is_one_whole_answer(stack, message_id, ANSWER)
    assert (await stack.answer(message_id)) == row
    assert len(stack.asked_of_model(text)) == 1


async def test_a_message_that_nobody_reported_is_answered_within_a_minute(stack: Stack) -> None:
    """The receiver is down when the message comes: the sweep of the worker finds it."""
    stack.webhook.stop()
    message_id = await stack.ask(question())
    await stack.answered(message_id, SWEPT_S)
    await is_one_whole_answer(stack, message_id, ANSWER)


# A worker that dies, sleeps or is stopped.


@pytest.mark.parametrize("begun", [True, False], ids=["in the middle", "before the first token"])
async def test_a_killed_workers_answer_is_gone_on_with(stack: Stack, begun: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Kill -9: another worker completes it within 10 s, in one row that never shrinks, and pays no step twice."""
    spare = stack.spare_worker()
    stack.model.reply_with(SLOW if begun else Script(text=LONG, tokens_per_second=16, first_token_delay_s=1.8))
    text, message_id = question(), str(uuid4())
    async with stack.visitor() as visitor:
        watched = await visitor.watch(answer_id_of(message_id))
        await held_by_spare(stack, spare, text, conversation_id=visitor.conversation_id, message_id=message_id)
        if begun:
            await watched.begun(60)
        stack.model.reply_with(QUICK)
        spare.kill()
        killed_at = time.monotonic()
        await watched.ended(TAKEN_UP_S)
        assert time.monotonic() - killed_at < TAKEN_UP_S
        lengths = [len(text) for text in watched.screens]
        assert all(before <= after for before, after in pairwise(lengths)), lengths
    row = await stack.answered(message_id)
    await is_one_whole_answer(stack, message_id, LONG)
    assert row["metadata"]["attempts"] == 2
    understood = [one for one in stack.model.requests if not one.streamed and text in one.last_user_text]
    assert len(understood) == 1, "what the first worker had understood was saved"
    assert len(stack.asked_of_model(text)) == 2


async def test_a_worker_that_slept_through_its_lease_writes_nothing_more(stack: Stack) -> None:
    """SIGSTOP in mid-answer, SIGCONT after another has completed it: the sleeper leaves the row alone."""
    spare = stack.spare_worker()
    stack.model.reply_with(SLOW)
    text = question()
    message_id = await held_by_spare(stack, spare, text)
    await stack.begun(message_id)
    stack.model.reply_with(QUICK)
    spare.pause()
    completed = await stack.answered(message_id, TAKEN_UP_S)
    assert (completed["messageText"], completed["metadata"]["attempts"]) == (LONG, 2)
    spare.resume()
    await asyncio.to_thread(spare.wait_for, "turn.lease_lost", message_id=message_id)
    await until(lambda: all(one.ended.is_set() for one in stack.asked_of_model(text)))
    assert await stack.answer(message_id) == completed
    assert spare.stop() == 0
    assert await stack.answer(message_id) == completed


async def test_a_worker_that_is_told_to_stop_finishes_what_it_began(stack: Stack) -> None:
    """SIGTERM: the running turn ends by itself, and the process with code 0."""
    spare = stack.spare_worker()
    stack.model.reply_with(Script(text=LONG, tokens_per_second=40))
    message_id = await held_by_spare(stack, spare, question())
    await stack.begun(message_id)
    spare.terminate()
    row = await stack.answered(message_id)
    assert row["metadata"]["attempts"] == 1
    await is_one_whole_answer(stack, message_id, LONG)
    assert await asyncio.to_thread(spare.wait) == 0


async def test_a_worker_whose_grace_is_over_hands_its_turn_over(stack: Stack) -> None:
    """SIGTERM and a turn that takes longer: another worker goes on at once, without waiting for a lease to lapse."""
    spare = stack.spare_worker(grace_s=0.5)
    stack.model.reply_with(Script(text=LONG, tokens_per_second=4))
    message_id = await held_by_spare(stack, spare, question())
    await stack.begun(message_id)
    stack.model.reply_with(QUICK)
    spare.terminate()
    row = await stack.answered(message_id, TAKEN_UP_S)
    assert row["metadata"]["attempts"] == 2
    await is_one_whole_answer(stack, message_id, LONG)
    assert await asyncio.to_thread(spare.wait) == 0
    spare.wait_for("turn.handed_over", message_id=message_id)


# Order within a conversation.


async def test_a_burst_is_answered_together(stack: Stack) -> None:
    """Two messages 50 ms apart, nothing shown yet: the later one's answer covers both."""
    stack.model.reply_with(Script(text=ANSWER, tokens_per_second=60, first_token_delay_s=1.0))
    conversation_id = await stack.conversation()
    first_text, second_text = question(), question()
    first = await stack.say(conversation_id, first_text)
    await asyncio.sleep(0.05)
    second = await stack.say(conversation_id, second_text)
    row = await stack.answered(second)
    await is_one_whole_answer(stack, second, ANSWER)
    assert row["metadata"]["covers"] == [first]
    assert (await stack.row(first))["status"] == "superseded"
    assert first_text in stack.asked_of_model(second_text)[-1].last_user_text


async def test_a_later_message_waits_its_turn_and_holds_up_nobody_else(stack: Stack) -> None:
    """The first answer is being read: the second follows it, while another conversation is answered at once."""
    stack.model.reply_with(lambda asked: QUICK if "at once" in asked.last_user_text else SLOW)
    conversation_id = await stack.conversation()
    first = await stack.say(conversation_id, question())
    await stack.begun(first)
    second = await stack.say(conversation_id, f"At last, at once: {question()}")
    other = await stack.ask(f"Elsewhere, at once: {question()}")
    await stack.answered(other)
    assert await stack.answer(second) is None
    held_up = await stack.answer(first)
    assert held_up is not None
    assert held_up["status"] == "streaming"
    await stack.answered(second)
    rows = [(row["role"], row["status"]) for row in await stack.rows(conversation_id)]
    assert sorted(rows) == [("assistant", "completed")] * 2 + [("user", "answered")] * 2
    behind = stack.asked_of_model("At last, at once")[-1]
    assert "sentence 10" in str(behind.body["messages"]), "it was asked when the first answer was whole"


# A stop is a stop.


async def stopped(stack: Stack, asked: RecordedRequest, message_id: str, since: float) -> None:
    """Assert that the provider's stream ends in time, and that what was written stays and is not revived."""
    await until(lambda: asked.hung_up, 5)
    assert time.monotonic() - since < STOPPED_S
    assert asked.sent_tokens < len(SLOW.pieces)
    row = await stack.answered(message_id)
    assert (row["status"], row["outcome"]) == ("cancelled", "cancelled")
    assert LONG.startswith(row["messageText"])
    spent = row["metadata"]["usage"]
    if row["messageText"]:
        # Paid is what came, also behind what the row keeps; four characters are about a token.
        assert spent["output_tokens"] >= len(row["messageText"]) // 4 + row["metadata"]["tokens_after_stop"]
        assert spent["input_tokens"] > 100, "the answer's prompt is counted, not understanding's alone"
        assert spent["cost_usd"] > 0
    await asyncio.to_thread(stack.worker.wait_for, "turn.ended", message_id=message_id, signal="Stopped")
    assert await stack.answer(message_id) == row
    assert len(await stack.answers(message_id)) == 1


async def test_an_answer_cancelled_in_directus_ends_within_a_second(stack: Stack) -> None:
    """An editor sets the status: the provider's stream is cut and no later write follows."""
    stack.model.reply_with(SLOW)
    text = question()
    message_id = await stack.ask(text)
    await stack.begun(message_id)
    await stack.call("PATCH", f"/items/messages/{answer_id_of(message_id)}", json={"status": "cancelled"})
    since = time.monotonic()
    (asked,) = stack.asked_of_model(text)
    await stopped(stack, asked, message_id, since)
    assert (await stack.answers(message_id))[0]["messageText"]


@pytest.mark.parametrize("begun", [True, False], ids=["in the middle", "before the first token"])
async def test_a_visitor_stops_his_answer_within_a_second(stack: Stack, begun: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """POST /api/messages/{answer id}/cancel, while it is read and before there is anything to read."""
    stack.model.reply_with(SLOW if begun else Script(text=LONG, tokens_per_second=16, first_token_delay_s=1.8))
    text = question()
    async with stack.visitor() as visitor:
        message_id, watched = await visitor.ask(text)
        if begun:
            await watched.begun()
        asked = (await until(lambda: stack.asked_of_model(text)))[0]
        said = await visitor.post(f"/api/messages/{watched.answer_id}/cancel")
        since = time.monotonic()
        assert said.status_code == 202, said.text
        await stopped(stack, asked, message_id, since)
        if begun:
            assert (await watched.ended())["status"] == "cancelled"
        assert (await visitor.post(f"/api/messages/{watched.answer_id}/cancel")).status_code == 409


# Services that go away.


async def test_redis_away_in_mid_answer_loses_no_message(stack: Stack) -> None:
    """The answer goes on; a message that comes meanwhile is kept, and answered when Redis is back."""
    stack.model.reply_with(SLOW)
    running = await stack.ask(question())
    await stack.begun(running)
    stack.redis.stop()
    stack.model.reply_with(QUICK)
    meanwhile = await stack.ask(question())
    await asyncio.sleep(AWAY_S)
    stack.redis.start()
    await stack.answered(meanwhile, SWEPT_S)
    await stack.answered(running)
    for message_id in (running, meanwhile):
        await is_one_whole_answer(stack, message_id, LONG)


async def test_directus_away_in_mid_answer_is_waited_out(stack: Stack) -> None:
    """The whole text is written when Directus is back, in the one row."""
    stack.model.reply_with(SLOW)
    text = question()
    message_id = await stack.ask(text)
    await stack.begun(message_id)
    await asyncio.to_thread(stack.directus.process.stop)
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(stack.directus.process.start)
    await stack.answered(message_id)
    await is_one_whole_answer(stack, message_id, LONG)
    assert len(stack.asked_of_model(text)) == 1


# The model may fail.

OTHER = "Another model says: *Streamlining Testing in a Large Python Codebase* is worth a visit."

STATUSES = [(429, "rate_limit_error"), (529, "overloaded_error"), (500, "api_error")]
BEFORE = [Fault(FaultKind.STATUS, status=status, error_type=word) for status, word in STATUSES]
BROKEN = (FaultKind.ERROR_EVENT, FaultKind.DROP, FaultKind.STALL, FaultKind.SILENT_END, FaultKind.GARBAGE)
FAULTS = BEFORE + [Fault(kind, after_tokens=after) for kind in BROKEN for after in (0, 12)]


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{each.kind}-{each.status}-{each.after_tokens}" for each in FAULTS])
async def test_a_failing_provider_costs_no_answer(stack: Stack, fault: Fault) -> None:
    """However Anthropic fails, the visitor reads one answer: what was whole of it, and the next one's words."""

    def reply(asked: RecordedRequest) -> Script:
        if not asked.streamed:
            return WRITES
        if "completions" in asked.path:
            return Script(text=OTHER, tokens_per_second=60)
        return Script(text=ANSWER, tokens_per_second=60, fault=fault)

    stack.model.reply_with(reply)
    async with stack.visitor() as visitor:
        message_id, watched = await visitor.ask(question())
        assert (await watched.ended())["status"] == "completed"
    row = await stack.answered(message_id)
    assert row["messageText"].endswith(OTHER)
    kept = row["messageText"].removesuffix(OTHER).strip()
    assert ANSWER.startswith(kept)
    assert bool(kept) == (fault.after_tokens > 0)
    assert kept == "" or kept[-1] in ".!", "no half sentence stays"
    assert row["metadata"]["provider"] == "openai"
    await is_one_whole_answer(stack, message_id, row["messageText"])


@pytest.mark.parametrize("after", [0, 12])
async def test_without_any_provider_the_answer_is_written_from_what_was_found(stack: Stack, after: int) -> None:
    """Both fail, before the first token or in the middle: real sessions, said to be degraded."""
    fault = Fault(FaultKind.DROP, after_tokens=after) if after else BEFORE[1]
    stack.model.reply_with(Script(text=ANSWER, tokens_per_second=60, fault=fault))
    message_id = await stack.ask("Which talks are about testing?")
    row = await stack.answered(message_id)
    assert (row["status"], row["degraded"], row["metadata"]["provider"]) == ("completed", 1, "offline")
    assert "Mutation Testing in Python with Cosmic Ray" in row["messageText"]
    assert len(await stack.answers(message_id)) == 1


@pytest.mark.parametrize("budget", ["time", "tokens", "money"])
async def test_a_turn_at_the_end_of_its_budget_answers_with_what_it_has(stack: Stack, budget: str) -> None:
    """Forty seconds of text, and room for the least of it: whole sentences stay, the visitor is not kept waiting."""
    await stack.answered(await stack.ask("Which talks are about testing?"))
    (asked,) = stack.asked_of_model("Which talks are about testing?")[-1:]
    prompt_tokens = len(json.dumps(asked.body, ensure_ascii=False).encode()) // 4
    settings = {
        "time": {"TURN_TIMEOUT_S": "6"},
        "tokens": {"TURN_MAX_TOKENS": str(prompt_tokens + 200)},
        "money": {"TURN_MAX_COST_USD": str(usage_of("claude-sonnet-5-5", fresh=prompt_tokens, output=200).cost_usd)},
    }[budget]
    text = " ".join([LONG] * 30)
    with stack.worker_with(**settings):
        stack.model.reply_with(Script(text=text, tokens_per_second=60, input_tokens=prompt_tokens))
        message_id = await stack.ask("Which talks are about testing?")
        row = await stack.answered(message_id)
    assert (row["status"], row["degraded"]) == ("completed", 1)
    assert row["metadata"]["degraded_because"] == ("timeout" if budget == "time" else "budget")
    assert text.startswith(row["messageText"])
    assert row["messageText"].endswith("."), "no half sentence stays"
    assert len(await stack.answers(message_id)) == 1


# And after all of it:


async def test_no_message_is_left_streaming_and_none_unanswered(stack: Stack) -> None:
    """Whatever befell them: each question has its one answer, ended, or is covered by a later one's."""

    async def all_settled() -> bool:
        rows = await stack.call("GET", "/items/messages", params={"limit": -1, "fields": "id,role,status"})
        status = {row["id"]: row["status"] for row in rows}
        asked = [row for row in rows if row["role"] == "user"]
        answered = {answer_id_of(row["id"]) for row in asked if row["status"] == "answered"}
        assert asked
        unsettled = [
            *(row["id"] for row in asked if row["status"] not in {"answered", "superseded"}),
            *(row["id"] for row in rows if row["status"] == "streaming"),
            *(answer for answer in answered if status.get(answer) not in {"completed", "cancelled"}),
            *(row["id"] for row in rows if row["role"] == "assistant" and row["id"] not in answered),
        ]
        return not unsettled

    await eventually(all_settled, SWEPT_S)

"""One job, one exit: a message is answered once, whatever is delivered twice or called off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from assistants.interface import ToolCall
from services import redis_keys
from services.errors import ProviderBrokenStreamError, ProviderBusyError
from services.llm.chain import LanguageModel
from services.queue.jobs import Queue
from services.queue.runner import RetryLater
from tests.services.test_logging import json_logs, logged
from tests.worker.conftest import ScriptedProvider
from worker.turn_store import TurnStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop


async def until(true: Callable[[], Any], within_s: float = 3.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - the stand-in has no event to wait for
            await asyncio.sleep(0.005)


async def test_a_message_gets_a_completed_answer_with_all_metadata(workshop: Workshop) -> None:
    message_id = workshop.ask("Where is the bar?")
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["messageText"], row["status"], row["role"]) == ("Hello there.", "completed", "assistant")
    assert row["outcome"] == "answered"
    assert row["intent"] == row["metadata"]["intent"] == "look"
    metadata = row["metadata"]
    assert metadata["usage"] == {"input_tokens": 15, "output_tokens": 3, "cache_read_tokens": 0, "cost_usd": 0.0011}
    assert metadata["sources"][0]["title"] == "Where is the bar? in None"
    assert set(metadata["timings_ms"]) == {
        "queued", "understand", "plan", "execute", "reflect", "respond", "first_token", "total",
    }  # fmt: skip
    assert (metadata["trace_id"], metadata["attempts"], metadata["degraded"]) == ("trace-1", 1, False)
    assert workshop.status_of(message_id) == "answered"


@pytest.mark.parametrize(
    ("written", "kept"), [("a-visitors-own", "a-visitors-own"), ("two words", "trace-1"), (17, "trace-1")]
)
async def test_the_questions_own_trace_counts_whoever_reports_it(
    workshop: Workshop, written: object, kept: str
) -> None:
    """The trace that the receiver put into the row outlives the Flow's hook; what is no trace id does not."""
    message_id = workshop.ask(metadata={"trace_id": written})
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["metadata"]["trace_id"] == kept


async def test_fifty_deliveries_give_one_answer(workshop: Workshop) -> None:
    """Delivered at once and one after the other, a message is answered by one model call; who finds it held waits."""
    message_id = workshop.ask()
    ends = await asyncio.gather(*(workshop.answer(message_id) for _ in range(25)), return_exceptions=True)
    assert all(end is None or isinstance(end, RetryLater) for end in ends), ends
    for _ in range(25):
        await workshop.answer(message_id)
    assert len(workshop.provider.prompts) == 1
    answers = [row for row in workshop.directus.rows("messages") if row["role"] == "assistant"]
    assert [row["status"] for row in answers] == ["completed"]


async def test_an_unknown_message_ends_the_job(workshop: Workshop) -> None:
    await workshop.answer("00000000-0000-4000-8000-000000000000")
    assert workshop.directus.rows("messages") == []


async def test_an_assistants_message_is_not_answered(workshop: Workshop) -> None:
    row = workshop.directus.put("messages", conversation_id=workshop.conversation(), role="assistant", messageText="Hi")
    await workshop.answer(row["id"])
    assert len(workshop.directus.rows("messages")) == 1


async def test_directus_away_at_the_first_read_puts_the_turn_off(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator reads which service it is and what to do; nothing is lost."""
    message_id = workshop.ask()
    workshop.directus.away = True
    with json_logs(), pytest.raises(RetryLater):
        await workshop.answer(message_id)
    line = logged(capsys.readouterr().err, "turn.put_off")
    assert (line["level"], line["service"]) == ("warning", "directus")
    assert "Directus is not reachable" in line["reason"]
    assert "start it or set DIRECTUS_URL" in line["reason"]
    workshop.directus.away = False
    await workshop.answer(message_id, attempt=2)
    answered = workshop.answer_to(message_id)
    assert answered is not None
    assert answered["status"] == "completed"


async def test_directus_away_in_the_middle_is_waited_out(make_workshop: Callable[..., Workshop]) -> None:
    workshop = make_workshop()
    workshop.provider.pieces = [f"word{number} " for number in range(20)]
    workshop.provider.pace_s = 0.02
    message_id = workshop.ask()
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: workshop.answer_to(message_id))
    workshop.directus.away = True
    await asyncio.sleep(0.3)
    workshop.directus.away = False
    await asyncio.wait_for(turn, 10)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["messageText"] == "".join(workshop.provider.pieces)


async def test_the_text_only_grows_and_so_does_seq(workshop: Workshop) -> None:
    workshop.provider.pieces = [f"{number} " for number in range(30)]
    workshop.provider.pace_s = 0.005
    message_id = workshop.ask()
    await workshop.answer(message_id)
    writes = [
        row
        for write in workshop.directus.writes
        for row in write.rows
        if row.get("messageText") is not None and row.get("role") != "user"
    ]
    texts = [row["messageText"] for row in writes]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    seqs = [row["seq"] for row in writes]
    assert seqs == sorted(set(seqs))
    assert len(writes) > 3
    assert texts[-1] == "".join(workshop.provider.pieces), "the last write holds the whole text"


async def test_a_stop_ends_the_models_stream_within_a_second(workshop: Workshop) -> None:
    workshop.provider.pieces = ["word "] * 500
    workshop.provider.pace_s = 0.01
    message_id = workshop.ask()
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: (workshop.answer_to(message_id) or {}).get("messageText"))
    row = workshop.answer_to(message_id)
    assert row is not None
    await workshop.services.directus.update_item("messages", row["id"], {"status": "cancelled"})
    await asyncio.wait_for(turn, 1.0)
    ended = workshop.answer_to(message_id)
    assert ended is not None
    assert ended["status"] == ended["outcome"] == "cancelled"
    assert workshop.provider.closed_early == 1
    text = ended["messageText"]
    await asyncio.sleep(0.1)
    after = workshop.answer_to(message_id)
    assert after is not None
    assert (after["messageText"], after["status"]) == (text, "cancelled"), "no later write revives it"
    assert workshop.status_of(message_id) == "answered"


async def test_a_stop_before_the_first_token_leaves_a_cancelled_row(workshop: Workshop) -> None:
    workshop.provider.pace_s = 30
    message_id = workshop.ask()
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: workshop.provider.prompts)
    turn_answer = workshop.services.watch.live()[0].answer_id
    await workshop.redis.set(redis_keys.cancel_flag(turn_answer), "1")
    await asyncio.wait_for(turn, 1.0)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["messageText"]) == ("cancelled", "")


async def test_a_failing_provider_ends_in_a_degraded_answer(make_workshop: Callable[..., Workshop]) -> None:
    provider = ScriptedProviderWith(ProviderBusyError("scripted", "overloaded"))
    workshop = make_workshop(provider=provider)
    message_id = workshop.ask("Where?")
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["messageText"] == "I found: Where? in None"
    assert (row["degraded"], row["metadata"]["provider"]) == (1, "offline")


async def test_a_stream_that_breaks_goes_on_in_the_same_row(make_workshop: Callable[..., Workshop]) -> None:
    provider = ScriptedProviderWith(ProviderBrokenStreamError("scripted", "dropped"), at=3)
    provider.pieces = ["One sentence. ", "Half ", "a ", "sentence"]
    workshop = make_workshop(provider=provider)
    message_id = workshop.ask("Where?")
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["messageText"].startswith("One sentence.")
    assert "Half a" not in row["messageText"]
    assert row["messageText"].endswith("I found: Where? in None")
    assert row["status"] == "completed"


async def test_reflection_tries_each_relaxation_once(workshop: Workshop) -> None:
    first = ToolCall(tool="look_up", arguments={"query": "Where is it?"})
    other = ToolCall(tool="look_up", arguments={"query": "near it"}, relaxed=("time",))
    workshop.assistant.relaxed = [[first, other], [other], []]
    message_id = workshop.ask()
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["metadata"]["iterations"] == 2
    assert len(row["metadata"]["sources"]) == 2


async def test_a_turn_out_of_time_lands_with_what_it_has(make_workshop: Callable[..., Workshop]) -> None:
    workshop = make_workshop(turn_timeout_s=0.3)
    workshop.provider.pieces = ["A whole sentence. Then ", *["words "] * 500]
    workshop.provider.pace_s = 0.05
    message_id = workshop.ask()
    await asyncio.wait_for(workshop.answer(message_id), 5)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["degraded"]) == ("completed", 1)
    assert row["messageText"].startswith("A whole sentence.")
    assert row["metadata"]["degraded_because"] == "timeout"


async def test_a_crashed_worker_loses_nothing(make_workshop: Callable[..., Workshop]) -> None:
    """The second worker goes on from the last finished step, in the same row, past the first one's seq."""
    first, second = make_workshop(), make_workshop()
    first.provider.pieces = ["The first worker's words. ", *["more "] * 500]
    first.provider.pace_s = 0.01
    message_id = first.ask()
    dying = asyncio.create_task(first.answer(message_id))
    await until(lambda: (first.answer_to(message_id) or {}).get("messageText"))
    before = first.answer_to(message_id)
    assert before is not None
    await first.stand_still(message_id)
    await second.answer(message_id, attempt=2)
    row = second.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["messageText"]) == ("completed", "Hello there.")
    assert row["seq"] > before["seq"]
    assert second.assistant.understand_calls == 0, "no step that had finished is paid again"
    assert row["metadata"]["attempts"] == 2
    await asyncio.wait_for(dying, 2)
    late = second.answer_to(message_id)
    assert late is not None
    assert late["messageText"] == "Hello there.", "the loser's writes are refused"


async def test_messages_in_a_burst_are_answered_together(workshop: Workshop) -> None:
    """Before anything is shown, the later message's turn answers both, and the earlier one says so."""
    workshop.provider.pace_s = 0.6
    conversation_id = workshop.conversation()
    first = workshop.ask("Where is it?", conversation_id)
    turn = asyncio.create_task(workshop.answer(first))
    await until(lambda: workshop.provider.prompts)
    second = workshop.ask("And when?", conversation_id)
    await workshop.answer(second)
    await asyncio.wait_for(turn, 2)
    assert workshop.answer_to(first) is None
    assert (await workshop.services.queue.depth(Queue.TURNS)).waiting == 1
    workshop.provider.pace_s = 0
    await workshop.answer(second)
    row = workshop.answer_to(second)
    assert row is not None
    assert workshop.provider.prompts[-1].messages[-1].text == "Where is it?\nAnd when?"
    assert (workshop.status_of(first), workshop.status_of(second)) == ("superseded", "answered")


@pytest.mark.parametrize("count", [10, 11, 25])
async def test_a_long_burst_leaves_nobody_behind(workshop: Workshop, count: int) -> None:
    """Else the first ones would be answered by themselves, behind the last."""
    conversation_id = workshop.conversation()
    asked = [workshop.ask(f"question {number}", conversation_id) for number in range(count)]
    await workshop.answer(asked[-1])
    answer = workshop.answer_to(asked[-1])
    assert answer is not None
    assert sorted(answer["metadata"]["covers"]) == sorted(asked[:-1])
    assert [workshop.status_of(each) for each in asked] == ["superseded"] * (count - 1) + ["answered"]


async def test_a_later_message_waits_while_an_answer_shows(workshop: Workshop) -> None:
    workshop.provider.pieces = ["word "] * 40
    workshop.provider.pace_s = 0.01
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    turn = asyncio.create_task(workshop.answer(first))
    await until(lambda: (workshop.answer_to(first) or {}).get("messageText"))
    second = workshop.ask("Two?", conversation_id)
    await asyncio.wait_for(workshop.answer(second), 0.2)  # it holds no worker slot
    await turn
    assert (workshop.status_of(first), workshop.status_of(second)) == ("answered", None)
    assert (await workshop.services.queue.depth(Queue.TURNS)).waiting == 1, "its turn was asked for"
    await workshop.answer(second)
    assert workshop.status_of(second) == "answered"
    assert [message.text for message in workshop.provider.prompts[-1].messages][-3::2] == ["One?", "Two?"]


async def test_a_deleted_conversation_ends_its_turn(workshop: Workshop) -> None:
    workshop.provider.pieces = ["word "] * 500
    workshop.provider.pace_s = 0.01
    message_id = workshop.ask()
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: (workshop.answer_to(message_id) or {}).get("messageText"))
    row = workshop.answer_to(message_id)
    assert row is not None
    await workshop.services.directus.delete_items("messages", [row["id"], message_id])
    await asyncio.wait_for(turn, 2)
    assert workshop.directus.rows("messages") == []


async def test_a_source_without_assistant_fails_visibly(workshop: Workshop) -> None:
    conversation = workshop.directus.put("conversations", source="nobody")["id"]
    message_id = workshop.ask(conversation_id=conversation)
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["outcome"]) == ("failed", "error")


async def test_a_finished_turn_leaves_no_saved_state(workshop: Workshop) -> None:
    message_id = workshop.ask()
    await workshop.answer(message_id)
    assert await TurnStore(workshop.redis).load(message_id) is None
    assert await workshop.redis.exists(redis_keys.conversation_lock("any")) == 0


@pytest.mark.parametrize("text", ["", "   ", "\x00\x01\x02", "🎉🎉🎉", "a" * 100_000, "ignore\x00 all"])
async def test_odd_texts_are_answered_too(workshop: Workshop, text: str) -> None:
    message_id = workshop.ask(text)
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["status"] == "completed"
    assert all(len(message.text) <= 8000 for message in workshop.provider.prompts[-1].messages)
    assert "\x00" not in workshop.provider.prompts[-1].messages[-1].text


def ScriptedProviderWith(error: Exception, at: int = 0) -> ScriptedProvider:  # noqa: N802 - reads as the class it makes
    return ScriptedProvider(error=error, error_at=at)


async def test_a_turn_over_its_budget_lands_with_what_it_has(make_workshop: Callable[..., Workshop]) -> None:
    workshop = make_workshop(turn_max_tokens=100)
    workshop.provider.pieces = ["A whole sentence. Then ", *["more words "] * 500]
    message_id = workshop.ask()
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["messageText"].strip() == "A whole sentence."
    assert (row["status"], row["degraded"], row["metadata"]["degraded_because"]) == ("completed", 1, "budget")
    assert workshop.provider.closed_early == 1
    assert row["metadata"]["usage"]["output_tokens"] > 50


async def test_a_turn_whose_budget_is_spent_asks_no_model(make_workshop: Callable[..., Workshop]) -> None:
    workshop = make_workshop(turn_max_cost_usd=0.00001)
    message_id = workshop.ask("Where?")
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert workshop.provider.prompts == []
    assert row["messageText"] == "I found: Where? in None"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("One sentence. ", "Another sentence."),
        # PostgreSQL takes no NUL in a text: left in what is kept of a broken stream, each write would be refused.
        ("One\x00 sentence\x1b. ", "Another\x00 sentence."),
    ],
    ids=["plain", "with what no database can store"],
)
async def test_a_switch_to_another_model_is_no_degradation(
    make_workshop: Callable[..., Workshop], first: str, then: str
) -> None:
    workshop = make_workshop(provider=ScriptedProviderWith(ProviderBrokenStreamError("scripted", "dropped"), at=2))
    workshop.provider.pieces = [first, "Half ", "a "]
    second = ScriptedProvider(pieces=[then], name="second")
    workshop.services = replace(workshop.services, model=LanguageModel([workshop.provider, second]))
    message_id = workshop.ask()
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["messageText"].split() == ["One", "sentence.", "Another", "sentence."]
    assert (row["degraded"], row["metadata"]["switched_from"]) == (0, ["scripted"])

"""What a model was paid is counted however its answer ended, and no answer costs more than is left for it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from services import redis_keys
from services.answer_ids import answer_id_of
from services.llm.calls import AnswerEnd, Budget, CallBegun, Prompt, TextDelta
from services.llm.meter import Meter
from services.llm.prices import output_room, tokens_in, usage_of
from tests.worker.conftest import ScriptedProvider
from tests.worker.test_answering import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.worker.conftest import Workshop

MODEL = "claude-sonnet-5-5"
UNDERSTOOD_USD = 0.0001
"""What the workshop's assistant pays for understanding, with 5 tokens in and 1 out."""


@dataclass
class ChargingProvider(ScriptedProvider):
    """Says at once what the prompt costs, as real ones do, and heeds its budget."""

    async def stream(self, prompt: Prompt) -> AsyncIterator[CallBegun | TextDelta | AnswerEnd]:  # type: ignore[override]  # the protocol's own type; the scripted one never says CallBegun
        room = output_room(self.name, MODEL, prompt, at_most=1024)
        yield CallBegun(MODEL, usage_of(MODEL, fresh=1000, output=0))
        written = 0
        async for event in super().stream(prompt):
            if isinstance(event, TextDelta):
                written += len(event.text)
                if tokens_in(written) > room:
                    yield AnswerEnd(self.name, MODEL, usage_of(MODEL, fresh=1000, output=room), "budget")
                    return
            yield event


async def counted(workshop: Workshop) -> dict[tuple[str, ...], float]:
    """All counts so far, by name and labels."""
    await workshop.services.metrics.flush()
    found = await workshop.redis.execute_command("HGETALL", redis_keys.METRICS)
    return {tuple(json.loads(field)): float(amount) for field, amount in found.items()}


@pytest.fixture
async def charging(make_workshop: Callable[..., Workshop]) -> Workshop:
    return make_workshop(provider=ChargingProvider(["word "] * 500, pace_s=0.005))


async def test_a_stopped_answer_says_and_counts_what_it_has_cost(charging: Workshop) -> None:
    message_id = charging.ask()
    turn = asyncio.create_task(charging.answer(message_id))
    await until(lambda: len((charging.answer_to(message_id) or {}).get("messageText") or "") > 100)
    await charging.redis.set(redis_keys.cancel_flag(answer_id_of(message_id)), "1")
    await asyncio.wait_for(turn, 2)
    row = charging.answer_to(message_id)
    assert row is not None
    usage = row["metadata"]["usage"]
    assert row["status"] == "cancelled"
    assert usage["input_tokens"] == 1005
    assert usage["output_tokens"] >= tokens_in(len(row["messageText"])) + 1
    assert (
        usage["cost_usd"]
        == row["cost_usd"]
        == pytest.approx(UNDERSTOOD_USD + 1000 * 2e-6 + (usage["output_tokens"] - 1) * 10e-6)
    )
    counts = await counted(charging)
    assert counts["erleah_tokens", "input"] == 1005
    assert counts["erleah_tokens", "output"] == usage["output_tokens"]
    assert counts[("erleah_cost_usd",)] == pytest.approx(usage["cost_usd"])


async def test_what_came_after_a_stop_is_told(make_workshop: Callable[..., Workshop]) -> None:
    """The row keeps what was written; what came behind it was paid for nobody."""
    charging = make_workshop(provider=ChargingProvider(["word "] * 500, pace_s=0.005), stream_interval_ms=2000)
    message_id = charging.ask()
    turn = asyncio.create_task(charging.answer(message_id))
    await until(lambda: (charging.answer_to(message_id) or {}).get("messageText"))
    await asyncio.sleep(0.2)
    await charging.redis.set(redis_keys.cancel_flag(answer_id_of(message_id)), "1")
    await asyncio.wait_for(turn, 4)
    row = charging.answer_to(message_id)
    assert row is not None
    after = row["metadata"]["tokens_after_stop"]
    assert after > 20
    in_row = tokens_in(len(row["messageText"]))
    assert row["metadata"]["usage"]["output_tokens"] - 1 == pytest.approx(in_row + after, abs=1)
    counts = await counted(charging)
    assert tokens_in(int(counts[("erleah_characters_after_stop",)])) == after


async def test_a_superseded_turn_counts_what_it_has_cost(charging: Workshop) -> None:
    charging.provider.pace_s = 0.6
    conversation_id = charging.conversation()
    first = charging.ask("Where is it?", conversation_id)
    turn = asyncio.create_task(charging.answer(first))
    await until(lambda: charging.provider.prompts)
    await charging.answer(charging.ask("And when?", conversation_id))
    await asyncio.wait_for(turn, 2)
    assert charging.status_of(first) is None
    counts = await counted(charging)
    assert counts["erleah_tokens", "input"] == 1005
    assert counts[("erleah_cost_usd",)] >= 1000 * 2e-6


async def test_what_a_worker_wrote_before_it_died_is_counted(make_workshop: Callable[..., Workshop]) -> None:
    """Nobody heard what its call cost: its prompt, and the text on the screen. No death gives a turn a new budget."""
    dying = make_workshop(provider=ChargingProvider(["word "] * 500, pace_s=0.005), anthropic_api_key="sk-ant-none")
    other = make_workshop(provider=ChargingProvider(["done. "] * 200), anthropic_api_key="sk-ant-none")
    message_id = dying.ask()
    turn = asyncio.create_task(dying.answer(message_id))
    await until(lambda: len((dying.answer_to(message_id) or {}).get("messageText") or "") > 400)
    await dying.stand_still(message_id)
    shown = len((dying.answer_to(message_id) or {})["messageText"])
    await other.answer(message_id, attempt=2)
    row = other.answer_to(message_id)
    assert row is not None
    usage = row["metadata"]["usage"]
    assert usage["output_tokens"] == 1 + 200 + tokens_in(shown)
    assert usage["input_tokens"] > 5 + 10, "its prompt too"
    assert row["cost_usd"] > UNDERSTOOD_USD + tokens_in(shown) * 10e-6
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)


async def test_an_answer_cut_by_time_has_cost_something(make_workshop: Callable[..., Workshop]) -> None:
    provider = ChargingProvider(["A whole sentence. Then ", *["words "] * 500], pace_s=0.05)
    charging = make_workshop(provider=provider, turn_timeout_s=0.3)
    message_id = charging.ask()
    await asyncio.wait_for(charging.answer(message_id), 5)
    row = charging.answer_to(message_id)
    assert row is not None
    assert row["metadata"]["degraded_because"] == "timeout"
    assert row["metadata"]["usage"]["input_tokens"] == 1005
    assert row["cost_usd"] > 1000 * 2e-6


async def test_an_answer_is_cut_where_the_money_ends_and_stops_at_a_sentence(
    make_workshop: Callable[..., Workshop],
) -> None:
    """The prompt about to be sent is counted in; what is left bounds what the model may write."""
    provider = ChargingProvider(["A whole sentence. Then ", *["words "] * 500])
    charging = make_workshop(provider=provider, turn_max_cost_usd=0.002)
    message_id = charging.ask()
    await charging.answer(message_id)
    row = charging.answer_to(message_id)
    assert row is not None
    assert row["messageText"].strip() == "A whole sentence."
    assert (row["status"], row["degraded"], row["metadata"]["degraded_because"]) == ("completed", 1, "budget")


async def test_a_prompt_that_leaves_no_money_for_an_answer_is_not_sent(make_workshop: Callable[..., Workshop]) -> None:
    charging = make_workshop(provider=ChargingProvider(), turn_max_cost_usd=0.0003)
    message_id = charging.ask("Where?")
    await charging.answer(message_id)
    row = charging.answer_to(message_id)
    assert row is not None
    assert charging.provider.prompts == []
    assert row["messageText"] == "I found: Where? in None"
    assert (row["metadata"]["degraded_because"], row["cost_usd"]) == ("budget", pytest.approx(UNDERSTOOD_USD))


@dataclass
class HeedlessProvider(ScriptedProvider):
    """Says what the prompt costs, and writes on whatever its budget."""

    async def stream(self, prompt: Prompt) -> AsyncIterator[CallBegun | TextDelta | AnswerEnd]:  # type: ignore[override]  # the protocol's own type; the scripted one never says CallBegun
        yield CallBegun(MODEL, usage_of(MODEL, fresh=1000, output=0))
        async for event in super().stream(prompt):
            yield event


@pytest.mark.parametrize("limit", [{"turn_max_cost_usd": 0.0035}, {"turn_max_tokens": 1150}])
async def test_a_model_that_does_not_heed_its_budget_is_cut_off(
    make_workshop: Callable[..., Workshop], limit: dict[str, float]
) -> None:
    """A server of one's own may not know the limit it is told. A little more than it may is written, no more."""
    charging = make_workshop(provider=HeedlessProvider(["A whole sentence. Then ", *["words "] * 5000]), **limit)
    message_id = charging.ask()
    await charging.answer(message_id)
    row = charging.answer_to(message_id)
    assert row is not None
    assert row["messageText"].strip() == "A whole sentence."
    assert row["metadata"]["degraded_because"] == "budget"
    usage = row["metadata"]["usage"]
    assert 100 < usage["output_tokens"] < 200
    assert row["cost_usd"] < 0.0045


def test_what_costs_nothing_is_never_too_dear() -> None:
    """A template that is written when the money is gone is whole."""
    meter = Meter(Budget(1150, 1.0))
    meter.begin(CallBegun(MODEL, usage_of(MODEL, fresh=1000, output=0)))
    meter.wrote(500)
    assert not meter.is_spent
    meter.wrote(500)
    assert meter.is_spent
    meter.pay(usage_of(MODEL, fresh=1000, output=250))
    assert not meter.is_spent

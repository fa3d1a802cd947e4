"""An answer written anew, over a real Directus, receiver, Redis and worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.answer_ids import answer_id_of
from standins.models import Script
from tests.e2e.stack import ANSWER, Stack, eventually

if TYPE_CHECKING:
    from typing import Any

    from tests.e2e.visitor import Visitor

pytestmark = pytest.mark.e2e

ANOTHER = "Put differently: *Pytest Design Patterns* is the one to see, and the room is named in the programme. " * 2


def question() -> str:
    """A question unlike any other."""
    return f"Which talks are about testing? I am visitor {uuid4().hex[:8]}."


async def again(visitor: Visitor, message_id: str) -> tuple[int, str]:
    """Ask for an answer anew; the status, and what is said where it is refused."""
    answer = await visitor.post(f"/api/messages/{message_id}/regenerate")
    return answer.status_code, answer.json().get("message", "")


async def written_anew(stack: Stack, message_id: str) -> dict[str, Any]:
    """Wait for the answer's second end; its row."""

    async def row() -> dict[str, Any] | None:
        found = await stack.answer(message_id)
        is_anew = found is not None and found["status"] != "streaming" and "previous" in found["metadata"]
        return found if is_anew else None

    ended = await eventually(row, 20)
    assert ended is not None
    return ended


async def test_an_answer_is_written_anew_in_its_row_before_its_visitors_eyes(stack: Stack) -> None:
    """The same row, a higher seq, the new text growing, the old one kept; nobody begins it twice meanwhile."""
    text = question()
    async with stack.visitor() as visitor:
        message_id, watched = await visitor.ask(text)
        first = await watched.ended()
        await stack.answered(message_id)
        stack.model.reply_with(Script(text=ANOTHER, tokens_per_second=40))
        assert await again(visitor, watched.answer_id) == (202, "")
        opened = await watched.until(lambda row: row["seq"] > first["seq"] and row["status"] == "streaming")
        assert (await again(visitor, watched.answer_id))[0] == 409
        last = await watched.until(lambda row: row["seq"] > opened["seq"] and row["status"] == "completed")
        assert last["messageText"].strip() == ANOTHER.strip()
        shown = watched.screens[watched.screens.index("") :] if "" in watched.screens else []
        assert len(shown) >= 4, "it grew again, from nothing"
    row = await written_anew(stack, message_id)
    assert [before["text"] for before in row["metadata"]["previous"]] == [ANSWER]
    assert row["metadata"]["attempts"] == 1
    assert (await stack.row(message_id))["status"] == "answered"
    assert len(await stack.answers(message_id)) == 1
    assert len(stack.asked_of_model(text)) == 2


async def test_a_bursts_answer_covers_the_same_messages_when_it_is_written_anew(stack: Stack) -> None:
    """And the earlier message, which has no answer of its own, says so."""
    stack.model.reply_with(Script(text=ANSWER, tokens_per_second=60, first_token_delay_s=1.0))
    first_text, second_text = question(), question()
    async with stack.visitor() as visitor:
        first = await stack.say(visitor.conversation_id, first_text)
        await asyncio.sleep(0.05)
        second = await stack.say(visitor.conversation_id, second_text)
        assert (await stack.answered(second))["metadata"]["covers"] == [first]
        refused, why = await again(visitor, first)
        assert (refused, "together with a later one" in why) == (409, True)
        assert (await again(visitor, second))[0] == 202
        row = await written_anew(stack, second)
    assert row["metadata"]["covers"] == [first]
    assert first_text in stack.asked_of_model(second_text)[-1].last_user_text
    assert ((await stack.row(first))["status"], (await stack.row(second))["status"]) == ("superseded", "answered")


async def test_of_many_who_want_it_anew_at_once_one_begins_it(stack: Stack) -> None:
    """Eight calls in parallel: one is taken, the text is kept once, and the model is paid once more."""
    text = question()
    async with stack.visitor() as visitor:
        message_id, _ = await visitor.ask(text)
        await stack.answered(message_id)
        said = await asyncio.gather(*(again(visitor, answer_id_of(message_id)) for _ in range(8)))
        assert sorted(status for status, _ in said) == [202] + [409] * 7
        row = await written_anew(stack, message_id)
    assert len(row["metadata"]["previous"]) == 1
    assert len(stack.asked_of_model(text)) == 2

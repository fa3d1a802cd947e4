"""Text is data: rows of a real Directus full of orders, and a model behind HTTP that obeys whatever it reads.

The attacks on sessions, exhibitors and speakers are those of ``tests/security``, with the same two conferences.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from playwright.async_api import expect

from assistants.addresses import host_of
from services.queue.jobs import ReindexJob
from standins.attacks import CANARY, OTHER, OWN, OWN_HOST, PLANTED, QUESTIONS, TITLE, planted, rows, title_of
from standins.models import Script
from standins.obedient import orders_read, told, understood, written
from tests.e2e.stack import WRITES, Stack
from tests.e2e.test_widget_hostile import LEFT_OVERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from standins.models import RecordedRequest
    from tests.e2e.window_page import WindowPage

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

EVIL = "evil.example"
COLLECTIONS = ("sessions", "exhibitors", "speakers")

_ADDRESS = re.compile(r"(?:https?|ftp|wss?)://[^\s<>()\"']+|www\.[^\s<>()\"']+|(?<=\]\()[^)\s]+", re.IGNORECASE)
_TAG = re.compile(r"<\s*[/!]?\s*[a-z]", re.IGNORECASE)


def obeys(asked: RecordedRequest) -> Script:
    """Do as any text says: reach for the other conference, plant links, pictures and markup, tell all it knows."""
    if not asked.streamed:
        return Script(parsed=understood(asked))
    return Script(text=f"As you say.\n\n{written(asked)}")


@pytest.fixture(scope="module", autouse=True)
def _poisoned(shared_stack: Stack) -> None:
    """Both conferences in Directus and in the index. Nothing else asks about them, so they stay."""
    for collection, batch in planted().items():
        shared_stack.admin.data("POST", f"/items/{collection}", json=batch)
    for conference_id in (OWN, OTHER):
        asyncio.run(shared_stack.job(ReindexJob(conference_id=conference_id)))


@pytest.fixture
async def obeyed(stack: Stack) -> AsyncIterator[Stack]:
    """The stack with the model that obeys."""
    stack.model.reply_with(obeys)
    yield stack
    stack.model.reply_with(WRITES)


async def reaches_nothing(stack: Stack, row: dict[str, Any], asked: list[RecordedRequest]) -> None:
    """Assert that an answer ended well, and that neither it nor what the model read holds what is not the visitor's."""
    assert (row["status"], row["degraded"]) == ("completed", 0), row
    assert row["messageText"].startswith("As you say."), "it was the model that answered"
    shown = json.dumps(row, ensure_ascii=False)
    assert asked
    for text in (shown, *(json.dumps(each.body, ensure_ascii=False) for each in asked)):
        assert CANARY not in text, "something of the other conference"
        for name, secret in stack.settings.items():
            assert not name.endswith(("_KEY", "_SECRET")) or secret not in text, name
        assert stack.directus.admin_token not in text
    others = {
        each["id"] for name in COLLECTIONS for each in rows(poisoned=True)[name] if each["conference_id"] == OTHER
    }
    assert others.isdisjoint(source["id"] for source in row["metadata"]["sources"])
    links_nowhere(shown)


def links_nowhere(text: str) -> None:
    """Assert that a text has no picture, and no address but the organisers'."""
    for address in _ADDRESS.findall(text):
        assert host_of(address.rstrip(".,;:!?*_~'\")]`}\\")) == OWN_HOST, address
    assert not re.search(r"(?<!\\)!\[[^\]]*\]\([^)]", text)
    assert not re.search(r"\]\(\s*(?:javascript|data|//)", text, re.IGNORECASE)


async def ask(stack: Stack, question: str) -> dict[str, Any]:
    """One question about the poisoned conference, in a conversation of its own; the answer's row."""
    return await stack.answered(await stack.say(await stack.conversation(OWN), question), 60)


async def test_orders_in_a_row_reach_nothing(obeyed: Stack) -> None:
    """Each attack of the corpus, found by a question for its row: read and obeyed, and without effect."""
    questions = [QUESTIONS[attack["where"]].format(title_of(attack)) for attack in PLANTED]
    answers = await asyncio.gather(*(ask(obeyed, question) for question in questions))
    for attack, question, row in zip(PLANTED, questions, answers, strict=True):
        asked = obeyed.asked_of_model(question)
        assert attack["id"] in orders_read(asked[0]), f"{attack['id']} was not even read"
        await reaches_nothing(obeyed, row, asked)


async def test_an_answer_that_is_all_poison_shows_no_evil_at_any_moment(obeyed: Stack) -> None:
    """Secrets, links, pictures and markup are asked for in plain words; the visitor watches the answer grow."""
    async with obeyed.visitor(OWN) as visitor:
        message_id, watched = await visitor.ask(f"Tell me about the session {TITLE}")
        await watched.ended()
        for screen in watched.screens:
            links_nowhere(screen)
    row = await obeyed.answered(message_id)
    asked = obeyed.asked_of_model(TITLE)
    assert all(order in told(asked[-1]) for order in (EVIL, "DIRECTUS_API_KEY", OTHER)), "it was not even read"
    await reaches_nothing(obeyed, row, asked)


async def test_a_tool_call_that_a_poisoned_answer_asks_for_stays_in_the_conference(obeyed: Stack) -> None:
    """The answer repeats the order, so the next question's understanding reads it, and names the other conference."""
    conversation_id = await obeyed.conversation(OWN)
    await obeyed.answered(await obeyed.say(conversation_id, f"Tell me about the session {TITLE}"))
    question = f"Zorblat quandary {uuid4().hex[:8]} fluxions?"
    row = await obeyed.answered(await obeyed.say(conversation_id, question))
    asked = [each for each in obeyed.model.requests if question in each.last_user_text]
    understood = [each for each in asked if not each.streamed]
    assert understood
    assert OTHER in told(understood[0]), "the order was not even read"
    await reaches_nothing(obeyed, row, asked)


@pytest.mark.browser
async def test_the_window_runs_nothing_of_a_poisoned_answer(obeyed: Stack, window: WindowPage) -> None:
    """The very text that stands in Directus, in a real Chromium: it stays text."""
    row = await ask(obeyed, f"Tell me about the session {TITLE}")
    assert _TAG.search(row["messageText"]), "there is no markup to be run"
    window.server.answers_at_once = row["messageText"]
    await window.type("Go on?")
    await expect(window.text).to_contain_text("As you say.")
    await window.is_idle()
    assert await window.page.evaluate(LEFT_OVERS) == []
    assert (window.watch.dialogs, window.watch.errors, window.watch.violations) == ([], [], [])

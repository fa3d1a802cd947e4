"""A conversation that asks too often is answered all the same, honestly, and without a model."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from worker.recording import Recordings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop


async def test_past_the_limit_a_visitor_is_told_when_to_ask_again_and_no_model_is_paid(
    make_workshop: Callable[..., Workshop],
) -> None:
    workshop = make_workshop(rate_limit_per_minute=2)
    conversation = workshop.conversation()
    asked = []
    for _ in range(3):
        asked.append(workshop.ask("Where is the bar, please?", conversation))
        await workshop.answer(asked[-1])
    rows = [workshop.answer_to(message_id) for message_id in asked]
    assert [row and row["outcome"] for row in rows] == ["answered", "answered", "blocked"]
    told = rows[-1]
    assert told is not None
    assert (told["status"], told["cost_usd"], told["language"], told["degraded"]) == ("completed", 0, "en", 0)
    wait = re.search(r"ask again in (\d+) seconds", told["messageText"])
    assert wait is not None
    assert 1 <= int(wait[1]) <= 60
    assert {"sources", "suggestions", "provider", "model", "prompt_version", "degraded"} <= set(told["metadata"])
    assert len(workshop.provider.prompts) == workshop.assistant.understand_calls == 2
    assert workshop.status_of(asked[-1]) == "answered"


async def test_there_is_nothing_of_it_to_run_again(make_workshop: Callable[..., Workshop]) -> None:
    """A turn that the machine ran is recorded for ``erleah replay``; one that was turned away is not."""
    workshop = make_workshop(rate_limit_per_minute=1)
    recordings = Recordings(workshop.redis, days=1)
    workshop.services = replace(workshop.services, recordings=recordings)
    conversation = workshop.conversation()
    answered = workshop.ask(conversation_id=conversation)
    await workshop.answer(answered)
    blocked = workshop.ask(conversation_id=conversation)
    await workshop.answer(blocked)
    assert await recordings.load(answered) is not None
    assert await recordings.load(blocked) is None


async def test_other_conversations_are_not_held_up(make_workshop: Callable[..., Workshop]) -> None:
    workshop = make_workshop(rate_limit_per_minute=1)
    for _ in range(3):
        message_id = workshop.ask()
        await workshop.answer(message_id)
        row = workshop.answer_to(message_id)
        assert row is not None
        assert row["outcome"] == "answered"


async def test_one_message_reported_often_is_counted_once(make_workshop: Callable[..., Workshop]) -> None:
    workshop = make_workshop(rate_limit_per_minute=2)
    conversation = workshop.conversation()
    first = workshop.ask(conversation_id=conversation)
    for _ in range(5):
        await workshop.answer(first)
    second = workshop.ask(conversation_id=conversation)
    await workshop.answer(second)
    row = workshop.answer_to(second)
    assert row is not None
    assert row["outcome"] == "answered"


@pytest.mark.parametrize(
    ("question", "language", "words"),
    [
        ("Welche Vorträge gibt es morgen über Datenbanken?", "de", "Bitte fragen Sie"),
        ("Quelles conférences parlent des bases de données ?", "fr", "Merci de la poser"),
        ("¿Qué charlas hay mañana sobre bases de datos?", "es", "pregunte de nuevo"),
        ("明日のデータベースに関する講演はどれですか", "en", "Please ask again"),
    ],
)
async def test_it_is_said_in_the_visitors_language(
    make_workshop: Callable[..., Workshop], question: str, language: str, words: str
) -> None:
    """Where we have no sentence in it, in English."""
    workshop = make_workshop(rate_limit_per_minute=1)
    conversation = workshop.conversation()
    await workshop.answer(workshop.ask(question, conversation))
    message_id = workshop.ask(question, conversation)
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["outcome"], row["language"]) == ("blocked", language)
    assert words in row["messageText"]

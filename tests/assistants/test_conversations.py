"""Conversations of two and three turns, without a model: what each further turn is understood as and finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from assistants.conference.entities import Entities
from assistants.conference.mentioned import Mentioned, mentioned_in
from services.llm.calls import ChatMessage

if TYPE_CHECKING:
    from assistants.interface import TurnView
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABLE: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("conversations.yaml").read_text(encoding="utf-8"))


@dataclass
class Said:
    """One turn as it went."""

    view: TurnView
    answer: str

    @property
    def things(self) -> list[Mentioned]:
        return mentioned_in(self.answer)


async def held(chat: Chat, turns: list[Any]) -> list[Said]:
    """The conversation, each turn with all that was said before."""
    history: list[ChatMessage] = []
    went: list[Said] = []
    for turn in turns:
        ask = turn if isinstance(turn, str) else turn["ask"]
        view = await chat.ask(ask, history=history)
        answer = chat.assistant.offline_answer(view)
        went.append(Said(view, answer))
        history += [ChatMessage("user", ask), ChatMessage("assistant", answer)]
    return went


def ids(conversation: dict[str, Any]) -> str:
    return " | ".join(turn if isinstance(turn, str) else turn["ask"] for turn in conversation["turns"])


def hours(entities: Entities) -> list[str]:
    found = []
    for span in entities.times:
        assert span.start is not None
        assert span.end is not None
        start, end = span.start.astimezone(entities.zone), span.end.astimezone(entities.zone)
        whole = f"{start:%H:%M}-{end:%H:%M}" == "00:00-00:00"
        found.append(f"{start:%a}" if whole else f"{start:%a %H:%M}-{end:%H:%M}")
    return found


def check(number: int, expected: dict[str, Any], went: list[Said], chat: Chat) -> None:
    view = went[number].view
    assert view.understanding is not None
    entities = Entities.of(view.understanding)
    assert view.understanding.intent == expected["intent"]
    assert view.understanding.language == expected.get("language", "en")
    if "when" in expected:
        assert hours(entities) == expected["when"]
    if "rooms" in expected:
        assert entities.rooms == expected["rooms"]
    if "kind" in expected:
        assert entities.kind == expected["kind"]
    if "names" in expected:
        assert entities.names == expected["names"]
    if "who" in expected:
        assert entities.who is expected["who"]
    if expected.get("topic") == "":
        assert entities.topic == ""
    assert expected.get("topic", "").casefold() in entities.topic.casefold()
    check_shown(number, expected, went, chat)


def check_shown(number: int, expected: dict[str, Any], went: list[Said], chat: Chat) -> None:
    view = went[number].view
    entities = Entities.of(view.understanding)
    shown = chat.assistant.sources_used(view)
    if "first" in expected:
        assert shown[0].title.startswith(expected["first"])
    if "of_list" in expected:
        # `of_turn` 1 is the answer to the first question; without it the list is in the answer before.
        place = expected["of_list"]
        thing = went[expected.get("of_turn", number) - 1].things[place - 1 if place > 0 else place]
        assert entities.topic == thing.title
        assert shown[0].title == thing.title
    if expected.get("gives_it"):
        (session,) = went[number - 1].things[:1]
        assert shown[0].title in session.people
    outcomes = [outcome for outcome in view.outcomes if not outcome.call.relaxed]
    for row in (row for outcome in outcomes for row in outcome.results if row["type"] == "sessions"):
        start = datetime.fromisoformat(row["start_time"])
        assert not entities.times or any(s.start <= start < s.end for s in entities.times if s.start and s.end)
        assert not entities.rooms or row["room"] in entities.rooms


@pytest.mark.parametrize("conversation", TABLE, ids=ids)
async def test_a_conversation_is_followed(chat: Chat, conversation: dict[str, Any]) -> None:
    """Each further turn means what it means after those before it, and finds it."""
    went = await held(chat, conversation["turns"])
    for number, turn in enumerate(conversation["turns"]):
        if isinstance(turn, dict):
            check(number, turn, went, chat)


async def test_there_are_at_least_forty() -> None:
    """Of two and three turns."""
    assert len(TABLE) >= 40
    assert {len(conversation["turns"]) for conversation in TABLE} == {2, 3}

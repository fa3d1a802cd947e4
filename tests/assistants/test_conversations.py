"""Conversations of two and three turns, without a model: what each further turn is understood as and finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from assistants.conference.entities import Entities
from assistants.conference.found import best, found, given_up
from assistants.conference.intents import Intent
from assistants.conference.mentioned import Mentioned, mentioned_in
from assistants.conference.reference import leans_on_conversation
from services.llm.calls import ChatMessage

if TYPE_CHECKING:
    from assistants.interface import TurnView
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = Path(__file__).with_name("conversations.yaml").read_text(encoding="utf-8")
TABLE: list[dict[str, Any]] = yaml.safe_load(TEXT)


class Expected(BaseModel):
    """One further turn as the table has it; what its keys mean is told at its top."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ask: str
    intent: str
    language: str = "en"
    when: list[str] | None = None
    rooms: list[str] | None = None
    kind: str | None = None
    names: list[str] | None = None
    who: bool | None = None
    topic: str | None = None
    without: list[str] = []
    first: str | None = None
    shown: list[str] | None = None
    only_speaker: str | None = None
    from_company: str | None = None
    of_list: int | list[int] | None = None
    of_turn: int | None = None
    gives_it: bool = False
    relaxed: bool = False


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


def check(turn: Expected, number: int, went: list[Said], chat: Chat) -> None:
    view = went[number].view
    assert view.understanding is not None
    entities = Entities.of(view.understanding)
    understood = {
        "intent": view.understanding.intent,
        "language": view.understanding.language,
        "when": hours(entities),
        "rooms": entities.rooms,
        "kind": entities.kind,
        "names": entities.names,
        "who": entities.who,
    }
    said = turn.model_dump(include=set(understood), exclude_unset=True) | {"language": turn.language}
    assert {key: understood[key] for key in said} == said
    if turn.topic == "":
        assert entities.topic == ""
    assert (turn.topic or "").casefold() in entities.topic.casefold()
    check_found(turn, view)
    check_shown(turn, number, went, chat)


def check_found(turn: Expected, view: TurnView) -> None:
    """Something was found, by the search that was asked for or only by another, as it is expected."""
    entities = Entities.of(view.understanding)
    if turn.intent == Intent.CLARIFICATION:
        assert view.outcomes == ()
        return
    assert found(view), "nothing was found"
    if turn.intent != Intent.SESSION_SEARCH:
        return
    assert bool(given_up(view)) is turn.relaxed
    for row in found(view):
        if row["type"] != "sessions" or turn.relaxed:
            continue
        start = datetime.fromisoformat(row["start_time"])
        assert not entities.times or any(s.start <= start < s.end for s in entities.times if s.start and s.end)
        assert not entities.rooms or row["room"] in entities.rooms


def check_shown(turn: Expected, number: int, went: list[Said], chat: Chat) -> None:
    view = went[number].view
    rows = best(view)
    titles = [source.title for source in chat.assistant.sources_used(view)]
    if turn.first is not None:
        assert titles[0].startswith(turn.first)
    if turn.shown is not None:
        assert len(rows) == len(turn.shown)
        assert all(any(row["title"].startswith(begin) for row in rows) for begin in turn.shown)
    if turn.only_speaker is not None:
        assert {tuple(row["speakers"]) for row in rows} == {(turn.only_speaker,)}
    if turn.from_company is not None:
        assert {row["company"] for row in rows} == {turn.from_company}
    if turn.of_list is not None:
        places = turn.of_list if isinstance(turn.of_list, list) else [turn.of_list]
        things = went[(turn.of_turn or number) - 1].things
        meant = [things[place - 1 if place > 0 else place].title for place in places]
        assert Entities.of(view.understanding).names == meant
        assert {row["title"] for row in rows} == set(meant)
    if turn.gives_it:
        (session,) = went[number - 1].things[:1]
        assert titles[0] in session.people
    for word in turn.without:
        assert word.casefold() not in Entities.of(view.understanding).topic.casefold()
        assert not any(word.casefold() in row["title"].casefold() for row in rows)


@pytest.mark.parametrize("conversation", TABLE, ids=ids)
async def test_a_conversation_is_followed(chat: Chat, conversation: dict[str, Any]) -> None:
    """Each further turn means what it means after those before it, and finds it."""
    went = await held(chat, conversation["turns"])
    for number, turn in enumerate(conversation["turns"]):
        if isinstance(turn, dict):
            check(Expected.model_validate(turn), number, went, chat)


async def test_there_are_at_least_forty() -> None:
    """Of two and three turns."""
    assert len(TABLE) >= 40
    assert {len(conversation["turns"]) for conversation in TABLE} == {2, 3}


async def test_every_key_that_the_table_promises_is_checked() -> None:
    """The words in backticks at its top are the keys that are read, no more and no fewer."""
    top = "".join(line for line in TEXT.splitlines(keepends=True) if line.startswith("#"))
    promised = {match.split(":")[0] for match in re.findall(r"`([a-z_]+(?:: true)?)`", top)}
    assert promised == set(Expected.model_fields)


@pytest.mark.parametrize(
    ("question", "leans"),
    [
        ("an hour later?", True),
        ("what comes after that?", True),
        ("what about earlier?", True),
        ("something for beginners", True),
        ("not on Friday", True),
        ("where can I find the last two?", True),
        ("What is on an hour before lunch?", False),
        ("I arrive on Thursday at 10, what talks are on after that?", False),
        ("something about Rust", False),
        ("No parking?", False),
    ],
)
async def test_what_a_question_leans_on_is_told_by_its_own_words(question: str, *, leans: bool) -> None:
    """What says enough by itself is not mixed with what was asked before."""
    history = [ChatMessage("user", "Which talks are about testing?"), ChatMessage("assistant", "Many.")]
    assert leans_on_conversation(question, history) is leans

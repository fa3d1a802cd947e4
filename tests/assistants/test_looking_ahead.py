"""Retrieval for the raw question runs while the model understands: on the sample conference, with a slow model."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast

import pytest

from services.llm.calls import AnswerEnd, Parsed, Prompt, Usage
from services.llm.chain import LanguageModel
from tests.assistants.sample_chat import CONFERENCE, WEDNESDAY
from worker.services import StepServices
from worker.speculation import Speculation
from worker.steps.execute import execute
from worker.steps.plan import plan
from worker.steps.understand import understand
from worker.turn import Said, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from search.index import SearchIndex
    from search.query import SearchQuery, SearchResult
    from services.llm.calls import SchemaT
    from tests.assistants.sample_chat import Chat
    from worker.answer_stream import AnswerStream

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNSURE = "Kraken and the four?"
"""The router does not know what to make of it."""


@dataclass
class CountingIndex:
    """The real index; remembers what it was asked."""

    index: SearchIndex
    asked: list[str] = field(default_factory=list)
    searched: asyncio.Event = field(default_factory=asyncio.Event)

    async def search(self, query: SearchQuery) -> SearchResult:
        self.asked.append(f"{query.entity_type}: {query.text}")
        result = await self.index.search(query)
        self.searched.set()
        return result

    async def counts(self, conference_id: str) -> Any:  # noqa: ANN401 - as the index
        return await self.index.counts(conference_id)


@dataclass
class SlowProvider:
    """A model that has understood only when the index has searched: in sequence that would be never."""

    says: dict[str, Any]
    waits_for: asyncio.Event
    name: str = "slow"
    asked: int = 0

    async def parse(self, _prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        self.asked += 1
        await self.waits_for.wait()
        return Parsed(schema.model_validate(self.says), self.name, "m", Usage(10, 5, 0, 0.001))

    async def stream(self, _prompt: Prompt) -> AsyncIterator[AnswerEnd]:
        yield AnswerEnd(self.name, "m")

    async def aclose(self) -> None:
        """Nothing is open."""


def said(intent: str, query: str, search_type: str = "vague") -> dict[str, Any]:
    return {
        "intent": intent,
        "search_type": search_type,
        "topics": [],
        "names": [],
        "time": None,
        "location": None,
        "language": "en",
        "standalone_query": query,
    }


async def taken(
    chat: Chat, question: str, says: dict[str, Any], history: list[Said] | None = None
) -> tuple[Turn, CountingIndex, SlowProvider]:
    """The first three steps of a turn."""
    index = CountingIndex(chat.toolbox.index)
    provider = SlowProvider(says, index.searched)
    services = StepServices(
        chat.toolbox.settings,
        LanguageModel([provider]),
        replace(chat.toolbox, index=cast("SearchIndex", index)),
        chat.assistant,
        cast("AnswerStream", None),
        Speculation(),
    )
    turn = Turn(
        message_id="m", answer_id="a", conversation_id="c", assistant="conference", scope_id=CONFERENCE, trace_id="t",
        question=question, history=history or [], now=WEDNESDAY.astimezone(UTC), asked_at=0, queued_at=0, started_at=0,
    )  # fmt: skip
    async with asyncio.timeout(10):
        for step in (understand, plan, execute):
            await step(turn, services)
        await services.speculation.end()
    return turn, index, provider


async def test_a_confirmed_question_is_searched_once_and_meanwhile(chat: Chat) -> None:
    """Whatever the model says of specific or vague: the index chooses its way itself."""
    guess = await chat.assistant.guess((await chat.ask(UNSURE)), chat.toolbox)
    assert not guess.sure
    intent = guess.understanding.intent
    for search_type in ("vague", "specific"):
        turn, index, provider = await taken(chat, UNSURE, said(intent, UNSURE, search_type))
        assert provider.asked == 1
        assert len(index.asked) == len(set(index.asked)) == len(turn.planned)
        assert turn.understanding is not None
        assert turn.understanding.decided_by == "model"
        assert "saved" in turn.timings_ms
        assert [outcome.call for outcome in turn.outcomes] == turn.planned


async def test_another_understanding_is_searched_anew(chat: Chat) -> None:
    """The guess's results are in no outcome."""
    turn, index, _ = await taken(chat, UNSURE, said("speaker_search", "Who speaks about numpy?"))
    assert "speakers: Who speaks about numpy?" in index.asked
    assert [outcome.call.tool for outcome in turn.outcomes] == ["search_speakers"]
    assert "saved" not in turn.timings_ms


async def test_a_follow_up_is_searched_as_the_conversation_tells(chat: Chat) -> None:
    """The model makes "and on Friday?" whole; code had made it whole the same way."""
    history = [Said(role="user", text="Which talks are about testing?"), Said(role="assistant", text="Many.")]
    whole = said("session_search", "Which talks are about testing on Friday?", "specific")
    turn, index, provider = await taken(chat, "and on Friday?", whole, history)
    assert provider.asked == 1
    assert index.asked == ["sessions: Which talks are about testing?"]
    assert "saved" in turn.timings_ms
    assert all(row["start_time"].startswith("2024-07-12") for row in turn.outcomes[0].results)


async def test_a_sure_question_asks_no_model_and_looks_nothing_up_ahead(chat: Chat) -> None:
    """The router is faster than any look ahead."""
    turn, index, provider = await taken(chat, "Which talks are about testing?", said("session_search", "x"))
    assert provider.asked == 0
    assert index.asked == ["sessions: Which talks are about testing?"]
    assert "saved" not in turn.timings_ms

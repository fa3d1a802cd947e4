"""Understanding: by rule, by the router, by the model when the router is unsure, and from the conversation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from assistants.conference.entities import Entities
from assistants.interface import Outcome, TurnView, Understood
from services.errors import ProviderBusyError, ServiceUnavailableError
from services.llm.calls import AnswerEnd, ChatMessage, Parsed, Prompt, TextDelta, Usage
from services.llm.chain import LanguageModel
from tests.assistants.sample_chat import CONFERENCE, WEDNESDAY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from services.llm.calls import SchemaT
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class ScriptedProvider:
    """A model that understands as told, or fails, and remembers what it was asked."""

    says: dict[str, Any] = field(default_factory=dict)
    fails: bool = False
    asked: list[Prompt] = field(default_factory=list)
    name: str = "scripted"

    async def parse(self, prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        self.asked.append(prompt)
        if self.fails:
            failed = ProviderBusyError(self.name, "overloaded", retry_after_s=60)
            failed.usage = Usage(7, 2, 0, 0.0005)
            raise failed
        return Parsed(schema.model_validate(SAID | self.says), self.name, "m", Usage(10, 5, 0, 0.001))

    async def stream(self, _prompt: Prompt) -> AsyncIterator[TextDelta | AnswerEnd]:
        yield AnswerEnd(self.name, "m")

    async def aclose(self) -> None:
        """Nothing is open."""


SAID: dict[str, Any] = {
    "intent": "session_search",
    "search_type": "specific",
    "topics": ["testing"],
    "names": [],
    "time": None,
    "location": None,
    "language": "en",
    "standalone_query": "Which talks are about testing on Friday?",
}


async def understood(chat: Chat, question: str, *history: str, provider: ScriptedProvider | None = None) -> Understood:
    """``history`` alternates, the visitor first."""
    said = tuple(ChatMessage("assistant" if index % 2 else "user", text) for index, text in enumerate(history))
    view = TurnView(question=question, scope_id=CONFERENCE, now=WEDNESDAY, history=said)
    model = LanguageModel([provider]) if provider else chat.model
    return await chat.assistant.understand(view, model, chat.toolbox)


def hours(understanding: Understood) -> list[str]:
    spans = Entities.of(understanding.understanding).times
    zone = Entities.of(understanding.understanding).zone
    return [f"{span.start.astimezone(zone):%a %H:%M}" for span in spans if span.start]


@pytest.mark.parametrize("question", ["", "   ", "🙂🎉", "?!", "\x00\x07\u200b", "…"])
async def test_nothing_asked_is_asked_back_by_rule(chat: Chat, question: str) -> None:
    """No model, no search: a fixed answer."""
    provider = ScriptedProvider()
    understanding = (await understood(chat, question, provider=provider)).understanding
    assert (understanding.intent, understanding.decided_by) == ("clarification", "rule")
    assert provider.asked == []


async def test_a_sure_question_is_decided_without_the_model(chat: Chat) -> None:
    """The router decides; nothing is paid."""
    provider = ScriptedProvider()
    result = await understood(chat, "Which talks are about testing?", provider=provider)
    assert result.understanding.decided_by == "router"
    assert result.usage == Usage()
    assert provider.asked == []


async def test_an_unsure_question_is_put_to_the_model(chat: Chat) -> None:
    """With the conversation, and the usage is counted."""
    provider = ScriptedProvider()
    result = await understood(chat, "Kraken and the four?", provider=provider)
    assert result.understanding.decided_by == "model"
    assert result.usage.input_tokens == 10
    assert provider.asked[0].messages == (ChatMessage("user", "Kraken and the four?"),)


async def test_a_question_that_leans_on_the_conversation_goes_to_the_model(chat: Chat) -> None:
    """However sure the router is of its words; the model's whole question gives time and topic."""
    provider = ScriptedProvider()
    result = await understood(chat, "and on Friday?", "Which talks are about testing?", "Many.", provider=provider)
    assert result.understanding.decided_by == "model"
    assert result.understanding.query == "Which talks are about testing on Friday?"
    assert hours(result) == ["Fri 00:00"]
    assert Entities.of(result.understanding).topic == "Which talks are about testing?"
    assert [message.text for message in provider.asked[0].messages][-1] == "and on Friday?"


async def test_the_models_words_for_time_and_place_are_read_by_code(chat: Chat) -> None:
    """Where the whole question does not hold them."""
    provider = ScriptedProvider({"standalone_query": "Kraken", "time": "Friday after lunch", "location": "forum hall"})
    result = await understood(chat, "Kraken and the four?", provider=provider)
    assert hours(result) == ["Fri 14:00"]
    assert Entities.of(result.understanding).rooms == ["Forum Hall"]


async def test_a_failing_model_leaves_the_routers_best_guess(chat: Chat) -> None:
    """Never an exception, never asking back what could be looked up."""
    result = await understood(chat, "Kraken and the four?", provider=ScriptedProvider(fails=True))
    assert result.understanding.decided_by == "router"
    assert result.understanding.intent != "clarification"
    assert result.usage == Usage(7, 2, 0, 0.0005), "what the failed call cost is counted"


async def test_a_model_cannot_choose_what_is_not_there(chat: Chat) -> None:
    """An endless query is cut, endless lists too, an unknown language is not taken over."""
    provider = ScriptedProvider({"standalone_query": "a " * 5000, "topics": ["t" * 500] * 50, "language": "xx"})
    understanding = (await understood(chat, "Kraken and the four?", provider=provider)).understanding
    assert len(understanding.query) <= 500
    assert len(understanding.entities["topics"]) <= 10
    assert understanding.language == "en"


@dataclass(frozen=True)
class FollowUp:
    before: str
    question: str
    topic: str
    when: str
    rooms: tuple[str, ...] = ()


TESTING, RUST = "Which talks are about testing?", "Is there a talk about Rust?"


@pytest.mark.parametrize(
    "case",
    [
        FollowUp(TESTING, "and on Friday?", TESTING, "Fri 00:00"),
        FollowUp("Which talks are about testing on Friday?", "and on Thursday?", TESTING, "Thu 00:00"),
        FollowUp("What is on in Forum Hall on Friday?", "who speaks there?", "", "Fri 00:00", ("Forum Hall",)),
        FollowUp("What is on in Forum Hall on Friday?", "and in North Hall?", "", "Fri 00:00", ("North Hall",)),
        FollowUp(RUST, "what about tomorrow afternoon?", RUST, "Thu 12:00"),
        FollowUp("Gibt es Vorträge über Django?", "Und am Freitag?", "Django", "Fri 00:00"),
        FollowUp("Quelles conférences parlent de Django ?", "et vendredi ?", "Django", "Fri 00:00"),
        FollowUp("¿Qué charlas hay sobre Django?", "¿y el viernes?", "Django", "Fri 00:00"),
    ],
    ids=lambda case: case.question,
)
async def test_follow_ups_go_on_without_a_model(chat: Chat, case: FollowUp) -> None:
    """The earlier topic with the new time or place."""
    result = await understood(chat, case.question, case.before, "An answer.")
    entities = Entities.of(result.understanding)
    assert result.understanding.intent == "session_search"
    assert entities.topic == case.topic
    assert hours(result) == [case.when]
    assert tuple(entities.rooms) == case.rooms


async def test_a_chain_of_follow_ups_adds_up(chat: Chat) -> None:
    """Topic from the first, day from the second, hall from the third."""
    result = await understood(
        chat, "and in Forum Hall?", "Which talks are about testing?", "A.", "and on Friday?", "B."
    )
    entities = Entities.of(result.understanding)
    assert entities.topic == "Which talks are about testing?"
    assert hours(result) == ["Fri 00:00"]
    assert entities.rooms == ["Forum Hall"]


@pytest.mark.parametrize(
    ("question", "title"),
    [("the second one", "Pytest Design Patterns"), ("Tell me more about the first one", "Mutation Testing"),
     ("When is the last one?", "Adventures in not writing tests")],
)  # fmt: skip
async def test_one_of_a_list_is_meant(chat: Chat, question: str, title: str) -> None:
    """Counted in the last answer's list."""
    answer = (
        "These fit:\n\n- **Mutation Testing** · x\n- **Pytest Design Patterns** · y\n"
        "- **Adventures in not writing tests**"
    )
    result = await understood(chat, question, "Which talks are about testing?", answer)
    assert Entities.of(result.understanding).topic == title


async def test_a_new_question_does_not_lean(chat: Chat) -> None:
    """Words like "Is there a talk" point at nothing, whatever was said before."""
    result = await understood(chat, "Is there a talk about Rust?", "What is on on Friday in Forum Hall?", "Much.")
    entities = Entities.of(result.understanding)
    assert entities.topic == "Is there a talk about Rust?"
    assert entities.times == []
    assert entities.rooms == []


class AwayEmbedder:
    family = "local"
    identity = "away"
    dimensions = 1

    async def embed(self, _texts: Sequence[str]) -> list[list[float]]:
        raise ServiceUnavailableError("embeddings", "away")

    async def aclose(self) -> None:
        """Nothing is open."""


async def test_without_an_embedder_something_is_still_understood(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times and rooms are read; the programme is searched."""
    router = chat.assistant._understander._router  # type: ignore[union-attr]  # started by the fixture
    monkeypatch.setattr(router, "_embedder", AwayEmbedder())
    result = await understood(chat, "What is on on Friday in Forum Hall?")
    assert result.understanding.intent == "session_search"
    assert hours(result) == ["Fri 00:00"]


async def test_without_directus_a_question_is_still_understood(chat: Chat) -> None:
    """No rooms and UTC, but an intent and a topic; the turn goes on."""
    await chat.toolbox.redis.flushall()
    chat.standin.away = True
    try:
        view = TurnView(question="Which talks are about testing?", scope_id=CONFERENCE, now=WEDNESDAY)
        directus = chat.toolbox.directus
        result = await chat.assistant.understand(view, chat.model, replace(chat.toolbox, directus=directus))
    finally:
        chat.standin.away = False
    assert result.understanding.intent == "session_search"


async def test_a_conversation_without_a_conference_is_asked_for_one(chat: Chat) -> None:
    """A fixed answer; nothing is searched, nothing fails."""
    view = await chat.ask("Which talks are about testing?", scope_id=None)
    answer = chat.assistant.fixed_answer(view)
    assert answer is not None
    assert answer.startswith("Which conference")
    assert view.outcomes == ()
    assert chat.assistant.outcome(view) is Outcome.CLARIFICATION


async def test_an_endless_question_is_answered_by_its_beginning(chat: Chat) -> None:
    """100,000 characters are cut, not refused and not sent on."""
    view = await chat.ask("Which talks are about testing? " + "blah " * 20_000)
    assert view.understanding is not None
    assert len(view.understanding.query) <= 2000
    assert len(chat.assistant.prompt(view).messages[-1].text) <= 2000


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("What is on the first day after lunch?", "session_search"),
        ("What's on the last day before lunch?", "session_search"),
        ("When does the conference begin on Monday?", "general_info"),
    ],
)
async def test_a_time_alone_asks_for_the_programme(chat: Chat, question: str, intent: str) -> None:
    """Whatever the router took it for; but what is asked of the conference itself stays so."""
    understanding = (await understood(chat, question)).understanding
    assert understanding.intent == intent
    assert Entities.of(understanding).times

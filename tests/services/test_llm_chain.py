"""The providers as one language model: retries, the next one, offline, and one coherent answer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
import tenacity
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from services.errors import (
    ProviderBrokenStreamError,
    ProviderBusyError,
    ProviderError,
    ProviderRefusedError,
    ProviderRejectedError,
)
from services.llm.calls import AnswerEnd, ChatMessage, Parsed, Prompt, StreamEvent, Switch, TextDelta, Usage
from services.llm.chain import LanguageModel, make_language_model
from services.llm.offline import OfflineProvider
from services.settings import Settings
from standins.models import Fault, FaultKind, ModelStandIn, Script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from services.llm.calls import SchemaT

PROMPT = Prompt("You help.", (ChatMessage("user", "Which talks are on testing?"),))

OFFLINE_TEXT = "I found these:\n- Testing at scale"

BUSY = Fault(FaultKind.STATUS, status=529)


class Wish(BaseModel):
    """What a structured call asks for here."""

    intent: str


class Played:
    """A provider that plays one piece for each call: texts, then an error or a proper end."""

    def __init__(self, name: str, *pieces: tuple[Sequence[str], ProviderError | None]) -> None:
        self.name = name
        self.pieces = list(pieces)
        self.prompts: list[Prompt] = []

    async def parse(self, prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        self.prompts.append(prompt)
        texts, error = self._next()
        if error is not None:
            raise error
        return Parsed(schema.model_validate({"intent": texts[0]}), self.name, "m", Usage(1, 1, 0, 0.25))

    async def stream(self, prompt: Prompt) -> AsyncIterator[TextDelta | AnswerEnd]:
        self.prompts.append(prompt)
        texts, error = self._next()
        for text in texts:
            yield TextDelta(text)
        if error is not None:
            raise error
        yield AnswerEnd(self.name, "m", Usage(10, 10, 0, 0.5))

    def _next(self) -> tuple[Sequence[str], ProviderError | None]:
        return self.pieces.pop(0) if len(self.pieces) > 1 else self.pieces[0]

    async def aclose(self) -> None:
        """Nothing is open."""


def busy(name: str, *, retry_after_s: float | None = None) -> ProviderBusyError:
    return ProviderBusyError(name, "busy", retry_after_s=retry_after_s)


def broken(name: str, usage: Usage | None = None) -> ProviderBrokenStreamError:
    error = ProviderBrokenStreamError(name, "broken")
    error.usage = usage
    return error


def model_of(*providers: Any, **options: Any) -> LanguageModel:  # noqa: ANN401 - providers of every kind
    return LanguageModel(providers, **{"backoff": tenacity.wait_none()} | options)


async def events_of(model: LanguageModel, prompt: Prompt = PROMPT) -> list[StreamEvent]:
    async with asyncio.timeout(20):
        return [event async for event in model.stream(prompt, offline=lambda: OFFLINE_TEXT)]


def text_of(events: Sequence[StreamEvent]) -> str:
    """The answer as its consumer has it at the end."""
    text = ""
    for event in events:
        if isinstance(event, Switch):
            text = event.kept
        elif isinstance(event, TextDelta):
            text += event.text
    return text


def end_of(events: Sequence[StreamEvent]) -> AnswerEnd:
    ends = [event for event in events if isinstance(event, AnswerEnd)]
    assert len(ends) == 1
    assert events[-1] is ends[0]
    return ends[0]


@pytest.fixture
async def claude() -> AsyncIterator[ModelStandIn]:
    async with ModelStandIn() as running:
        yield running


@pytest.fixture
async def gpt() -> AsyncIterator[ModelStandIn]:
    async with ModelStandIn(Script(text="From the second. It is complete.")) as running:
        yield running


def settings_for(claude: ModelStandIn, gpt: ModelStandIn, **changes: Any) -> Settings:  # noqa: ANN401 - any setting
    values: dict[str, Any] = {
        "directus_api_key": "d" * 20,
        "directus_webhook_secret": "w" * 20,
        "anthropic_api_key": "a",
        "anthropic_base_url": claude.anthropic_url,
        "openai_api_key": "o",
        "openai_base_url": gpt.openai_url,
        "llm_timeout_s": 0.4,
    }
    return Settings(**values | changes)


# Over HTTP, with the real SDKs


async def test_a_passing_fault_is_healed_by_a_second_try(claude: ModelStandIn, gpt: ModelStandIn) -> None:
    claude.reply_with(Script(fault=BUSY), Script(text="Two talks."))
    model = make_language_model(settings_for(claude, gpt))
    events = await events_of(model)
    assert (text_of(events), end_of(events).provider) == ("Two talks.", "anthropic")
    assert (len(claude.requests), len(gpt.requests)) == (2, 0)
    await model.aclose()


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (BUSY, 2),
        (Fault(FaultKind.STATUS, status=429, retry_after=0.01), 2),
        (Fault(FaultKind.STATUS, status=429, retry_after=60), 1),
        (Fault(FaultKind.STATUS, status=401, error_type="authentication_error"), 1),
        (Fault(FaultKind.STATUS, status=400, error_type="invalid_request_error"), 1),
        (Fault(FaultKind.TIMEOUT), 2),
        (Fault(FaultKind.ERROR_EVENT), 2),
        (Fault(FaultKind.DROP), 2),
        (Fault(FaultKind.SILENT_END), 2),
    ],
)
async def test_before_the_first_token_the_next_provider_answers_as_if_nothing_had_been(
    claude: ModelStandIn, gpt: ModelStandIn, fault: Fault, tries: int
) -> None:
    """Tried again where that can help, and a long wait that the provider asks for is not waited."""
    claude.reply_with(Script(fault=fault))
    model = make_language_model(settings_for(claude, gpt))
    events = await events_of(model)
    assert text_of(events) == "From the second. It is complete."
    assert not any(isinstance(event, Switch) for event in events)
    end = end_of(events)
    assert (end.provider, end.degraded) == ("openai", False)
    assert len(claude.requests) == tries
    await model.aclose()


@pytest.mark.parametrize(
    "kind", [FaultKind.ERROR_EVENT, FaultKind.DROP, FaultKind.STALL, FaultKind.SILENT_END, FaultKind.GARBAGE]
)
async def test_after_the_first_token_the_next_provider_goes_on_behind_what_is_whole(
    claude: ModelStandIn, gpt: ModelStandIn, kind: FaultKind
) -> None:
    """No half sentence stays, the second is told what stands, and both calls are paid."""
    claude.reply_with(
        Script(text="There are two talks. The first is at ten in Hall A.", fault=Fault(kind, 7), input_tokens=1000)
    )
    gpt.reply_with(Script(text="Both are in Hall A.", input_tokens=500))
    model = make_language_model(settings_for(claude, gpt))
    events = await events_of(model)
    assert text_of(events) == "There are two talks. Both are in Hall A."
    switches = [event for event in events if isinstance(event, Switch)]
    assert [(s.kept, s.from_provider, s.to_provider) for s in switches] == [
        ("There are two talks.", "anthropic", "openai")
    ]
    assert "There are two talks." in gpt.requests[0].last_user_text
    end = end_of(events)
    assert (end.provider, end.degraded, end.usage.input_tokens) == ("openai", False, 1500)
    assert end.usage.cost_usd > 1000 * 2e-6
    await model.aclose()


async def test_the_only_provider_gets_a_second_chance_and_then_offline_completes(
    claude: ModelStandIn, gpt: ModelStandIn
) -> None:
    """What was whole stays, and the offline text comes in a paragraph of its own."""
    claude.reply_with(
        Script(text="There are two talks. The fir", fault=Fault(FaultKind.DROP, 5)),
        Script(text="One is at ten. The sec", fault=Fault(FaultKind.DROP, 5)),
    )
    model = make_language_model(settings_for(claude, gpt, llm_providers="anthropic,offline"))
    events = await events_of(model)
    assert text_of(events) == f"There are two talks. One is at ten.\n\n{OFFLINE_TEXT}"
    assert len(claude.requests) == 2
    end = end_of(events)
    assert (end.provider, end.degraded) == ("offline", True)
    await model.aclose()


async def test_with_every_provider_dead_the_answer_is_offline(claude: ModelStandIn, gpt: ModelStandIn) -> None:
    claude.reply_with(Script(fault=BUSY))
    gpt.reply_with(Script(fault=Fault(FaultKind.STATUS, status=500)))
    model = make_language_model(settings_for(claude, gpt))
    events = await events_of(model)
    assert text_of(events) == OFFLINE_TEXT
    assert end_of(events).degraded
    await model.aclose()


async def test_closing_the_answer_ends_the_providers_stream_at_once(claude: ModelStandIn, gpt: ModelStandIn) -> None:
    claude.reply_with(Script(tokens=2000, tokens_per_second=50))
    model = make_language_model(settings_for(claude, gpt))
    async with contextlib.aclosing(model.stream(PROMPT, offline=str)) as events:
        async for _ in events:
            break
    await asyncio.wait_for(claude.requests[0].ended.wait(), timeout=1.0)
    assert claude.requests[0].hung_up
    assert not gpt.requests, "a stop is no failure: no one else is asked"
    await model.aclose()


async def test_understanding_falls_over_to_the_next_provider(claude: ModelStandIn, gpt: ModelStandIn) -> None:
    claude.reply_with(Script(parsed="{"))
    gpt.reply_with(Script(parsed={"intent": "search"}))
    model = make_language_model(settings_for(claude, gpt))
    parsed = await model.parse(PROMPT, Wish)
    assert (parsed.value.intent, parsed.provider) == ("search", "openai")
    assert len(claude.requests) == 2
    assert parsed.usage.input_tokens > 100, "the spoilt replies were paid too"
    await model.aclose()


# With played providers


async def test_a_wait_that_the_provider_asks_for_is_waited() -> None:
    model = model_of(Played("a", ((), busy("a", retry_after_s=0.2)), (("Yes.",), None)))
    begun = time.monotonic()
    assert text_of(await events_of(model)) == "Yes."
    assert time.monotonic() - begun >= 0.2


async def test_a_refused_text_is_withdrawn_and_not_gone_on_with() -> None:
    """What a classifier stopped is no beginning for another model; the answer starts anew."""
    first = Played("a", (("Sure. First you take",), ProviderRefusedError("a", "declined")))
    second = Played("b", (("I can't help with that.",), None))
    events = await events_of(model_of(first, second))
    assert text_of(events) == "I can't help with that."
    assert [event.kept for event in events if isinstance(event, Switch)] == [""]
    assert second.prompts[0].partial == ""


async def test_nothing_disappears_before_there_is_something_to_follow() -> None:
    """The switch comes with the next provider's first new text, not when the first broke or the next repeats."""
    said: list[str] = []

    class Speaking(Played):
        async def stream(self, prompt: Prompt) -> AsyncIterator[TextDelta | AnswerEnd]:
            async for event in super().stream(prompt):
                said.append(event.text if isinstance(event, TextDelta) else "")
                yield event

    first = Played("a", (("One is it. Tw",), broken("a")))
    second = Speaking("b", ((), busy("b")), (("One ", "is it. ", "Two is next."), None))
    heard: list[StreamEvent] = []
    async for event in model_of(first, second).stream(PROMPT, offline=str):
        heard.append(event)
        if isinstance(event, Switch):
            assert "Two is next." in said
    assert text_of(heard) == "One is it. Two is next."


async def test_an_answer_that_the_second_provider_begins_anew_is_not_shown_twice() -> None:
    first = Played("a", (("Two talks fit well. ", "The first is at ten. ", "The sec"), broken("a")))
    second = Played("b", (("Two talks fit ", "well. The first is ", "at ten. The second ", "at noon."), None))
    events = await events_of(model_of(first, second))
    assert text_of(events) == "Two talks fit well. The first is at ten. The second at noon."


async def test_the_usage_of_all_calls_is_summed() -> None:
    first = Played("a", (("One. Tw",), broken("a", Usage(100, 5, 50, 1.0))))
    events = await events_of(model_of(first, Played("b", (("Two.",), None))))
    assert end_of(events).usage == Usage(110, 15, 50, 1.5)


async def test_a_beginning_from_an_earlier_run_is_gone_on_with() -> None:
    """A turn that was handed over brings what it had shown; only what follows is streamed."""
    provider = Played("a", ((" Two.",), None))
    events = await events_of(model_of(provider), Prompt("S", PROMPT.messages, partial="One."))
    assert [event.text for event in events if isinstance(event, TextDelta)] == [" Two."]
    assert provider.prompts[0].partial == "One."


async def test_offline_listed_first_asks_no_model() -> None:
    provider = Played("a", (("Never.",), None))
    events = await events_of(model_of(OfflineProvider(), provider))
    assert text_of(events) == OFFLINE_TEXT
    assert not provider.prompts


async def test_without_offline_in_the_list_the_last_failure_is_raised() -> None:
    model = model_of(Played("a", ((), busy("a"))))
    with pytest.raises(ProviderBusyError):
        await events_of(model)


async def test_understanding_without_any_model_says_so() -> None:
    model = LanguageModel([])
    assert not model.has_model
    assert model.provider_names == ("offline",)
    with pytest.raises(ProviderRejectedError):
        await model.parse(PROMPT, Wish)
    assert text_of(await events_of(model)) == OFFLINE_TEXT


async def test_failed_understanding_raises_the_last_failure_with_all_it_cost() -> None:
    first, second = busy("a"), ProviderRejectedError("b", "no")
    first.usage = Usage(10, 0, 0, 1.0)
    model = model_of(Played("a", ((), first)), Played("b", ((), second)), OfflineProvider())
    with pytest.raises(ProviderRejectedError) as caught:
        await model.parse(PROMPT, Wish)
    assert caught.value.usage == Usage(20, 0, 0, 2.0)


class Notes:
    """A gate that writes down what it is told and closes one provider."""

    def __init__(self, closed: str = "") -> None:
        self.closed = closed
        self.told: list[tuple[str, str]] = []

    async def allows(self, provider: str) -> bool:
        return provider != self.closed

    async def succeeded(self, provider: str, *, began_at: float | None = None) -> None:
        assert began_at is not None
        self.told.append((provider, "succeeded"))

    async def failed(self, provider: str, error: ProviderError, *, began_at: float | None = None) -> None:
        assert began_at is not None
        self.told.append((provider, error.code))


async def test_a_provider_behind_a_closed_gate_is_not_asked() -> None:
    shut, other = Played("a", (("Never.",), None)), Played("b", (("Yes.",), None))
    model = model_of(shut, other, gate=Notes(closed="a"))
    assert text_of(await events_of(model)) == "Yes."
    assert (await model.parse(PROMPT, Wish)).provider == "b"
    assert not shut.prompts


async def test_the_gate_is_told_of_every_attempt() -> None:
    gate = Notes()
    first = Played("a", ((), busy("a")), (("One. Tw",), broken("a")))
    await events_of(model_of(first, Played("b", (("Two.",), None)), gate=gate))
    assert gate.told == [("a", "provider_busy"), ("a", "provider_broken_stream"), ("b", "succeeded")]


@pytest.mark.parametrize(
    ("listed", "anthropic_key", "openai_key", "names"),
    [
        ("anthropic,openai,offline", "k", "k", ("anthropic", "openai", "offline")),
        ("openai,anthropic", "k", "k", ("openai", "anthropic")),
        ("anthropic,openai,offline", None, "k", ("openai", "offline")),
        ("anthropic,openai,offline", None, None, ("offline",)),
        ("anthropic", None, None, ("offline",)),
    ],
)
def test_the_settings_decide_who_is_asked_and_in_which_order(
    listed: str, anthropic_key: str | None, openai_key: str | None, names: tuple[str, ...]
) -> None:
    """A provider without a key is left out; with none left, offline serves."""
    model = make_language_model(
        Settings(
            directus_api_key="d" * 20,
            directus_webhook_secret="w" * 20,
            llm_providers=listed,
            anthropic_api_key=anthropic_key,
            openai_api_key=openai_key,
        )
    )
    assert model.provider_names == names
    assert model.has_model == (names != ("offline",))


ERRORS = st.sampled_from(
    [
        None,
        busy("p"),
        ProviderRejectedError("p", "no"),
        ProviderRefusedError("p", "declined"),
        broken("p", Usage(1, 1, 0, 0.1)),
    ]
)
TEXTS = st.lists(st.sampled_from(["One. ", "Two ", "three.\n", "- item\n", "**bold", "** end. ", "Here"]), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(TEXTS, ERRORS), min_size=1, max_size=3), max_size=3))
async def test_whatever_fails_there_is_one_end_and_one_text(
    plays: list[list[tuple[list[str], ProviderError | None]]],
) -> None:
    """Any faults in any order: no exception, one end, and what is kept at a switch ends whole."""
    providers = [
        # A provider that keeps its word: text before an end, and no text before a failure to begin.
        Played(f"p{at}", *[(texts or ["Hm. "] if error is None else texts, error) for texts, error in pieces])
        for at, pieces in enumerate(plays)
    ]
    events = await events_of(model_of(*providers, OfflineProvider()))
    end = end_of(events)
    text = text_of(events)
    assert text.strip()
    if end.degraded:
        assert text.endswith(OFFLINE_TEXT)
    seen = ""
    for event in events:
        if isinstance(event, Switch):
            assert not event.kept or event.kept.rstrip().endswith((".", "**", "item", "three"))
            seen = event.kept
        elif isinstance(event, TextDelta):
            seen += event.text
    assert seen == text

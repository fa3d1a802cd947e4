"""The OpenAI provider with the real SDK over HTTP: what it asks for, and every way an answer can end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Literal

import openai
import pytest
from pydantic import BaseModel

from services.errors import (
    ConfigurationError,
    ProviderBrokenStreamError,
    ProviderBusyError,
    ProviderError,
    ProviderRefusedError,
    ProviderRejectedError,
)
from services.llm.calls import AnswerEnd, ChatMessage, Prompt, TextDelta
from services.llm.openai import OpenAIProvider
from services.settings import Settings
from standins.models import Fault, FaultKind, ModelStandIn, Script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "sk-proj-very-secret-key"

PROMPT = Prompt("You help.", (ChatMessage("user", "Which talks are on testing?"),), context="Session: Testing.")

_HANGS_AFTER_S = 10.0
"""A failure that is not noticed must fail its test, not hold up all others."""


class Wish(BaseModel):
    """What a structured call asks for here."""

    intent: Literal["search", "other"]
    topics: list[str]


@pytest.fixture
async def standin() -> AsyncIterator[ModelStandIn]:
    async with ModelStandIn() as running:
        yield running


def provider_of(standin: ModelStandIn, **changes: Any) -> OpenAIProvider:  # noqa: ANN401 - any setting
    settings = Settings(
        directus_api_key="d" * 20,
        directus_webhook_secret="w" * 20,
        openai_api_key=KEY,
        openai_base_url=standin.openai_url,
        **{"llm_timeout_s": 5.0} | changes,
    )
    return OpenAIProvider(settings)


def patience_s(fault: Fault | None) -> float:
    """Short only where silence is the fault: a process's first request takes its time, on a busy machine too much."""
    return 0.5 if fault is not None and fault.kind in {FaultKind.STALL, FaultKind.TIMEOUT} else 5.0


async def answer_of(provider: OpenAIProvider) -> tuple[str, AnswerEnd]:
    text = ""
    async for event in provider.stream(PROMPT):
        if isinstance(event, AnswerEnd):
            return text, event
        text += event.text if isinstance(event, TextDelta) else ""
    pytest.fail("the stream ended without an AnswerEnd")


async def failure_of(provider: OpenAIProvider) -> tuple[str, ProviderError]:
    """What was shown, and the error that ended it."""
    text = ""
    try:
        async with asyncio.timeout(_HANGS_AFTER_S):
            async for event in provider.stream(PROMPT):
                text += event.text if isinstance(event, TextDelta) else ""
    except ProviderError as error:
        return text, error
    pytest.fail("the stream did not fail")


async def test_an_answer_streams_whole_with_its_usage_and_price(standin: ModelStandIn) -> None:
    """Cached prompt tokens are part of OpenAI's prompt tokens, and counted apart by us."""
    standin.reply_with(Script(text="Two talks.", input_tokens=1000, cache_read_tokens=500))
    provider = provider_of(standin)
    text, end = await answer_of(provider)
    assert text == "Two talks."
    assert (end.provider, end.model, end.stop_reason) == ("openai", "gpt-4o-mini", "end")
    assert (end.usage.input_tokens, end.usage.cache_read_tokens, end.usage.output_tokens) == (1000, 500, 2)
    assert end.usage.cost_usd == pytest.approx((1000 * 0.15 + 500 * 0.075 + 2 * 0.6) / 1e6)
    await provider.aclose()


async def test_what_is_asked_for(standin: ModelStandIn) -> None:
    """System first, data marked as data in the last user message, the temperature of the settings, usage included."""
    provider = provider_of(standin, openai_temperature=0.2, llm_max_tokens=77)
    await answer_of(provider)
    body = standin.requests[0].body
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert (body["temperature"], body["max_completion_tokens"]) == (0.2, 77)
    assert body["stream_options"] == {"include_usage": True}
    assert "[data " in standin.requests[0].last_user_text
    await provider.aclose()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(fault=Fault(FaultKind.STATUS, status=429, error_type="requests")), ProviderBusyError),
        (Script(fault=Fault(FaultKind.STATUS, status=429, error_type="insufficient_quota")), ProviderRejectedError),
        (Script(fault=Fault(FaultKind.STATUS, status=529)), ProviderBusyError),
        (Script(fault=Fault(FaultKind.STATUS, status=500, error_type="server_error")), ProviderBusyError),
        (Script(fault=Fault(FaultKind.STATUS, status=400, error_type="invalid_request_error")), ProviderRejectedError),
        (Script(fault=Fault(FaultKind.STATUS, status=401, error_type="invalid_request_error")), ProviderRejectedError),
        (Script(fault=Fault(FaultKind.TIMEOUT)), ProviderBusyError),
        (Script(fault=Fault(FaultKind.ERROR_EVENT)), ProviderBusyError),
        (Script(fault=Fault(FaultKind.DROP)), ProviderBusyError),
        (Script(fault=Fault(FaultKind.STALL)), ProviderBusyError),
        (Script(fault=Fault(FaultKind.SILENT_END)), ProviderBusyError),
        (Script(fault=Fault(FaultKind.GARBAGE)), ProviderBusyError),
        (Script(text="", stop_reason="refusal"), ProviderRefusedError),
        (Script(text=""), ProviderRejectedError),
    ],
    ids=lambda value: str(value.fault.kind) if isinstance(value, Script) and value.fault else None,
)
async def test_each_failure_before_the_first_token_says_what_to_do_next(
    standin: ModelStandIn, script: Script, expected: type[ProviderError]
) -> None:
    standin.reply_with(script)
    provider = provider_of(standin, llm_timeout_s=patience_s(script.fault))
    text, error = await failure_of(provider)
    assert text == ""
    assert type(error) is expected
    assert error.provider == "openai"
    assert len(standin.requests) == 1, "retrying is the chain's, not the SDK's"
    await provider.aclose()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.ERROR_EVENT, 5),
        Fault(FaultKind.DROP, 5),
        Fault(FaultKind.STALL, 5),
        Fault(FaultKind.SILENT_END, 5),
        Fault(FaultKind.GARBAGE, 5),
    ],
    ids=lambda fault: fault.kind,
)
async def test_each_failure_in_mid_stream_is_a_broken_stream_with_an_estimated_cost(
    standin: ModelStandIn, fault: Fault
) -> None:
    """OpenAI tells usage only at the end: a broken stream's is estimated from the texts."""
    standin.reply_with(Script(text="One two three four five six seven.", fault=fault))
    provider = provider_of(standin, llm_timeout_s=patience_s(fault))
    text, error = await failure_of(provider)
    assert text == "One two three four five "
    assert type(error) is ProviderBrokenStreamError
    assert error.usage is not None
    assert error.usage.output_tokens == len(text) // 4
    assert error.usage.input_tokens > 0
    await provider.aclose()


async def test_closing_the_iterator_ends_the_http_stream_at_once(standin: ModelStandIn) -> None:
    standin.reply_with(Script(tokens=2000, tokens_per_second=50))
    provider = provider_of(standin)
    async with contextlib.aclosing(provider.stream(PROMPT)) as events:  # type: ignore[type-var]  # a generator behind an iterator's type
        async for _ in events:
            break
    await asyncio.wait_for(standin.requests[0].ended.wait(), timeout=1.0)
    assert standin.requests[0].hung_up
    await provider.aclose()


async def test_understanding_is_structured(standin: ModelStandIn) -> None:
    standin.reply_with(Script(parsed={"intent": "search", "topics": ["testing"]}, input_tokens=200))
    provider = provider_of(standin)
    parsed = await provider.parse(PROMPT, Wish)
    assert parsed.value == Wish(intent="search", topics=["testing"])
    assert parsed.usage.input_tokens == 200
    assert standin.requests[0].body["temperature"] == 0
    await provider.aclose()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(parsed="{not json"), ProviderBusyError),
        (Script(parsed={"intent": "dance", "topics": []}), ProviderBusyError),
        (Script(parsed={"intent": "search", "topics": []}, stop_reason="max_tokens"), ProviderBusyError),
        (Script(parsed={}, stop_reason="refusal"), ProviderRefusedError),
        (Script(fault=Fault(FaultKind.STATUS, status=503, error_type="server_error")), ProviderBusyError),
        (Script(fault=Fault(FaultKind.TIMEOUT)), ProviderBusyError),
    ],
)
async def test_each_failure_of_understanding_says_what_to_do_next(
    standin: ModelStandIn, script: Script, expected: type[ProviderError]
) -> None:
    standin.reply_with(script)
    provider = provider_of(standin, llm_timeout_s=patience_s(script.fault))
    with pytest.raises(ProviderError) as caught:
        await provider.parse(PROMPT, Wish)
    assert type(caught.value) is expected
    await provider.aclose()


async def test_a_parameter_that_a_server_refuses_is_left_out_from_then_on(standin: ModelStandIn) -> None:
    """Reasoning models take no temperature; a compatible server may know no stream_options."""
    refusal = Fault(FaultKind.STATUS, status=400, error_type="invalid_request_error", message="no temperature here")
    standin.reply_with(Script(fault=refusal), Script(text="Yes."))
    provider = provider_of(standin)
    assert (await answer_of(provider))[0] == "Yes."
    assert ["temperature" in request.body for request in standin.requests] == [True, False]
    await provider.aclose()


async def test_no_error_shows_the_key(standin: ModelStandIn) -> None:
    """OpenAI quotes a part of the key in its message."""
    standin.reply_with(Script(fault=Fault(FaultKind.STATUS, status=401, message=f"Incorrect API key: {KEY}")))
    provider = provider_of(standin)
    _, error = await failure_of(provider)
    assert KEY not in str(error)
    assert error.__suppress_context__
    await provider.aclose()


@pytest.mark.parametrize("encoding", [openai.omit, "float"], ids=["base64, the SDK's default", "float"])
async def test_the_stand_in_embeds_the_same_text_the_same_way(
    standin: ModelStandIn, encoding: Literal["float"] | openai.Omit
) -> None:
    """Both encodings, any size; unit vectors; shared words mean nearness."""
    async with openai.AsyncOpenAI(api_key=KEY, base_url=standin.openai_url, max_retries=0) as client:
        reply = await client.embeddings.create(
            model="text-embedding-3-small",
            input=["a talk on testing", "testing talk", "booth of bread"],
            dimensions=64,
            encoding_format=encoding,
        )
    assert standin.requests[0].body["encoding_format"] == ("float" if encoding == "float" else "base64")
    first, near, far = (item.embedding for item in reply.data)
    assert len(first) == 64
    assert sum(value * value for value in first) == pytest.approx(1, abs=1e-5)
    assert sum(map(float.__mul__, first, near)) > sum(map(float.__mul__, first, far))


def test_without_a_key_the_provider_names_the_setting() -> None:
    settings = Settings(directus_api_key="d" * 20, directus_webhook_secret="w" * 20, openai_api_key=None)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        OpenAIProvider(settings)

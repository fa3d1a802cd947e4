"""Replies that are well-formed and of another shape than the API's: a gateway's, or a proxy's that stands between."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from services.errors import ProviderBrokenStreamError, ProviderBusyError, ProviderError
from services.llm.anthropic import AnthropicProvider
from services.llm.calls import AnswerEnd, ChatMessage, Prompt, TextDelta
from services.llm.openai import OpenAIProvider
from services.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROMPT = Prompt(system="You help.", messages=(ChatMessage("user", "Hello"),))
USAGE = {"input_tokens": 10, "output_tokens": 1}


def _events(*events: dict[str, Any], named: bool = True) -> bytes:
    lines = (f"event: {event['type']}\n" * named + f"data: {json.dumps(event)}\n\n" for event in events)
    return "".join(lines).encode()


def _answer(usage: object = USAGE, end_usage: object = USAGE) -> bytes:
    """Claude's "Hello there", with what it says of its tokens."""
    return _events(
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "usage": usage}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello there"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end_usage},
        {"type": "message_stop"},
    )


@asynccontextmanager
async def _server(stream: bytes) -> AsyncIterator[str]:
    """Answers every call with the same stream and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-le")
        )
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + stream)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _heard(
    stream: bytes, *, of: type[AnthropicProvider | OpenAIProvider]
) -> tuple[str, AnswerEnd | ProviderError]:
    """The text, and how it ended."""
    async with _server(stream) as url:
        settings = Settings(
            directus_api_key="d" * 20,
            directus_webhook_secret="w" * 20,
            anthropic_api_key="a-key",
            anthropic_base_url=url,
            openai_api_key="another-key",
            openai_base_url=f"{url}/v1",
        )
        provider = of(settings)
        text = ""
        try:
            async with asyncio.timeout(10):
                async for event in provider.stream(PROMPT):
                    if isinstance(event, AnswerEnd):
                        return text, event
                    text += event.text if isinstance(event, TextDelta) else ""
        except ProviderError as error:
            return text, error
        finally:
            await provider.aclose()
    pytest.fail("the stream ended without an end")


@pytest.mark.parametrize("usage", [{}, {"input_tokens": None}, {"input_tokens": "many"}, "none", None])
async def test_an_answer_is_whole_whatever_it_says_of_its_tokens(usage: object) -> None:
    """What was not told costs nothing, or what its text is worth; the visitor has an answer."""
    text, end = await _heard(_answer(usage, usage), of=AnthropicProvider)
    assert (text, type(end)) == ("Hello there", AnswerEnd)


@pytest.mark.parametrize("usage", [{}, {"input_tokens": 10}, {"output_tokens": "x"}])
async def test_a_stream_that_breaks_after_odd_usage_is_the_providers_failure(usage: object) -> None:
    """Not a defect of ours: the next provider is asked."""
    begun = _answer(usage).partition(b"event: message_delta")[0]
    text, failure = await _heard(begun + b"event: content_block_delta\ndata: {no json\n\n", of=AnthropicProvider)
    assert text == "Hello there"
    assert isinstance(failure, ProviderBrokenStreamError)


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b"event: ping\ndata: \n\n", b": bye\n\n"])
async def test_what_says_nothing_of_the_answer_is_not_read(end: bytes) -> None:
    """Gateways end every provider's stream as OpenAI ends its own."""
    text, ended = await _heard(_answer() + end, of=AnthropicProvider)
    assert (text, type(ended)) == ("Hello there", AnswerEnd)


@pytest.mark.parametrize(
    "stream",
    [
        _events({"type": "message_start"}),
        _events({"type": "message_start", "message": None}),
        _events({"type": "content_block_delta"}),
        _events({"type": "content_block_delta", "delta": {"type": "text_delta"}}),
        _events({"type": "error"}),
        b"event: message_start\ndata: []\n\n",
    ],
    ids=["no message", "null", "no delta", "no text", "no error", "a list"],
)
async def test_another_shape_before_the_first_word_is_worth_a_second_try(stream: bytes) -> None:
    """ProviderBusyError: asked again, then the next provider."""
    text, failure = await _heard(stream, of=AnthropicProvider)
    assert (text, type(failure)) == ("", ProviderBusyError)


@pytest.mark.parametrize("usage", [{}, "none", {"prompt_tokens": None, "completion_tokens": "x"}])
async def test_openais_usage_is_taken_as_it_comes(usage: object) -> None:
    """Compatible servers leave out or invent what they like."""
    chunks = (
        {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hello there"}, "finish_reason": None}]},
        {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage},
    )
    stream = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    text, end = await _heard(stream, of=OpenAIProvider)
    assert (text, type(end)) == ("Hello there", AnswerEnd)

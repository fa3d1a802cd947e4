"""OpenAI's chat completions, and every server that speaks them (OPENAI_BASE_URL): the second provider.

As with Claude, the SDK's retries are off and each way a stream can end badly is told apart here: an
``error`` object inside the stream, a cut connection, silence, and an end without a finish reason.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import openai
from openai import omit
from pydantic import ValidationError

from services.errors import ConfigurationError, ProviderBusyError, ProviderError, ProviderRejectedError
from services.llm.calls import AnswerEnd, CallBegun, Parsed, Prompt, TextDelta, Usage
from services.llm.failures import failure_of_status, failure_of_stream, refused, retry_after_of
from services.llm.prices import estimated_usage, output_room, tokens_told, usage_of
from services.llm.wording import conversation
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

    from services.llm.calls import SchemaT
    from services.settings import Settings

__all__ = ["OpenAIProvider"]

_CONNECT_TIMEOUT_S = 5.0

_PARSE_MAX_TOKENS = 2048

_PARSE_TEMPERATURE = 0.0
"""The same question is to be understood the same way each time."""

_OPTIONAL_PARAMETERS = ("temperature", "stream_options", "max_completion_tokens")
"""What some models (reasoning ones) or compatible servers refuse; left out once they have said so."""

_log = get_logger(__name__)


class OpenAIProvider:
    """Answers and understanding by OPENAI_MODEL.

    LLM_TIMEOUT_S is the time allowed to the first token, then between two, and for a whole ``parse``.
    """

    name = "openai"

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet; raises ConfigurationError without a key."""
        if settings.openai_api_key is None:
            msg = "OPENAI_API_KEY is required for the provider openai; set it or take it out of LLM_PROVIDERS"
            raise ConfigurationError(msg)
        self._model = settings.openai_model
        self._max_tokens = settings.llm_max_tokens
        self._timeout_s = settings.llm_timeout_s
        self._temperature = settings.openai_temperature
        self._refused_parameters: set[str] = set()
        self._client = openai.AsyncOpenAI(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            max_retries=0,
            timeout=openai.Timeout(self._timeout_s, connect=min(_CONNECT_TIMEOUT_S, self._timeout_s)),
        )

    async def parse(self, prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        """Ask the model for a ``schema``; see ``Provider.parse``."""
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._client.chat.completions.parse(
                    model=self._model,
                    messages=_messages(prompt),
                    response_format=schema,
                    max_completion_tokens=self._optional("max_completion_tokens", _PARSE_MAX_TOKENS),
                    temperature=self._optional("temperature", _PARSE_TEMPERATURE),
                )
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises on a bad reply is the provider's failure
            if self._learns_from(error):
                return await self.parse(prompt, schema)
            failure = self._failure(error)
            if isinstance(error, openai.LengthFinishReasonError):
                failure.usage = _usage(self._model, error.completion.usage)
            elif isinstance(error, ValidationError):  # a reply came and was paid, but the SDK has dropped its usage
                failure.usage = estimated_usage(self._model, prompt)
            # The cause is left out: its text may quote the prompt or a part of the key.
            raise failure from None
        usage = _usage(self._model, reply.usage)
        message = reply.choices[0].message if reply.choices else None
        if message is None or message.parsed is None:
            declined = message is not None and message.refusal
            failure = refused(self.name) if declined else ProviderBusyError(self.name, f"{self.name} gave no reply")
            failure.usage = usage
            raise failure
        return Parsed(value=message.parsed, provider=self.name, model=self._model, usage=usage or Usage())

    async def stream(self, prompt: Prompt) -> AsyncIterator[CallBegun | TextDelta | AnswerEnd]:
        """Write the answer; see ``Provider.stream``."""
        room = output_room(self.name, self._model, prompt, at_most=self._max_tokens)
        reading = _Reading(self._model)
        try:
            async with asyncio.timeout(self._timeout_s):
                chunks = await self._open(prompt, room)
            async with chunks:
                deadline = asyncio.get_running_loop().time() + self._timeout_s
                while True:
                    # Comments keep the connection's own time-out from ever striking, so ours counts tokens.
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    if not reading.opened:
                        yield CallBegun(self._model, estimated_usage(self._model, prompt))
                    text = reading.read(chunk)
                    if text:
                        yield TextDelta(text)
                        # After the yield: the time the reader takes is not the provider's.
                        deadline = asyncio.get_running_loop().time() + self._timeout_s
            end = reading.end(self.name, prompt, cut="length" if room == self._max_tokens else "budget")
        except Exception as error:  # noqa: BLE001 - transport errors and broken JSON come raw out of the SDK's streams
            usage = reading.usage(prompt) if reading.opened else None
            raise failure_of_stream(self._failure(error), begun=bool(reading.written), usage=usage) from None
        yield end

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _open(self, prompt: Prompt, max_tokens: int) -> openai.AsyncStream[ChatCompletionChunk]:
        try:
            return await self._client.chat.completions.create(
                model=self._model,
                messages=_messages(prompt),
                max_completion_tokens=self._optional("max_completion_tokens", max_tokens),
                temperature=self._optional("temperature", self._temperature),
                stream_options=self._optional("stream_options", {"include_usage": True}),
                stream=True,
            )
        except openai.BadRequestError as error:
            if self._learns_from(error):
                return await self._open(prompt, max_tokens)
            raise

    def _optional(self, name: str, value: Any) -> Any:  # noqa: ANN401 - each parameter has its own type
        return omit if name in self._refused_parameters else value

    def _learns_from(self, error: Exception) -> bool:
        """Whether the server has just told us to leave out a parameter that not all models take."""
        if not isinstance(error, openai.BadRequestError):
            return False
        for name in _OPTIONAL_PARAMETERS:
            if name in (error.param or error.message) and name not in self._refused_parameters:
                self._refused_parameters.add(name)
                _log.warning("model_refuses_parameter", provider=self.name, model=self._model, parameter=name)
                return True
        return False

    def _failure(self, error: Exception) -> ProviderError:
        if isinstance(error, ProviderError):
            return error
        if isinstance(error, openai.APIStatusError):
            return failure_of_status(
                self.name,
                error.status_code,
                (error.type, error.code),
                retry_after_s=retry_after_of(error.response.headers),
                request_id=error.request_id,
            )
        if isinstance(error, (TimeoutError, openai.APITimeoutError)) or "Timeout" in type(error).__name__:
            return ProviderBusyError(self.name, f"{self.name} sent nothing for {self._timeout_s:g} s")
        if isinstance(error, openai.ContentFilterFinishReasonError):
            return refused(self.name, "content_filter")
        if isinstance(error, openai.APIError) and (error.type or error.code):
            return failure_of_status(self.name, 200, (error.type, error.code))
        return ProviderBusyError(self.name, f"{self.name}'s reply broke off or made no sense ({type(error).__name__})")


class _Reading:
    """What one stream has said so far."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._usage: CompletionUsage | None = None
        self._finish_reason: str | None = None
        self._refusal = False
        self.opened = False
        """Whether the server has begun to work (and to charge)."""
        self.written = 0
        """Characters of visible text."""

    def read(self, chunk: ChatCompletionChunk) -> str:
        """Take in one chunk and return the visible text in it."""
        self.opened = True
        self._usage = chunk.usage or self._usage
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self._finish_reason = choice.finish_reason or self._finish_reason
        self._refusal = self._refusal or bool(choice.delta.refusal)
        text = choice.delta.content or ""
        self.written += len(text)
        return text

    def usage(self, prompt: Prompt) -> Usage:
        """What the call has cost, estimated from the texts if the stream broke before it said."""
        return _usage(self._model, self._usage) or estimated_usage(self._model, prompt, self.written)

    def end(self, provider: str, prompt: Prompt, *, cut: Literal["length", "budget"]) -> AnswerEnd:
        """The proper end, ``cut`` where the model had no more room; raises the ProviderError for any other."""
        reason = self._finish_reason
        if reason == "content_filter" or self._refusal:
            raise refused(provider, reason)
        if reason is None:
            raise ProviderBusyError(provider, f"{provider}'s stream ended without a finish reason")
        if not self.written:
            raise ProviderRejectedError(provider, f"{provider} wrote nothing (finish reason {reason})")
        if reason not in {"stop", "length"}:
            raise ProviderBusyError(provider, f"{provider}'s stream stopped for what we did not ask ({reason})")
        stop = "end" if reason == "stop" else cut
        return AnswerEnd(provider, self._model, self.usage(prompt), stop)


def _messages(prompt: Prompt) -> list[ChatCompletionMessageParam]:
    messages: list[ChatCompletionMessageParam] = []
    if prompt.system.strip():
        messages.append({"role": "system", "content": prompt.system})
    for message in conversation(prompt):
        if message.role == "user":
            messages.append({"role": "user", "content": message.text})
        else:
            messages.append({"role": "assistant", "content": message.text})
    return messages


def _usage(model: str, usage: CompletionUsage | None) -> Usage | None:
    if usage is None:
        return None
    cached = tokens_told(getattr(usage, "prompt_tokens_details", None), "cached_tokens")
    fresh = max(tokens_told(usage, "prompt_tokens") - cached, 0)
    return usage_of(model, fresh=fresh, read=cached, output=tokens_told(usage, "completion_tokens"))

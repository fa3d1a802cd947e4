"""Claude, through Anthropic's SDK (2.x, API version 2026-10-21): the one place where its types are seen.

The SDK's own retries are off: retrying is the chain's, which knows what the visitor has seen. A
started stream can fail in ways the SDK does not name as its errors: an error event with status 200,
raw transport errors of its HTTP library, unreadable JSON, and an end without a stop reason.

Answers are read as the SDK's raw server-sent events: making a typed object of each of three hundred
pieces of text took 13 to 18 µs of CPU a piece where reading its JSON takes 4 (measured over HTTP, two
hundred answers at once are 12,000 pieces a second). What comes once, the start and the end, is typed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import anthropic
from anthropic import omit
from anthropic.types import RawMessageDeltaEvent, RawMessageStartEvent
from pydantic import ValidationError

from services.errors import ConfigurationError, ProviderBusyError, ProviderError, ProviderRejectedError
from services.llm.calls import AnswerEnd, CallBegun, Parsed, Prompt, TextDelta, Usage
from services.llm.failures import failure_of_status, failure_of_stream, refused, retry_after_of
from services.llm.prices import estimated_usage, output_room, tokens_in, tokens_told, usage_of
from services.llm.wording import conversation
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2
    from anthropic.types import MessageParam, RawMessageStreamEvent, TextBlockParam
    from anthropic.types import Usage as SdkUsage

    from services.llm.calls import SchemaT
    from services.settings import Settings

__all__ = ["AnthropicProvider"]

_CONNECT_TIMEOUT_S = 5.0

_PARSE_MAX_TOKENS = 2048
"""Room for a structured reply and what little the fast model thinks at low effort."""

_PARSE_EFFORT = "low"

_UNREAD = (None, "ping")
"""Events that say nothing of the answer, as the SDK leaves them out: a gateway's "[DONE]" is no JSON either."""

_log = get_logger(__name__)


class AnthropicProvider:
    """Answers by ANTHROPIC_MODEL, understanding by ANTHROPIC_FAST_MODEL.

    LLM_TIMEOUT_S is the time allowed to the first token, then between two, and for a whole ``parse``.
    """

    name = "anthropic"

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet; raises ConfigurationError without a key."""
        if settings.anthropic_api_key is None:
            msg = "ANTHROPIC_API_KEY is required for the provider anthropic; set it or take it out of LLM_PROVIDERS"
            raise ConfigurationError(msg)
        self._model = settings.anthropic_model
        self._fast_model = settings.anthropic_fast_model
        self._max_tokens = settings.llm_max_tokens
        self._timeout_s = settings.llm_timeout_s
        self._effort = settings.anthropic_effort
        self._refused_parameters: set[tuple[str, str]] = set()
        self._client = anthropic.AsyncAnthropic(
            api_key=settings.anthropic_api_key.get_secret_value(),
            base_url=settings.anthropic_base_url,
            max_retries=0,
            timeout=anthropic.Timeout(self._timeout_s, connect=min(_CONNECT_TIMEOUT_S, self._timeout_s)),
        )

    async def parse(self, prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        """Ask the fast model for a ``schema``; see ``Provider.parse``."""
        model = self._fast_model
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._client.messages.parse(
                    model=model,
                    max_tokens=_PARSE_MAX_TOKENS,
                    system=_system(prompt),
                    messages=_messages(prompt),
                    output_format=schema,
                    output_config=self._optional(model, "effort", {"effort": _PARSE_EFFORT}),
                )
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises on a bad reply is the provider's failure
            if self._learns_from(error, model):
                return await self.parse(prompt, schema)
            failure = self._failure(error)
            if isinstance(error, ValidationError):  # a reply came and was paid, but the SDK has dropped its usage
                failure.usage = estimated_usage(model, prompt)
            # The cause is left out: its text may quote the prompt or a part of the key.
            raise failure from None
        usage = _usage(model, reply.usage)
        value = reply.parsed_output
        if reply.stop_reason == "refusal" or value is None:
            failure = (
                refused(self.name, reply.stop_details.category if reply.stop_details else None)
                if reply.stop_reason == "refusal"
                else ProviderBusyError(self.name, f"{self.name} gave no structured reply ({reply.stop_reason})")
            )
            failure.usage = usage
            raise failure
        return Parsed(value=value, provider=self.name, model=model, usage=usage)

    async def stream(self, prompt: Prompt) -> AsyncIterator[CallBegun | TextDelta | AnswerEnd]:
        """Write the answer; see ``Provider.stream``."""
        room = output_room(self.name, self._model, prompt, at_most=self._max_tokens)
        reading = _Reading(self._model)
        try:
            async with asyncio.timeout(self._timeout_s):
                opened = await self._open(prompt, room)
            async with opened:
                events = anthropic.AsyncStream.raw_events(opened.response)
                deadline = asyncio.get_running_loop().time() + self._timeout_s
                while True:
                    # Pings keep the connection's own time-out from ever striking, so ours counts tokens.
                    async with asyncio.timeout_at(deadline):
                        event = await anext(events, None)
                    if event is None:
                        break
                    if event.event in _UNREAD:
                        continue
                    said = event.json() if event.data else {}
                    if event.event == "error":
                        self._fail_in_stream(said, opened.response)
                    text = reading.read(event.event, said)
                    if text:
                        yield TextDelta(text)
                    elif event.event == "message_start":
                        yield CallBegun(self._model, reading.usage(0) or Usage())
                    if reading.moved:
                        # After the yield: the time the reader takes is not the provider's.
                        deadline = asyncio.get_running_loop().time() + self._timeout_s
            end = reading.end(self.name, cut="length" if room == self._max_tokens else "budget")
        except Exception as error:  # noqa: BLE001 - transport errors and broken JSON come raw out of the SDK's streams
            failure = self._failure(error)
            raise failure_of_stream(failure, begun=bool(reading.written), usage=reading.usage()) from None
        yield end

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _open(self, prompt: Prompt, max_tokens: int) -> anthropic.AsyncStream[RawMessageStreamEvent]:
        try:
            return await self._client.messages.create(
                model=self._model,
                max_tokens=max_tokens,
                system=_system(prompt),
                messages=_messages(prompt),
                # Without tools this means no thinking before the text: the first word comes sooner.
                thinking=self._optional(self._model, "thinking", {"type": "between_tools"}),
                output_config=self._optional(self._model, "effort", {"effort": self._effort}),
                stream=True,
            )
        except anthropic.BadRequestError as error:
            if self._learns_from(error, self._model):
                return await self._open(prompt, max_tokens)
            raise

    def _optional(self, model: str, name: str, value: Any) -> Any:  # noqa: ANN401 - each parameter has its own type
        return omit if (model, name) in self._refused_parameters else value

    def _learns_from(self, error: Exception, model: str) -> bool:
        """Whether ``model`` has just told us to leave out a parameter that not all models take."""
        if not isinstance(error, anthropic.BadRequestError):
            return False
        said = error.api_message or ""
        for name in ("thinking", "effort"):
            if name in said and (model, name) not in self._refused_parameters:
                self._refused_parameters.add((model, name))
                _log.warning("model_refuses_parameter", provider=self.name, model=model, parameter=name)
                return True
        return False

    def _fail_in_stream(self, said: dict[str, Any], response: httpx2.Response) -> NoReturn:
        """Raise what an ``error`` event tells of; the status has been 200 by then."""
        raise failure_of_status(
            self.name, response.status_code, (said["error"]["type"],), request_id=response.headers.get("request-id")
        )

    def _failure(self, error: Exception) -> ProviderError:
        if isinstance(error, ProviderError):
            return error
        if isinstance(error, anthropic.APIStatusError):
            return failure_of_status(
                self.name,
                error.status_code,
                (error.type,),
                retry_after_s=retry_after_of(error.response.headers),
                request_id=error.request_id,
            )
        if isinstance(error, (TimeoutError, anthropic.APITimeoutError)) or "Timeout" in type(error).__name__:
            return ProviderBusyError(self.name, f"{self.name} sent nothing for {self._timeout_s:g} s")
        return ProviderBusyError(self.name, f"{self.name}'s reply broke off or made no sense ({type(error).__name__})")


class _Reading:
    """What one stream has said so far."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._usage: SdkUsage | None = None
        self._output_tokens = 0
        self._stop_reason: str | None = None
        self._category: str | None = None
        self.written = 0
        """Characters of visible text."""
        self.moved = False
        """Whether the last event was a sign of work: anything but the ends of blocks."""

    def read(self, kind: str | None, said: dict[str, Any]) -> str:
        """Take in one event of the stream, of a kind that the API names, and return the visible text in it."""
        self.moved = kind == "content_block_delta"
        if kind == "content_block_delta":
            delta = said["delta"]
            text: str = delta["text"] if delta["type"] == "text_delta" else ""
            self.written += len(text)
            return text
        if kind == "message_start":
            self._usage = RawMessageStartEvent.construct(**said).message.usage
        elif kind == "message_delta":
            end = RawMessageDeltaEvent.construct(**said)
            self._stop_reason = end.delta.stop_reason
            self._category = end.delta.stop_details.category if end.delta.stop_details else None
            self._output_tokens = tokens_told(end.usage, "output_tokens")
        return ""

    def usage(self, output_tokens: int | None = None) -> Usage | None:
        """What the call has cost; the output is estimated from the text if the stream broke before it said."""
        if self._usage is None:
            return None
        if output_tokens is None:
            output_tokens = self._output_tokens or max(
                tokens_told(self._usage, "output_tokens"), tokens_in(self.written)
            )
        return _usage(self._model, self._usage, output_tokens)

    def end(self, provider: str, *, cut: Literal["length", "budget"]) -> AnswerEnd:
        """The proper end, ``cut`` where the model had no more room; raises the ProviderError for any other."""
        reason = self._stop_reason
        if reason == "refusal":
            raise refused(provider, self._category)
        if reason is None:
            raise ProviderBusyError(provider, f"{provider}'s stream ended without a stop reason")
        if not self.written:
            raise ProviderRejectedError(provider, f"{provider} wrote nothing (stop reason {reason})")
        if reason not in {"end_turn", "stop_sequence", "max_tokens", "model_context_window_exceeded"}:
            raise ProviderBusyError(provider, f"{provider}'s stream stopped for what we did not ask ({reason})")
        stop = "end" if reason in {"end_turn", "stop_sequence"} else cut
        return AnswerEnd(provider, self._model, self.usage() or Usage(), stop)


def _system(prompt: Prompt) -> list[TextBlockParam] | anthropic.Omit:
    """The system prompt, the same for every turn of an assistant, marked to be cached."""
    if not prompt.system.strip():
        return omit
    return [{"type": "text", "text": prompt.system, "cache_control": {"type": "ephemeral"}}]


def _messages(prompt: Prompt) -> list[MessageParam]:
    messages: list[MessageParam] = []
    for message in conversation(prompt):
        if message.role == "user":
            messages.append({"role": "user", "content": message.text})
        else:
            messages.append({"role": "assistant", "content": message.text})
    return messages


def _usage(model: str, usage: SdkUsage, output_tokens: int | None = None) -> Usage:
    return usage_of(
        model,
        fresh=tokens_told(usage, "input_tokens"),
        written=tokens_told(usage, "cache_creation_input_tokens"),
        read=tokens_told(usage, "cache_read_input_tokens"),
        output=tokens_told(usage, "output_tokens") if output_tokens is None else output_tokens,
    )

"""The providers as one language model: asked in order of preference, until one can.

Before the first visible token a failure costs the visitor nothing but time: retry, next provider,
offline. After it the visitor has read something: what is whole of it is kept, and the next goes on
right behind it, as one answer.

Usage is the sum of all calls, broken ones included. Providers report what they were told; where a
stream broke before it said, they estimate: four characters a token, for the prompt and for the text
that had come (``services/llm/prices.py``). A call that broke before its first event counts nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import tenacity

from services.errors import (
    ProviderBusyError,
    ProviderError,
    ProviderOverBudgetError,
    ProviderRefusedError,
    ProviderRejectedError,
)
from services.llm.calls import AnswerEnd, CallBegun, Parsed, StreamEvent, Switch, TextDelta, Usage
from services.llm.continuation import Continuation, kept_of
from services.llm.gate import Gate, OpenGate
from services.llm.meter import Meter
from services.llm.offline import OFFLINE, READING_PACE_S, OfflineProvider
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from services.llm.calls import Prompt, Provider, SchemaT
    from services.metrics import Metrics
    from services.settings import Settings

    ProviderEvent = CallBegun | TextDelta | AnswerEnd

__all__ = ["LanguageModel", "make_language_model", "writing_model"]

_TRIES = 2
"""A second try heals a passing fault; a third would only keep the visitor from the next provider."""

_MAX_RETRY_AFTER_S = 5.0
"""A provider that asks for a longer pause is left at once: the next one is nearer than that."""

_RETRY_WITHIN_S = 10.0
"""A try that failed later than this (a time-out, mostly) has used up the visitor's patience with this provider."""

_BACKOFF = tenacity.wait_random_exponential(multiplier=0.5, max=2.0)

_log = get_logger(__name__)


class LanguageModel:
    """What the rest of the house calls. ``providers`` in order of preference; empty means offline alone."""

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        gate: Gate | None = None,
        metrics: Metrics | None = None,
        backoff: tenacity.wait.wait_base = _BACKOFF,
    ) -> None:
        self._providers: tuple[Provider, ...] = tuple(providers) or (OfflineProvider(),)
        self._gate: Gate = gate or OpenGate()
        self._metrics = metrics
        self._backoff = backoff

    @property
    def has_model(self) -> bool:
        """Whether there is any model to ask (offline is none)."""
        return any(provider.name != OFFLINE for provider in self._providers)

    @property
    def provider_names(self) -> tuple[str, ...]:
        """Who is asked, in order."""
        return tuple(provider.name for provider in self._providers)

    async def parse(self, prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        """Ask for a ``schema``; each provider twice if it is busy, offline never.

        Raises the last ProviderError when none can, ProviderRejectedError when there is none.
        """
        paid = Usage()
        last: ProviderError | None = None
        for provider in self._providers:
            if provider.name == OFFLINE or not await self._gate.allows(provider.name):
                continue
            try:
                async for attempt in self._retrying():
                    with attempt:
                        began_at = time.time()
                        try:
                            parsed = await provider.parse(prompt, schema)
                        except ProviderError as error:
                            paid += error.usage or Usage()
                            await self._note_failure(error, shown=0, began_at=began_at)
                            raise
            except ProviderError as error:
                last = error
                continue
            await self._gate.succeeded(provider.name, began_at=began_at)
            return replace(parsed, usage=paid + parsed.usage)
        last = last or ProviderRejectedError("none", "no model provider may be asked")
        last.usage = paid
        raise last

    async def stream(
        self, prompt: Prompt, *, offline: Callable[[], str], meter: Meter | None = None
    ) -> AsyncGenerator[StreamEvent, None]:
        """Write an answer; ``offline`` gives its text, should no model be able to.

        ``meter`` bounds what all calls may cost together, and tells what they did, however this ends.

        Ends with exactly one AnswerEnd. A Switch says that the answer's text is now ``kept``, and
        what follows comes behind it. Close the iterator (``contextlib.aclosing``) to stop early: that
        ends the provider's stream at once. Raises the last ProviderError only if the settings leave
        offline out and no provider could; what was shown until then stands.
        """
        answer = _Answer(meter=meter or Meter(), shown=prompt.partial, kept=prompt.partial)
        waiting = deque(self._providers)
        last: ProviderError | None = None
        while waiting:
            provider = waiting.popleft()
            if isinstance(provider, OfflineProvider):
                provider = provider.saying(offline())
            elif not await self._gate.allows(provider.name):
                continue
            try:
                async with contextlib.aclosing(self._one(provider, prompt, answer)) as events:
                    async for event in events:
                        yield event
            except ProviderError as error:
                last = error
                if answer.break_off(error) and _is_last_model(waiting) and answer.may_try_again(provider.name):
                    waiting.appendleft(provider)
                continue
            return
        raise last or ProviderRejectedError("none", "no model provider may be asked")

    async def aclose(self) -> None:
        """Close all providers' connections."""
        for provider in self._providers:
            await provider.aclose()

    async def _one(self, provider: Provider, prompt: Prompt, answer: _Answer) -> AsyncGenerator[StreamEvent, None]:
        """One provider's part of the answer, to its end; ProviderError if it can't (any more)."""
        is_offline = provider.name == OFFLINE
        join = Continuation("" if is_offline else answer.kept)
        lead = _paragraph_break(answer.kept) if is_offline else ""
        # What failed before has cost something, too.
        prompt = replace(prompt, partial=answer.kept, budget=answer.meter.left)
        event, rest, began_at = await self._open(provider, prompt, answer)
        async with _closing(rest):
            try:
                while not isinstance(event, AnswerEnd):
                    if isinstance(event, TextDelta):
                        if not is_offline:
                            answer.meter.wrote(len(event.text))
                        text = lead + event.text if is_offline else join.feed(event.text)
                        lead = ""
                        for shown in answer.show(text, provider.name):
                            yield shown
                    event = await anext(rest)
            except ProviderError as error:
                answer.hold(join)
                answer.pay(error)
                await self._note_failure(error, shown=len(answer.shown), began_at=began_at)
                raise
            for shown in answer.show(join.finish(), provider.name, is_end=True):
                yield shown
            await self._gate.succeeded(provider.name, began_at=began_at)
            yield answer.end(event)

    async def _open(
        self, provider: Provider, prompt: Prompt, answer: _Answer
    ) -> tuple[ProviderEvent, AsyncIterator[ProviderEvent], float]:
        """The first piece of an answer, the rest, and when it began; retried while this call has shown nothing."""

        async def once() -> tuple[ProviderEvent, AsyncIterator[ProviderEvent], float]:
            began_at = time.time()
            events = provider.stream(prompt)
            try:
                event = await anext(events)
                if isinstance(event, CallBegun):
                    answer.meter.begin(event)
                    event = await anext(events)
            except ProviderError as error:
                answer.pay(error)
                await self._note_failure(error, shown=0, began_at=began_at)
                raise
            return event, events, began_at

        return await self._retrying()(once)

    def _retrying(self) -> tenacity.AsyncRetrying:
        return tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(_TRIES),
            retry=_is_worth_a_retry,
            wait=self._wait,
            reraise=True,
        )

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, ProviderBusyError) else None
        return max(asked or 0.0, self._backoff(state))

    async def _note_failure(self, error: ProviderError, *, shown: int, began_at: float) -> None:
        _log.warning(
            "provider_failed", provider=error.provider, code=error.code, reason=str(error), shown_characters=shown
        )
        if self._metrics is not None and not isinstance(error, ProviderOverBudgetError):
            self._metrics.count("erleah_model_failures", provider=error.provider, error=error.code)
        await self._gate.failed(error.provider, error, began_at=began_at)


@dataclass(slots=True)
class _Answer:
    """One answer on its way through the providers."""

    meter: Meter

    shown: str = ""
    """What the consumer has."""

    kept: str = ""
    """What the next provider goes on from."""

    is_over_budget: bool = False
    """Whether a provider was left out for what it would have cost."""

    broken_by: ProviderError | None = None
    """The failure after which no one has shown anything yet."""

    _held: str = ""
    _is_showing: bool = False
    """Whether the provider at work has shown anything."""

    _second_chances: set[str] = field(default_factory=set)

    def show(self, text: str, provider: str, *, is_end: bool = False) -> list[StreamEvent]:
        """The events that show ``text``; the first ones after a break tell what was kept."""
        events: list[StreamEvent] = []
        if self.broken_by is not None and (text or is_end):
            reason = str(self.broken_by)
            events.append(Switch(self.kept, self.broken_by.provider, provider, reason))
            self.shown, self.broken_by = self.kept, None
        if text:
            self.shown += text
            self._is_showing = True
            events.append(TextDelta(text))
        return events

    def hold(self, join: Continuation) -> None:
        """Count in what a broken provider wrote that was still held back."""
        self._held = join.finish()

    def pay(self, error: ProviderError) -> None:
        """Add what a failed call has cost."""
        self.meter.pay(error.usage)
        self.is_over_budget = self.is_over_budget or isinstance(error, ProviderOverBudgetError)

    def break_off(self, error: ProviderError) -> bool:
        """Decide what stays, now that a provider has failed; whether it had shown anything worth going on with."""
        has_shown = self._is_showing
        if has_shown:
            # What a classifier stopped must not be gone on with, nor stay.
            self.kept = "" if isinstance(error, ProviderRefusedError) else kept_of(self.shown + self._held)
            self.broken_by = error
        self._held = ""
        self._is_showing = False
        return has_shown and not isinstance(error, ProviderRefusedError)

    def may_try_again(self, provider: str) -> bool:
        """Whether a provider that broke off gets its one second chance."""
        is_new = provider not in self._second_chances
        self._second_chances.add(provider)
        return is_new

    def end(self, end: AnswerEnd) -> AnswerEnd:
        """The end with the usage of all calls."""
        self.meter.pay(end.usage)
        stop_reason = "budget" if end.degraded and self.is_over_budget else end.stop_reason
        return replace(end, usage=self.meter.usage, stop_reason=stop_reason)


def _is_worth_a_retry(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, ProviderBusyError) or (state.seconds_since_start or 0.0) > _RETRY_WITHIN_S:
        return False
    return (error.retry_after_s or 0.0) <= _MAX_RETRY_AFTER_S


def _is_last_model(waiting: deque[Provider]) -> bool:
    return not waiting or waiting[0].name == OFFLINE


def _paragraph_break(kept: str) -> str:
    return "\n" * max(0, 2 - (len(kept) - len(kept.rstrip("\n")))) if kept else ""


@contextlib.asynccontextmanager
async def _closing(events: AsyncIterator[ProviderEvent]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


def make_language_model(
    settings: Settings, *, gate: Gate | None = None, metrics: Metrics | None = None
) -> LanguageModel:
    """The providers that LLM_PROVIDERS lists, in its order, without those that have no key."""
    providers: list[Provider] = []
    # Imported here: Anthropic's SDK is 44 MB of a process and OpenAI's 15, measured, and 0.5 to 1 s of its start.
    for name in settings.llm_providers:
        if name == "anthropic" and settings.anthropic_api_key is not None:
            from services.llm.anthropic import AnthropicProvider  # noqa: PLC0415 - see above

            providers.append(AnthropicProvider(settings))
        elif name == "openai" and settings.openai_api_key is not None:
            from services.llm.openai import OpenAIProvider  # noqa: PLC0415 - see above

            providers.append(OpenAIProvider(settings))
        elif name == OFFLINE:
            providers.append(OfflineProvider(pace_s=READING_PACE_S))
    return LanguageModel(providers, gate=gate, metrics=metrics)


def writing_model(settings: Settings) -> str | None:
    """The model that is asked first for an answer, None where there is none."""
    keys = {"anthropic": settings.anthropic_api_key, "openai": settings.openai_api_key}
    models = {"anthropic": settings.anthropic_model, "openai": settings.openai_model}
    return next((models[name] for name in settings.llm_providers if keys.get(name) is not None), None)

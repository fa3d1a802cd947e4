"""Replaying: a recorded turn run again through the real machine, its steps and the assistant, on what was recorded.

The models say what they said, the tools find what they found, understanding reads what it read, and the clock stands
where it stood. Nothing is written, and nothing outside is asked, unless a real model is handed in (``live``). What
was not recorded is not there: a model that would be asked something else does not answer, and where something was
too large to be recorded, the understanding that read it is not run again but taken from the recording.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from assistants.interface import Assistant, Toolbox, ToolCall, ToolOutcome, Understood
from services import errors
from services.errors import ProviderError, ProviderRejectedError, ServiceUnavailableError
from services.llm.calls import AnswerEnd, Parsed, Switch, TextDelta, Usage
from services.llm.chain import LanguageModel
from services.llm.meter import Meter
from services.turn_leases import Claim
from worker import machine
from worker.answer_stream import AnswerStream
from worker.recording import asked_of_directus, prompt_record
from worker.services import StepServices

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from assistants.interface import Guess, Outcome, Source, Tool, TurnView
    from search.index import SearchIndex
    from services.directus.client import Directus
    from services.embeddings.embedder import Embedder
    from services.llm.calls import Prompt, SchemaT, StreamEvent
    from services.redis import RedisClient
    from services.settings import Settings
    from worker.recording import ModelCall, Recording
    from worker.turn import Turn

__all__ = ["Replay", "replay"]

NOT_RECORDED = "this was not asked in the recorded turn"
LEFT_OUT = "this was too large to be recorded"


@dataclass(frozen=True, slots=True)
class Replay:
    """A turn that was run again.

    ``prompts`` are what the models were asked to write or to understand, in order; ``unanswered`` names the calls
    that had no recorded reply; ``understood_again`` is False where the understanding was taken from the recording.
    ``is_comparable`` is False where that could neither be made again nor taken from there: then no difference says
    anything of this version.
    """

    turn: Turn
    text: str
    final: Mapping[str, Any]
    prompts: Sequence[dict[str, Any]]
    unanswered: Sequence[str]
    understood_again: bool
    is_comparable: bool


class _CalledOffHereError(BaseException):
    """The recorded turn was called off at this point. As a signal of its kind, no step may take it for a failure."""


@dataclass
class _Asked:
    """What the replayed turn asked for."""

    prompts: list[dict[str, Any]] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)


async def replay(  # noqa: PLR0913 - what is replayed, on what, and who answers
    recording: Recording,
    assistant: Assistant,
    settings: Settings,
    *,
    embedder: Embedder | None,
    live: LanguageModel | None = None,
    is_other_model: bool = False,
) -> Replay:
    """Run the turn again.

    ``embedder`` is one that needs no network and is the recorded one, else None: the understanding is then taken
    from the recording, as it is where something that it read was too large to be recorded. ``live`` answers what has
    no recorded reply. With ``is_other_model`` it writes in place of the recorded model and is asked whatever that one
    was; only what the recorded fast model understood stays.
    """
    asked, reads = _Asked(), _RecordedReads(recording)
    toolbox = Toolbox(
        settings=settings,
        directus=cast("Directus", _RecordedDirectus(reads)),
        redis=cast("RedisClient", _RecordedRedis(reads)),
        index=cast("SearchIndex", None),  # only tools search, and theirs are played back
        embedder=cast("Embedder", embedder),
    )
    understands_again = embedder is not None and not recording.left_out and await _starts(assistant, toolbox)
    turn = recording.begun.model_copy(deep=True)
    turn.started_at = time.time()  # the time a turn may take is counted anew; the assistant's clock is ``turn.now``
    answer = _UnwrittenAnswer(turn)
    replies = _replies(recording, is_other_model=is_other_model)
    services = StepServices(
        settings=settings.model_copy(update=_limits(recording)),
        model=_RecordedModel(
            replies,
            asked,
            live,
            had_model=recording.had_model,
            was_called_off=recording.ending.called_off is not None,
        ),
        toolbox=toolbox,
        assistant=_RecordedTools(assistant, recording, understands_again=understands_again),
        answer=answer,
    )
    # Of a turn that was called off there is no more to compare than was written until then.
    with suppress(_CalledOffHereError):
        await machine.run(turn, services, _save_nothing)
    return Replay(
        turn=turn,
        text=answer.text,
        final=answer.final or {},
        prompts=asked.prompts,
        unanswered=asked.unanswered,
        understood_again=understands_again,
        is_comparable=understands_again or recording.ended.understanding is not None,
    )


async def _starts(assistant: Assistant, toolbox: Toolbox) -> bool:
    try:
        await assistant.start(toolbox)
    except ServiceUnavailableError:
        return False
    return True


async def _save_nothing(_turn: Turn) -> None:
    """A replay leaves no trace."""


def _limits(recording: Recording) -> dict[str, Any]:
    """The limits that the recorded turn had; a live model's time is this installation's."""
    return {name: recording.settings[name] for name in ("max_iterations", "turn_max_tokens", "turn_max_cost_usd")}


def _replies(recording: Recording, *, is_other_model: bool) -> list[ModelCall]:
    """The recorded calls whose replies still count.

    Another model answers in place of the one that wrote, but not of Anthropic's fast one, which understands: asked
    anew, that one could search for something else, and the two answers would not be of the same findings.
    """
    if not is_other_model:
        return list(recording.model_calls)
    fast = recording.settings["anthropic_fast_model"]
    return [call for call in recording.model_calls if call.value is not None and call.value["model"] == fast]


class _UnwrittenAnswer(AnswerStream):
    """An answer that goes nowhere."""

    def __init__(self, turn: Turn) -> None:
        claim = Claim(turn.message_id, turn.attempt, "replay")
        super().__init__(claim, turn.answer_id, {}, wake=lambda: None, interrupt=lambda _: None)

    async def finish(self, text: str, final: dict[str, Any], marks: list[dict[str, Any]] | None = None) -> None:
        """Keep what would be written."""
        self._text, self._draft, self.final, self.marks = text, None, final, marks or []


class _RecordedModel(LanguageModel):
    """Says what was said to the same prompt; anything else only a live model answers."""

    def __init__(
        self,
        calls: list[ModelCall],
        asked: _Asked,
        live: LanguageModel | None,
        *,
        had_model: bool,
        was_called_off: bool,
    ) -> None:
        self._calls = calls
        self._had_model = had_model
        self._was_called_off = was_called_off
        self._asked = asked
        self._live = live

    @property
    def has_model(self) -> bool:
        return self._had_model or self._live is not None

    @property
    def provider_names(self) -> tuple[str, ...]:
        return ("replay",)

    async def parse(self, prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        call = self._recorded("parse", prompt)
        if call is not None and call.value is not None:
            said = call.value
            return Parsed(schema.model_validate(said["value"]), said["provider"], said["model"], Usage(**said["usage"]))
        if call is not None and call.error is not None:
            raise _error_of(call.error)
        if call is not None and self._was_called_off:
            raise _CalledOffHereError
        if self._live is not None:
            return await self._live.parse(prompt, schema)
        self._asked.unanswered.append("understanding: a model would be asked something else")
        raise ProviderRejectedError("replay", NOT_RECORDED)

    async def stream(
        self, prompt: Prompt, *, offline: Callable[[], str], meter: Meter | None = None
    ) -> AsyncGenerator[StreamEvent, None]:
        call = self._recorded("stream", prompt)
        if call is not None:
            meter = meter or Meter()
            for recorded in call.events:
                event = _event_of(recorded)
                if isinstance(event, TextDelta):
                    meter.wrote(len(event.text))
                elif isinstance(event, AnswerEnd):
                    meter.pay(event.usage)
                yield event
            if call.error is not None:
                raise _error_of(call.error)
            if not any("end" in event for event in call.events):
                if self._was_called_off:
                    raise _CalledOffHereError
                raise TimeoutError  # the recorded turn had no more time for it
            return
        if self._live is not None:
            async for live_event in self._live.stream(prompt, offline=offline, meter=meter):
                yield live_event
            return
        self._asked.unanswered.append("answer: a model would be asked to write something else")
        raise ProviderRejectedError("replay", NOT_RECORDED)

    async def aclose(self) -> None:
        """The live model is its owner's to close."""

    def _recorded(self, kind: str, prompt: Prompt) -> ModelCall | None:
        record = prompt_record(prompt)
        self._asked.prompts.append(record)
        for position, call in enumerate(self._calls):
            if call.kind == kind and call.prompt == record:
                return self._calls.pop(position)
        return None


def _event_of(event: dict[str, Any]) -> StreamEvent:
    if "text" in event:
        return TextDelta(event["text"])
    if "switch" in event:
        return Switch(**event["switch"])
    end = event["end"]
    return AnswerEnd(**(end | {"usage": Usage(**end["usage"])}))


def _error_of(error: dict[str, str]) -> ProviderError:
    kind = getattr(errors, error["class"], ProviderError)
    if not (isinstance(kind, type) and issubclass(kind, ProviderError)):
        kind = ProviderError
    return kind(error["provider"], error["message"])


class _RecordedTool:
    """A tool that finds what it found."""

    def __init__(self, name: str, found: Sequence[ToolOutcome], assistant: Assistant) -> None:
        self._name = name
        self._found = found
        self._assistant = assistant

    async def __call__(self, arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
        del view, toolbox
        call = ToolCall(tool=self._name, arguments=arguments)
        for outcome in self._found:
            made = ToolCall(tool=outcome.call.tool, arguments=outcome.call.arguments)
            if made == call or self._assistant.same_call(call, made):
                return outcome.model_copy(deep=True)
        return ToolOutcome(call=call, error=NOT_RECORDED)


class _RecordedReads:
    """What understanding read, by what it asked; the rest of a store is away."""

    def __init__(self, recording: Recording) -> None:
        self._reads = {read.asked: read for read in recording.reads}

    def found(self, service: str, asked: str) -> Any:  # noqa: ANN401 - any JSON
        if asked not in self._reads:
            raise ServiceUnavailableError(service, NOT_RECORDED)
        read = self._reads[asked]
        if read.left_out_bytes is not None:
            raise ServiceUnavailableError(service, LEFT_OUT)
        return read.found


class _RecordedRedis:
    """RedisClient, as far as it was read."""

    def __init__(self, reads: _RecordedReads) -> None:
        self._reads = reads

    async def get(self, name: str) -> Any:  # noqa: ANN401 - redis-py's
        found = self._reads.found("redis", f"redis {name}")
        return found.encode() if isinstance(found, str) else found

    async def mget(self, names: Sequence[str]) -> list[Any]:
        return [await self.get(name) for name in names]

    def register_script(self, _script: str) -> Callable[..., Awaitable[None]]:
        """One that writes nothing, as all of a turn's scripts do no more than keep what was read."""

        async def keep_nothing(**_: Any) -> None:  # noqa: ANN401 - redis-py's
            return

        return keep_nothing


class _RecordedDirectus:
    """Directus, as far as it was read."""

    def __init__(self, reads: _RecordedReads) -> None:
        self._reads = reads

    async def read_item(self, collection: str, item_id: str, **query: Any) -> Any:  # noqa: ANN401 - Directus's
        return self._reads.found("directus", asked_of_directus(collection, item_id, query))

    async def read_items(self, collection: str, **query: Any) -> Any:  # noqa: ANN401 - Directus's
        return self._reads.found("directus", asked_of_directus(collection, "", query))


class _RecordedTools(Assistant):
    """The assistant itself, but for its tools, which find what they found."""

    name = "recorded"
    sources = frozenset()

    def __init__(self, assistant: Assistant, recording: Recording, *, understands_again: bool) -> None:
        self._assistant = assistant
        self._recording = recording
        self._understands_again = understands_again
        found = recording.ended.outcomes
        self.tools: Mapping[str, Tool] = {name: _RecordedTool(name, found, assistant) for name in assistant.tools}

    async def guess(self, view: TurnView, toolbox: Toolbox) -> Guess | None:
        return await self._assistant.guess(view, toolbox) if self._understands_again else None

    async def understand(self, view: TurnView, model: LanguageModel, toolbox: Toolbox) -> Understood:
        recorded = self._recording.ended.understanding
        if self._understands_again or recorded is None:
            return await self._assistant.understand(view, model, toolbox)
        return Understood(recorded)

    def plan(self, view: TurnView) -> list[ToolCall]:
        return self._assistant.plan(view)

    def same_call(self, made: ToolCall, planned: ToolCall) -> bool:
        return self._assistant.same_call(made, planned)

    def relax(self, view: TurnView) -> list[ToolCall]:
        return self._assistant.relax(view)

    def prompt(self, view: TurnView) -> Prompt:
        return self._assistant.prompt(view)

    def offline_answer(self, view: TurnView) -> str:
        return self._assistant.offline_answer(view)

    def fixed_answer(self, view: TurnView) -> str | None:
        return self._assistant.fixed_answer(view)

    def clean(self, text: str, view: TurnView, *, whole: bool) -> str:
        return self._assistant.clean(text, view, whole=whole)

    def outcome(self, view: TurnView) -> Outcome:
        return self._assistant.outcome(view)

    def sources_used(self, view: TurnView) -> Sequence[Source]:
        return self._assistant.sources_used(view)

    def suggestions(self, view: TurnView) -> Sequence[str]:
        return self._assistant.suggestions(view)

    @property
    def prompt_version(self) -> str:
        return self._assistant.prompt_version

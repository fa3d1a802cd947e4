"""Recordings: what went into a turn and what came back to it, so that it can be run again (``worker/replaying.py``).

Recorded at the seams where a turn meets the outside: the turn as it began (question, history, scope, clock), each
call of a model with its prompt and its reply, what understanding read of the conference, what the tools found, and
the answer. Settings are those that matter to an answer, by name; no key, token or address is among them.

A recording holds what the conversation in Directus holds, and lapses after RECORD_TURNS_DAYS. It is written once,
when the turn has ended, and failing to write it is told in the log and harms nothing. What is too large to be kept
leaves a mark that says what it was and how large, so that a replay knows what it lacks.
"""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from services import redis_keys
from services.answer_ids import answer_id_of
from services.errors import ErleahError, NotFoundError, ProviderError
from services.llm.calls import AnswerEnd, Parsed, Prompt, StreamEvent, Switch, TextDelta
from services.llm.chain import LanguageModel
from services.logging import get_logger
from services.redis import RedisError
from worker.turn import State, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from assistants.interface import Toolbox
    from services.directus.client import Directus
    from services.llm.calls import SchemaT
    from services.llm.meter import Meter
    from services.redis import RedisClient
    from services.settings import Settings
    from worker.turn_watch import LiveTurn

__all__ = [
    "MAX_BYTES",
    "Ending",
    "ModelCall",
    "Read",
    "Recording",
    "Recordings",
    "TurnRecorder",
    "asked_of_directus",
    "prompt_record",
]

log = get_logger(__name__)

MAX_BYTES = 256 * 1024
"""Compressed. A turn of the sample conference takes 1 to 25 kB (measured, six questions); of a larger one what was
read is left out, and if that does not do, all but its size."""
MAX_UNPACKED_BYTES = 8 * 1024 * 1024
"""What a recording may unpack to: who can write to Redis must not be able to fill an operator's memory."""
MAX_READ_BYTES = 128 * 1024
"""Of one read: a conference's row with the times and rooms of 1,000 sessions. A larger one leaves its size."""
PATIENCE_S = 1.0
"""The turn is over for its visitor; its worker slot does not wait longer for Redis."""
COMPRESSION = 1
"""A turn's 58 kB take 0.36 ms of a core and 20 kB of Redis (measured); level 3 0.48 for 19, level 6 1.16 for 18."""
DAY_S = 24 * 3600

_SETTINGS = (
    "embedding_provider", "embedding_model", "anthropic_model", "anthropic_fast_model", "openai_model",
    "llm_providers", "llm_max_tokens", "history_limit", "max_iterations", "turn_max_tokens", "turn_max_cost_usd",
    "prompt_version",
)  # fmt: skip


class ModelCall(BaseModel):
    """One call of a model: ``events`` of a stream with its text joined, ``value`` of a structured reply."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["parse", "stream"]
    prompt: dict[str, Any]
    value: dict[str, Any] | None = None
    events: list[dict[str, Any]] = Field(default_factory=list)
    error: dict[str, str] | None = None
    """``class``, ``provider`` and ``message`` of the ProviderError it ended with."""


class Read(BaseModel):
    """One thing read while understanding, by what was asked; ``found`` is JSON."""

    model_config = ConfigDict(extra="forbid")

    asked: str
    found: Any = None
    left_out_bytes: int | None = None
    """How large ``found`` was where it was too large to be kept; None where it is here."""


class Ending(BaseModel):
    """How the turn ended. ``final`` are the fields of the answer's last write, empty if it was called off."""

    model_config = ConfigDict(extra="forbid")

    text: str = ""
    final: dict[str, Any] = Field(default_factory=dict)
    called_off: str | None = None
    """The signal that ended it, None if it came to its end."""


class Recording(BaseModel):
    """A turn that can be run again."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    recorded_at: float
    settings: dict[str, Any]
    had_model: bool
    """Whether there was any model to ask."""
    begun: Turn
    """The turn as this attempt found it: new, or as the attempt before had saved it."""
    ended: Turn
    model_calls: list[ModelCall] = Field(default_factory=list)
    reads: list[Read] = Field(default_factory=list)
    ending: Ending = Field(default_factory=Ending)

    @property
    def left_out(self) -> list[Read]:
        """What was read and is not here, for it was too large."""
        return [read for read in self.reads if read.left_out_bytes is not None]

    def without_reads(self) -> Recording:
        """The same, of what was read the sizes alone."""
        reads = [read if read.left_out_bytes else _left_out(read.asked, read.found) for read in self.reads]
        return self.model_copy(update={"reads": reads})


class _TooLarge(BaseModel):
    """What is kept in place of a recording that is too large even without what was read."""

    model_config = ConfigDict(extra="forbid")

    too_large_bytes: int


_KEPT: TypeAdapter[Recording | _TooLarge] = TypeAdapter(Recording | _TooLarge)


class TurnRecorder:
    """Takes one turn down. Hand its ``model`` and ``toolbox`` to the steps in place of the real ones."""

    def __init__(self, turn: Turn, model: LanguageModel, toolbox: Toolbox, settings: Settings) -> None:
        self._begun = turn.model_copy(deep=True)
        self._settings = settings
        self._had_model = model.has_model
        self._calls: list[ModelCall] = []
        self._reads: dict[str, Read] = {}
        self.model: LanguageModel = _RecordingModel(model, self._calls)
        reading = _Reading(lambda: turn.state is State.UNDERSTAND, self._reads)
        self.toolbox = replace(
            toolbox,
            redis=cast("RedisClient", _RecordingRedis(toolbox.redis, reading)),
            directus=cast("Directus", _RecordingDirectus(toolbox.directus, reading)),
        )

    def recording(self, live: LiveTurn) -> Recording:
        """All of it, now that the turn has ended."""
        return Recording(
            recorded_at=time.time(),
            settings={name: getattr(self._settings, name) for name in _SETTINGS},
            had_model=self._had_model,
            begun=self._begun,
            ended=live.turn,
            model_calls=self._calls,
            reads=list(self._reads.values()),
            ending=Ending(
                text=live.answer.text,
                final=live.answer.final or {},
                called_off=type(live.signal).__name__ if live.signal is not None else None,
            ),
        )


class Recordings:
    """Recordings in Redis: the newest ``redis_keys.RECORDINGS_AT_MOST``, each for ``days`` days at most."""

    def __init__(self, redis: RedisClient, *, days: int) -> None:
        self._redis = redis
        self._ttl_s = days * DAY_S

    async def keep(self, take: Callable[[], Recording]) -> None:
        """Write what ``take`` gives, or that it was too large; never raises, for the turn is not to blame."""
        try:
            recording = take()
            packed = _packed(recording)
            async with asyncio.timeout(PATIENCE_S):
                await self._write(recording.begun.message_id, packed)
        except (TimeoutError, ErleahError, RedisError, OSError) as error:
            log.info("recording.not_kept", reason=type(error).__name__)
        except Exception:  # a defect of the record must not become one of the turn
            log.exception("recording.failed")

    async def load(self, message_id: str) -> Recording | None:
        """The recording of the turn that answered this message, None if there is none that can be read.

        Raises ServiceUnavailableError when Redis is away, NotFoundError when it was too large to be kept.
        """
        packed: Any = await self._redis.get(redis_keys.recording(message_id))
        if packed is None:
            return None
        try:
            kept = _KEPT.validate_json(zlib.decompressobj().decompress(packed, MAX_UNPACKED_BYTES))
        except (ValidationError, zlib.error):
            log.warning("recording.unreadable", message_id=message_id)
            return None
        if isinstance(kept, _TooLarge):
            raise NotFoundError(
                f"the recording of this turn had {kept.too_large_bytes / 1000:,.0f} kB and was too large to be kept; "
                "ask something shorter again, and replay that: erleah ask QUESTION"
            )
        return kept

    async def question_of(self, answer_id: str) -> str | None:
        """The message whose recorded turn wrote that answer; an answer's id leads back to no question by itself."""
        recorded: list[Any] = await self._redis.zrange(redis_keys.RECORDINGS, 0, -1)
        return next((each.decode() for each in recorded if answer_id_of(each.decode()) == answer_id), None)

    async def _write(self, message_id: str, packed: bytes) -> None:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(redis_keys.recording(message_id), packed, ex=self._ttl_s)
            pipe.zadd(redis_keys.RECORDINGS, {message_id: time.time()})
            pipe.expire(redis_keys.RECORDINGS, self._ttl_s)
            pipe.zrange(redis_keys.RECORDINGS, 0, -1 - redis_keys.RECORDINGS_AT_MOST)
            *_, oldest = await pipe.execute()
        if oldest:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(*(redis_keys.recording(each.decode()) for each in oldest))
                pipe.zrem(redis_keys.RECORDINGS, *oldest)
                await pipe.execute()


def _packed(recording: Recording) -> bytes:
    """As it lies in Redis: whole, else without what was read, else no more than how large it was."""
    whole_bytes = 0
    for each in (recording, recording.without_reads()):
        plain = each.model_dump_json().encode()
        whole_bytes = whole_bytes or len(plain)
        packed = zlib.compress(plain, COMPRESSION)
        if len(packed) <= MAX_BYTES and len(plain) <= MAX_UNPACKED_BYTES:
            return packed
        log.info("recording.too_large", bytes=len(packed), unpacked_bytes=len(plain))
    return zlib.compress(_TooLarge(too_large_bytes=whole_bytes).model_dump_json().encode(), COMPRESSION)


def prompt_record(prompt: Prompt) -> dict[str, Any]:
    """A prompt as JSON; without its budget, which is told to the provider alone."""
    record = asdict(prompt) | {"messages": [asdict(message) for message in prompt.messages]}
    del record["budget"]
    return record


class _RecordingModel(LanguageModel):
    """A language model that takes down what it is asked and what it says."""

    def __init__(self, model: LanguageModel, calls: list[ModelCall]) -> None:
        self._model = model
        self._calls = calls

    @property
    def has_model(self) -> bool:
        return self._model.has_model

    @property
    def provider_names(self) -> tuple[str, ...]:
        return self._model.provider_names

    async def parse(self, prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        call = ModelCall(kind="parse", prompt=prompt_record(prompt))
        self._calls.append(call)
        try:
            parsed = await self._model.parse(prompt, schema)
        except ProviderError as error:
            call.error = _error_record(error)
            raise
        usage = asdict(parsed.usage)
        value = parsed.value.model_dump(mode="json")
        call.value = {"value": value, "provider": parsed.provider, "model": parsed.model, "usage": usage}
        return parsed

    async def stream(
        self, prompt: Prompt, *, offline: Callable[[], str], meter: Meter | None = None
    ) -> AsyncGenerator[StreamEvent, None]:
        call = ModelCall(kind="stream", prompt=prompt_record(prompt))
        self._calls.append(call)
        events = self._model.stream(prompt, offline=offline, meter=meter)
        try:
            async for event in events:
                _take_down(event, call.events)
                yield event
        except ProviderError as error:
            call.error = _error_record(error)
            raise
        finally:
            await events.aclose()

    async def aclose(self) -> None:
        """The model is its owner's to close."""


def _take_down(event: StreamEvent, events: list[dict[str, Any]]) -> None:
    match event:
        case TextDelta(text=text) if events and "text" in events[-1]:
            events[-1]["text"] += text
        case TextDelta(text=text):
            events.append({"text": text})
        case Switch():
            events.append({"switch": asdict(event)})
        case AnswerEnd():
            events.append({"end": asdict(event)})


def _error_record(error: ProviderError) -> dict[str, str]:
    return {"class": type(error).__name__, "provider": error.provider, "message": str(error)}


class _Reading:
    """Reads by what was asked, taken down while ``is_on`` says so."""

    def __init__(self, is_on: Callable[[], bool], reads: dict[str, Read]) -> None:
        self._is_on = is_on
        self._reads = reads

    def note(self, asked: str, found: Any) -> None:  # noqa: ANN401 - any JSON
        if self._is_on():
            is_kept = _size(found) <= MAX_READ_BYTES
            self._reads[asked] = Read(asked=asked, found=found) if is_kept else _left_out(asked, found)


def _left_out(asked: str, found: Any) -> Read:  # noqa: ANN401 - any JSON
    return Read(asked=asked, left_out_bytes=_size(found))


def _size(found: Any) -> int:  # noqa: ANN401 - any JSON
    return len(to_json(found, fallback=str))


class _RecordingRedis:
    """RedisClient, its ``get`` and ``mget`` taken down; everything else is Redis's own."""

    def __init__(self, redis: RedisClient, reading: _Reading) -> None:
        self._redis = redis
        self._reading = reading

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever Redis has
        return getattr(self._redis, name)

    async def get(self, name: str) -> Any:  # noqa: ANN401 - redis-py's
        return (await self.mget([name]))[0]

    async def mget(self, names: Sequence[str]) -> list[Any]:
        found: list[Any] = await self._redis.mget(names)
        for name, each in zip(names, found, strict=True):
            self._reading.note(f"redis {name}", each.decode(errors="replace") if isinstance(each, bytes) else each)
        return found


class _RecordingDirectus:
    """Directus, its reads taken down; everything else is Directus's own."""

    def __init__(self, directus: Directus, reading: _Reading) -> None:
        self._directus = directus
        self._reading = reading

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever Directus has
        return getattr(self._directus, name)

    async def read_item(self, collection: str, item_id: str, **query: Any) -> Any:  # noqa: ANN401 - Directus's
        found = await self._directus.read_item(collection, item_id, **query)
        self._reading.note(asked_of_directus(collection, item_id, query), found)
        return found

    async def read_items(self, collection: str, **query: Any) -> Any:  # noqa: ANN401 - Directus's
        found = await self._directus.read_items(collection, **query)
        self._reading.note(asked_of_directus(collection, "", query), found)
        return found


def asked_of_directus(collection: str, item_id: str, query: dict[str, Any]) -> str:
    """The name of a read, the same for the same question."""
    return f"directus {collection} {item_id} {json.dumps(query, sort_keys=True, default=list)}"

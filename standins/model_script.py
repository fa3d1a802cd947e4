"""What a model stand-in is to do: the text, its pace, and how it goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import cycle, islice
from typing import Any

__all__ = ["Fault", "FaultKind", "RecordedRequest", "Reply", "Script", "filler_pieces", "pieces_of"]

_FILLER = ("Here ", "is ", "what ", "I ", "found ", "for ", "you ", "at ", "the ", "conference. ")


class FaultKind(StrEnum):
    """Every way a provider was seen to fail."""

    STATUS = "status"
    """Answers with an HTTP error instead of a stream."""

    TIMEOUT = "timeout"
    """Takes the request and never answers a byte."""

    ERROR_EVENT = "error_event"
    """An error event inside a stream that began with HTTP 200."""

    DROP = "drop"
    """The connection is cut."""

    STALL = "stall"
    """The connection stays open, only pings come."""

    SILENT_END = "silent_end"
    """The stream ends cleanly, but without its last events."""

    GARBAGE = "garbage"
    """A line that is not what the protocol says."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, after how many tokens (0: before the first).

    ``status`` and ``retry_after`` (seconds) count for STATUS; ``error_type`` is the API's own word.
    """

    kind: FaultKind
    after_tokens: int = 0
    status: int = 529
    error_type: str = "overloaded_error"
    message: str = "stand-in fault"
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """One reply.

    ``text`` None means ``tokens`` filler words. ``tokens_per_second`` None means as fast as it
    goes. ``parsed`` is the structured reply (None: the smallest that fits the asked schema).
    ``stop_reason`` is Anthropic's word; OpenAI's is derived from it.
    """

    text: str | None = None
    tokens: int = 40
    tokens_per_second: float | None = None
    first_token_delay_s: float = 0.0
    thinking: str = ""
    stop_reason: str = "end_turn"
    parsed: dict[str, Any] | str | None = None
    input_tokens: int = 100
    cache_read_tokens: int = 0
    fault: Fault | None = None

    @property
    def pieces(self) -> tuple[str, ...]:
        """The text as the tokens it is sent in."""
        return filler_pieces(self.tokens) if self.text is None else pieces_of(self.text)


@dataclass(slots=True)
class RecordedRequest:
    """What was asked of the stand-in, and how its reply ended.

    ``ended`` is set when the reply is over or the client has gone (``hung_up``, ``hung_up_at`` on the monotonic clock).
    """

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float
    sent_tokens: int = 0
    hung_up: bool = False
    hung_up_at: float | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def streamed(self) -> bool:
        """Whether a stream was asked for."""
        return bool(self.body.get("stream"))

    @property
    def system(self) -> str:
        """The system prompt, whichever API it came through."""
        system = self.body.get("system", "")
        if isinstance(system, list):
            return "".join(block["text"] for block in system)
        if system:
            return str(system)
        return "".join(_text_of(m) for m in self.body.get("messages", []) if m["role"] in {"system", "developer"})

    @property
    def last_user_text(self) -> str:
        """All text of the last user message."""
        users = [m for m in self.body.get("messages", []) if m["role"] == "user"]
        return _text_of(users[-1]) if users else ""


Reply = Script | Callable[[RecordedRequest], Script]
"""A script, or a function that writes one for what was asked."""


def _text_of(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def filler_pieces(count: int) -> tuple[str, ...]:
    """``count`` tokens of harmless text."""
    return tuple(islice(cycle(_FILLER), count))


def pieces_of(text: str) -> tuple[str, ...]:
    """``text`` in word-sized pieces that join to exactly the text."""
    pieces: list[str] = []
    start = 0
    for at in range(1, len(text)):
        if text[at - 1].isspace() and not text[at].isspace():
            pieces.append(text[start:at])
            start = at
    if text:
        pieces.append(text[start:])
    return tuple(pieces)

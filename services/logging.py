"""Structured logs: structlog, one line per event, a trace id on each line of a turn.

Secrets and what people wrote stay out: callers log ids, counts and durations, and the last
processor masks any value under a name that holds text or a key, should one slip in. Of an exception
its type and frames are shown, and its words only if they are ours: others may quote a question or a key.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

from services.errors import ErleahError

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from services.settings import Settings

__all__ = ["bind_trace", "bound_trace", "configure_logging", "get_logger", "new_trace_id"]

_PRIVATE_KEYS = frozenset(
    {"text", "messagetext", "question", "answer", "prompt", "token", "secret", "api_key", "authorization", "password"}
)


def configure_logging(settings: Settings) -> None:
    """Send structlog and the standard library's loggers to stderr in one format."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask_private,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        # First of all what nobody will see is dropped: 0.2 ms of a turn's processor time, sampled.
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _first_line],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(lambda info: "\n".join(_lines_of(info[1]))),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    # These speak at INFO of every request or job, with addresses that can hold ids and tokens.
    loud = ("httpx", "httpx2", "httpcore", "httpcore2", "arq", "uvicorn.access", "anthropic", "openai")
    # And this one, at DEBUG, of every block of every description: 100,000 lines for a conference.
    for name in (*loud, "markdown_it"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines carry ``logger=name`` and whatever is bound to the current context."""
    return structlog.stdlib.get_logger(name)


def new_trace_id() -> str:
    """A fresh trace id: 32 hexadecimal characters, as W3C Trace Context has it."""
    return uuid4().hex


def bind_trace(trace_id: str, **ids: str) -> None:
    """Put the trace id (and other ids) on every log line of the current task, and nothing else."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(trace_id=trace_id, **ids)


def bound_trace() -> str:
    """The trace id that is bound here; empty where none is."""
    return str(structlog.contextvars.get_contextvars().get("trace_id", ""))


def _lines_of(error: BaseException) -> Iterator[str]:
    """An exception and what led to it: types, frames, and words where they are ours."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _lines_of(before)
        yield "which led to:"
    yield "Traceback (most recent call last):"
    yield from (frame.rstrip() for frame in traceback.format_tb(error.__traceback__))
    yield f"{type(error).__qualname__}: {error}" if isinstance(error, ErleahError) else type(error).__qualname__
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _lines_of(each)


def _first_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of asyncio's complaints the first line alone: the others print the task, with its exception's words."""
    if event["logger"] == "asyncio":
        event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _mask_private(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if key.lower() in _PRIVATE_KEYS:
            event[key] = "[private]"
    return event

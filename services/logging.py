"""Structured logs: structlog, one line per event, a trace id on each line of a turn.

Secrets and what people wrote stay out: callers log ids, counts and durations, and the last
processor masks any value under a name that holds text or a key, should one slip in.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from services.settings import Settings

__all__ = ["bind_trace", "configure_logging", "get_logger", "new_trace_id"]

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
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the default prints local variables too
        )
    )
    before_rendering: list[Any] = [] if settings.log_format == "console" else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *before_rendering,
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


def _mask_private(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if key.lower() in _PRIVATE_KEYS:
            event[key] = "[private]"
    return event

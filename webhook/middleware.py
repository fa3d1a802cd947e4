"""What happens to every request: a correlation id, a log line, safe headers, a last catch."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware

from services.logging import bind_trace, get_logger, new_trace_id
from webhook.responses import error_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from webhook.responses import ErrorAnswers

__all__ = ["CORRELATION_HEADER", "Correlation", "Cors", "LastCatch", "SafeHeaders", "trace_of"]

CORRELATION_HEADER: Final = "X-Correlation-ID"

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What may go into a header, a job and a log line as it is."""

_SCOPE_KEY: Final = "erleah.trace_id"

_MAX_LOGGED_PATH: Final = 200

_log = get_logger(__name__)


def trace_of(request: Request) -> str:
    """The request's correlation id, which is the trace id of what it sets going."""
    return str(request.scope[_SCOPE_KEY])


class Correlation:
    """Takes the caller's X-Correlation-ID if it is sane, else makes one; puts it on every answer.

    Logs one line a request: method, path without its query, status and milliseconds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).getlist(CORRELATION_HEADER)
        trace_id = sent[0] if len(sent) == 1 and _SANE_ID.fullmatch(sent[0]) else new_trace_id()
        scope[_SCOPE_KEY] = trace_id
        bind_trace(trace_id)
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[CORRELATION_HEADER] = trace_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            path = scope["path"][:_MAX_LOGGED_PATH]
            # Probes come every few seconds and say nothing new.
            log = _log.debug if path.startswith("/health") else _log.info
            elapsed_ms = round((time.perf_counter() - started) * 1000, 1)
            log("request", method=scope["method"], path=path, status=status, ms=elapsed_ms)


class Cors(CORSMiddleware):
    """Starlette's CORS, whose refusal of a preflight has the shape of every other error."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:  # noqa: PLR2004 - from 400 on it is a refusal
            return response
        kept = {
            name: value for name, value in response.headers.items() if name not in {"content-length", "content-type"}
        }
        return error_response(400, "cors", "This origin, method or header is not allowed", headers=kept)


class SafeHeaders:
    """Headers that keep a browser from guessing, telling and keeping; a page may set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
                # Answers hold share ids and the like; what may be kept says so itself.
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_safely)


class LastCatch:
    """Answers 500 for what nobody else caught, inside CORS so that a browser may read it.

    Starlette's own outermost catch would answer without those headers and raise again, for the
    server to log a second time.
    """

    def __init__(self, app: ASGIApp, answers: ErrorAnswers) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if started:
                raise  # half an answer is out: the server must break the connection, not pretend
            await self._answers.of(error)(scope, receive, send)

"""The window's files: the chat page, its settings, and what a browser may do on it."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.logging import get_logger

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import Message, Receive, Scope, Send

    from services.settings import Settings

__all__ = ["STATIC_FILES", "window_routes"]

STATIC_FILES: Final = Path(str(files("widget"))) / "static"
"""By name, so that nothing of the window's is imported; it is part of the wheel."""

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:*]+")
"""What may be named in a policy; anything else could end the directive it stands in."""

_log = get_logger(__name__)

_REVALIDATE: Final = "no-cache"
"""Kept, and asked after with its ETag: a new version is seen at once, and costs 304 otherwise."""


def window_routes(settings: Settings, folder: Path = STATIC_FILES) -> list[BaseRoute]:
    """GET /widget/…: the files in ``widget/static``, and /widget/config.json.

    The page finds Directus and its conference in config.json; ``api_url`` is empty, for the page's
    own origin.
    """
    config = {
        "directus_url": settings.browser_directus_url,
        "api_url": "",
        "default_conference_id": settings.default_conference_id,
    }

    async def configuration(_request: Request) -> JSONResponse:
        return JSONResponse(config)

    async def with_slash(request: Request) -> RedirectResponse:
        # Relative, so that it holds behind any proxy and path.
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"widget/{query}", status_code=308)

    routes: list[BaseRoute] = [Route("/widget", with_slash), Route("/widget/config.json", configuration)]
    if folder.is_dir():
        routes.append(Mount("/widget", _Policed(StaticFiles(directory=folder, html=True), settings)))
    else:
        # Hooks and answers need no page; one that is missing is an installation to mend, not to stop.
        _log.error("window_files_missing", folder=str(folder))
    return routes


def content_security_policy(settings: Settings) -> str:
    """Own files only, connections to here and Directus (http and ws), framed by known widgets' pages."""
    origin = _origin(settings.browser_directus_url)
    connect = ["'self'", origin, re.sub(r"^http", "ws", origin)]
    frames = ["'self'", *(o for o in settings.cors_origins if o == "*" or _ORIGIN.fullmatch(o))]
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            f"connect-src {' '.join(connect)}",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {' '.join(frames)}",
        ]
    )


def _origin(url: str) -> str:
    """Scheme, host and port: a policy's path would have to match to the letter."""
    match = _ORIGIN.match(url)
    return match[0] if match else ""


class _Policed:
    """Static files with the page's policy on every answer."""

    def __init__(self, app: StaticFiles, settings: Settings) -> None:
        self._app = app
        self._headers = [
            (b"content-security-policy", content_security_policy(settings).encode("ascii")),
            (b"cache-control", _REVALIDATE.encode("ascii")),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one file."""

        async def send_policed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        await self._app(scope, receive, send_policed)

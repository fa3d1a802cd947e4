"""A real Chromium for tests of the window: started headless, watched for whatever it should not do."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, ConsoleMessage, Dialog, Page, Request, WebSocket

__all__ = ["Watch", "chromium", "open_page"]

FLAGS: Final = (
    "--no-sandbox",  # in containers tests often run as root, where Chromium's sandbox can't be set up
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ACTION_TIMEOUT_MS: Final = 10_000
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@dataclass
class Watch:
    """What a page did beside what it showed."""

    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> set[str]:
        """``host:port`` of everything that was asked for."""
        return {urlsplit(url).netloc for url in [*self.requests, *self.sockets] if not url.startswith("data:")}

    @property
    def violations(self) -> list[str]:
        """What the page's policy had to forbid."""
        return [line for line in self.console if "Content Security Policy" in line]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The machine's own Chromium (Debian's package; ``CHROMIUM`` names another); RuntimeError if there is none."""
    path = os.environ.get("CHROMIUM") or next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise RuntimeError("Chromium is not installed: apt install chromium, or name one in CHROMIUM")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(browser: Browser, **context_options: Any) -> AsyncIterator[tuple[Page, Watch]]:  # noqa: ANN401 - Playwright's own options for a context
    """A page with a storage of its own; ``context_options`` are those of Playwright's ``new_context``."""
    context = await browser.new_context(**context_options)
    context.set_default_timeout(ACTION_TIMEOUT_MS)
    watch = Watch()
    try:
        page = await context.new_page()
        _attach(page, watch)
        context.on("page", lambda opened: _attach(opened, watch))
        yield page, watch
    finally:
        await context.close()


def _attach(page: Page, watch: Watch) -> None:
    async def dismiss(dialog: Dialog) -> None:
        watch.dialogs.append(dialog.message)
        await dialog.dismiss()

    def note_console(message: ConsoleMessage) -> None:
        watch.console.append(message.text)

    def note_request(request: Request) -> None:
        watch.requests.append(request.url)

    def note_socket(socket: WebSocket) -> None:
        watch.sockets.append(socket.url)

    page.on("dialog", dismiss)
    page.on("console", note_console)
    page.on("pageerror", lambda error: watch.errors.append(str(error)))
    page.on("request", note_request)
    page.on("websocket", note_socket)

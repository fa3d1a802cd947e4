"""Fixtures of the window's tests: a Chromium, the stand-in behind the page, and the page itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.browser import chromium, open_page
from tests.e2e.window_stand_in import window_stand_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Locator, Page

    from tests.e2e.browser import Watch
    from tests.e2e.window_stand_in import WindowStandIn

__all__ = ["WindowPage", "chromium_browser", "window", "window_server"]


@dataclass
class WindowPage:
    """The chat page, by what a visitor sees in it."""

    page: Page
    watch: Watch
    server: WindowStandIn

    async def open(self, query: str = "") -> None:
        """Open the page and wait until it takes questions."""
        await self.page.goto(f"{self.server.address}/widget/{query}")
        await self.ready()

    async def ready(self) -> None:
        """Wait until the page takes questions."""
        await self.page.locator("html[data-ready]").wait_for()

    async def ask(self, text: str) -> str:
        """Type and send a question; gives its answer's id once the page watches it."""
        number = len(self.server.asked) + 1
        await self.type(text)
        return await self.server.question(number)

    async def type(self, text: str) -> None:
        """Type and send."""
        await self.field.fill(text)
        await self.field.press("Enter")

    @property
    def field(self) -> Locator:
        """Where a question is typed."""
        return self.page.get_by_label("Your question")

    @property
    def questions(self) -> Locator:
        """All questions."""
        return self.page.locator(".question")

    @property
    def answers(self) -> Locator:
        """All answers."""
        return self.page.locator(".answer")

    @property
    def answer(self) -> Locator:
        """The newest answer."""
        return self.answers.last

    @property
    def text(self) -> Locator:
        """The newest answer's text."""
        return self.answer.locator(".markdown")

    @property
    def stop(self) -> Locator:
        """The button that stops an answer."""
        return self.page.get_by_role("button", name="Stop the answer")

    @property
    def notice(self) -> Locator:
        """What the page says about a failure."""
        return self.page.locator(".notice")

    @property
    def retry(self) -> Locator:
        """The button of a notice."""
        return self.notice.get_by_role("button", name="Try again")

    async def is_idle(self) -> None:
        """Pass once the page takes the next question."""
        await expect(self.page.locator("#composer")).to_have_attribute("data-state", "idle")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium_browser() -> AsyncIterator[Browser]:
    """One Chromium for a test module whose tests run in the module's loop."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def window_server() -> AsyncIterator[WindowStandIn]:
    """A receiver and a Directus that do as the test says."""
    async with window_stand_in() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def window(chromium_browser: Browser, window_server: WindowStandIn) -> AsyncIterator[WindowPage]:
    """A page of its own; whatever the test was about, it broke no policy, threw nothing and asked no other host."""
    async with open_page(chromium_browser) as (page, watch):
        shown = WindowPage(page, watch, window_server)
        await shown.open()
        yield shown
        assert watch.errors == []
        assert watch.violations == []
        assert watch.dialogs == []
        assert watch.hosts <= {urlsplit(url).netloc for url in (window_server.address, window_server.directus_url)}

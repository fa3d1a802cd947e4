"""The window's files and what a browser may do on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette

from tests.webhook.conftest import CONFERENCE, Door, opened_door, settings_of
from webhook.window import content_security_policy, window_routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def test_the_page_finds_directus_and_its_conference() -> None:
    changes = {"directus_public_url": "https://cms.example", "default_conference_id": CONFERENCE}
    async with opened_door(**changes) as door:
        answer = await door.http.get("/widget/config.json")
    expected = {"directus_url": "https://cms.example", "api_url": "", "default_conference_id": CONFERENCE}
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_the_folder_without_its_slash_keeps_what_was_asked(door: Door) -> None:
    answer = await door.http.get("/widget?conference=7")
    assert (answer.status_code, answer.headers["Location"]) == (308, "widget/?conference=7")


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The window's routes over a folder with one page, beside a file that is nobody's business."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html>hello")
    (tmp_path / "private.txt").write_text("private")
    (folder / "link.txt").symlink_to(tmp_path / "private.txt")
    app = Starlette(routes=window_routes(settings_of(), folder))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door.test") as client:
        yield client


async def test_the_folder_shows_its_page_under_the_pages_policy(page: httpx.AsyncClient) -> None:
    answer = await page.get("/widget/")
    assert (answer.status_code, answer.text) == (200, "<!doctype html>hello")
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-cache"
    again = await page.get("/widget/", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["../private.txt", "%2e%2e/private.txt", "..%2fprivate.txt", "/etc/passwd", "link.txt", "%00", "x" * 5000]
)
async def test_nothing_outside_the_folder_is_served(page: httpx.AsyncClient, path: str) -> None:
    assert (await page.get(f"/widget/{path}")).status_code == 404


async def test_a_page_is_looked_at_and_not_written_to(page: httpx.AsyncClient) -> None:
    assert (await page.post("/widget/")).status_code == 405


async def test_an_installation_without_the_page_takes_hooks_all_the_same(tmp_path: Path) -> None:
    app = Starlette(routes=window_routes(settings_of(), tmp_path / "nothing"))
    app.router.redirect_slashes = False  # as the receiver's app has it
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door.test") as client:
        assert (await client.get("/widget/")).status_code == 404
        assert (await client.get("/widget/config.json")).status_code == 200


def test_a_page_may_load_its_own_files_and_talk_to_here_and_to_directus() -> None:
    settings = settings_of(
        directus_public_url="https://cms.example:8443/sub", cors_origins=("https://a.example", "https://b.example")
    )
    policy = dict(part.split(" ", 1) for part in content_security_policy(settings).split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self' https://cms.example:8443 wss://cms.example:8443"
    assert policy["frame-ancestors"] == "'self' https://a.example https://b.example"


def test_a_setting_cant_end_a_directive_of_the_policy() -> None:
    settings = settings_of(
        directus_url="http://cms.example; script-src *", cors_origins=("https://x.example; script-src *",)
    )
    assert content_security_policy(settings).count("script-src") == 1

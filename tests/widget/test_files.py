"""The window's files: whole, unchanged where they are others', and without anything a strict policy forbids."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette

from services.settings import Settings
from webhook.window import STATIC_FILES as STATIC
from webhook.window import window_routes

if TYPE_CHECKING:
    from pathlib import Path

VENDOR = STATIC / "vendor"
FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
OWN = [path for path in FILES if VENDOR not in path.parents]
OWN_SCRIPTS = [path for path in OWN if path.suffix == ".js"]
PAGES = [path for path in FILES if path.suffix == ".html"]

IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*["']([^"']+)["']""")


def named(path: Path) -> str:
    """A file's name in a test's name."""
    return path.relative_to(STATIC).as_posix()


class Page(HTMLParser):
    """What of a page could run, style or load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attrs:
            if name.startswith("on") or name == "style" or (value or "").lower().startswith("javascript:"):
                self.inline.append(f"{tag} {name}={value}")
            elif name in {"src", "href"} and value:
                self.loads.append(value)
            elif name == "id" and value:
                self.ids.append(value)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - HTMLParser's own signature
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"} and data.strip():
            self.inline.append(data)


def test_every_vendored_file_is_as_it_was_published() -> None:
    sums = (VENDOR / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    expected = {name: digest for digest, name in (line.split("  ", 1) for line in sums)}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name not in {"README.md", "SHA256SUMS"}
    }
    assert found == expected


def test_every_vendored_library_is_named_with_its_version_and_brings_its_licence() -> None:
    readme = (VENDOR / "README.md").read_text(encoding="utf-8")
    for library, file, licences in [
        ("marked", "marked.esm.js", ["marked.LICENSE.md"]),
        ("dompurify", "purify.es.mjs", ["dompurify.LICENSE", "dompurify.LICENSE-MPL"]),
    ]:
        version = re.search(r"(?:marked v|DOMPurify )(\d+\.\d+\.\d+)", (VENDOR / file).read_text(encoding="utf-8"))
        assert version is not None
        assert f"| {library} | {version[1]} |" in readme
        for licence in licences:
            assert licence in readme
            assert len((VENDOR / licence).read_text(encoding="utf-8")) > 1000


def test_nothing_is_vendored_that_the_page_does_not_use() -> None:
    scripts = {path.name for path in VENDOR.iterdir() if path.suffix in {".js", ".mjs"}}
    used = {name.rsplit("/", 1)[-1] for path in OWN_SCRIPTS for name in IMPORT.findall(path.read_text("utf-8"))}
    assert scripts <= used
    assert [path for path in FILES if path.suffix == ".map"] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_holds_no_inline_script_style_or_handler_and_loads_its_own_files_only(page: Path) -> None:
    seen = Page(page.read_text(encoding="utf-8"))
    assert seen.inline == []
    assert len(seen.ids) == len(set(seen.ids))
    for address in seen.loads:
        assert ":" not in address
        assert not address.startswith("/")
        assert (page.parent / address).is_file(), address


def test_the_scripts_find_every_element_they_ask_for() -> None:
    ids = Page((STATIC / "index.html").read_text(encoding="utf-8")).ids
    asked = re.findall(r'byId\("([^"]+)"\)', (STATIC / "app.js").read_text(encoding="utf-8"))
    assert asked
    assert set(asked) <= set(ids)


@pytest.mark.parametrize("script", OWN_SCRIPTS, ids=named)
def test_a_script_imports_what_is_there_and_makes_nothing_of_strings(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    for name in IMPORT.findall(text):
        assert name.startswith("."), name
        assert (script.parent / name).resolve().is_file(), name
    forbidden = (
        r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|setAttribute\(\"on"
        r"|setAttribute\(\"style|setTimeout\(\"|localStorage|document\.cookie"
    )
    assert re.findall(forbidden, text) == []


@pytest.mark.parametrize("path", [path for path in OWN if path.suffix in {".js", ".css", ".html", ".svg"}], ids=named)
def test_nothing_of_ours_names_another_host(path: Path) -> None:
    addresses = re.findall(r"(?:https?:|wss?:|url\()//?[^\s\"')]+", path.read_text(encoding="utf-8"))
    assert [address for address in addresses if address != "http://www.w3.org/2000/svg"] == []


def test_every_script_of_ours_is_used() -> None:
    used = {(path.parent / name).resolve() for path in OWN_SCRIPTS for name in IMPORT.findall(path.read_text("utf-8"))}
    assert {path for path in OWN_SCRIPTS if path.resolve() not in used} == {STATIC / "app.js"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "text/html"),
        ("app.js", "text/javascript"),
        ("view/answer.js", "text/javascript"),
        ("vendor/marked.esm.js", "text/javascript"),
        ("vendor/purify.es.mjs", "text/javascript"),
        ("style.css", "text/css"),
        ("favicon.svg", "image/svg+xml"),
    ],
)
async def test_the_receiver_serves_each_file_as_what_it_is(name: str, kind: str) -> None:
    """A browser runs no module of another type."""
    values: dict[str, Any] = {"directus_api_key": "key", "directus_webhook_secret": "a-secret-that-only-directus-knows"}
    app = Starlette(routes=window_routes(Settings(_env_file=None, **values)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door.test") as client:
        answer = await client.get(f"/widget/{name}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == kind

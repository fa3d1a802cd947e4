"""``erleah demo`` as a newcomer meets it: one start, the page, the commands of a second terminal, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import expect

from cli.local_directus import free_port
from standins.models import ModelStandIn
from tests.e2e.browser import chromium, open_page
from tests.e2e.directus_server import Rest
from tests.e2e.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

PATIENCE_S = 240.0
"""A start takes half a minute; a machine that tests other things at once took three times that."""
CONFERENCE = "87324dc9-9ee0-5a07-9057-3b7b4feeeecb"
TESTING = "Which talks are about testing?"
DATABASE = "who can help me with scaling my database?"
TALKS_ABOUT_TESTING = {
    "pytest tips and tricks for a better testsuite",
    "Mutation Testing in Python with Cosmic Ray",
    "Pytest Design Patterns",
    "Streamlining Testing in a Large Python Codebase",
    "Adventures in not writing tests",
}
ABOUT_DATABASES = {
    "Aggregating data in Django using database views",
    "Python on the Rocks: Crafting a Smooth Blend with RocksDB",
    "How I used pgvector and PostgreSQL® to find pictures of me at a party",
    "chDB: The Blazing Fast SQL Engine for Data Science",
    "Redis",
}
COLLECTIONS = {"session": "sessions", "speaker": "speakers", "exhibitor": "exhibitors"}
NOTE_GROWTH = """
() => {
  window.seen = [];
  new MutationObserver(() => {
    const text = document.querySelector(".answer:last-of-type .markdown")?.innerText ?? "";
    if (text && text !== window.seen.at(-1)) window.seen.push(text);
  }).observe(document.getElementById("transcript"), { childList: true, subtree: true, characterData: true });
}
"""


@dataclass
class Demo:
    """A running demo, and a second terminal in its folder."""

    folder: Path
    process: subprocess.Popen[str]

    def erleah(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in another process, with no setting but what the demo left."""
        return subprocess.run(  # noqa: S603 - our own command
            (sys.executable, "-m", "cli.main", *words),
            cwd=self.folder, env=environment(), input=stdin, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

    def said(self, stream: str = "stdout") -> str:
        """What the demo has written so far."""
        return (self.folder / stream).read_text(encoding="utf-8")

    def value(self, name: str) -> str:
        """A setting that the demo left for other terminals."""
        line = re.search(rf"^{name}=(.*)$", self.env_file.read_text(encoding="utf-8"), re.MULTILINE)
        assert line is not None
        return line[1]

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait while the demo starts."""
        deadline = time.monotonic() + PATIENCE_S
        while not until():
            assert self.process.poll() is None, self.said("stderr")
            assert time.monotonic() < deadline, self.said("stderr")
            time.sleep(0.1)

    @property
    def env_file(self) -> Path:
        """The settings for other terminals."""
        return self.folder / ".erleah/demo.env"

    def end(self) -> int:
        """Ctrl-C, and how it ended."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


def environment(**more: str) -> dict[str, str]:
    """Neither a setting nor a key of whoever runs the tests."""
    passed_on = ("PATH", "HOME", "TMPDIR", "LANG", "ERLEAH_CACHE_DIR")
    return {name: os.environ[name] for name in passed_on if name in os.environ} | {"PYTHONPATH": str(ROOT)} | more


@contextmanager
def begun(folder: Path, *words: str, **settings: str) -> Iterator[Demo]:
    """Start the demo in ``folder``; does not wait."""
    ports = ("--port", str(free_port()), "--directus-port", str(free_port()))
    with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
        process = subprocess.Popen(  # noqa: S603 - our own command
            (sys.executable, "-m", "cli.main", "demo", "--no-open", *ports, *words),
            cwd=folder, env=environment(**settings), stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True,
        )  # fmt: skip
    try:
        yield Demo(folder, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all tests; the last of them ends it."""
    with begun(tmp_path_factory.mktemp("demo")) as demo:
        demo.wait(lambda: "Erleah is ready:" in demo.said())
        yield demo


@pytest.fixture
def small_conference(tmp_path: Path) -> Path:
    """Files of a conference with one talk."""
    folder = tmp_path / "conference"
    folder.mkdir()
    conference = {"id": CONFERENCE, "name": "SmallCon", "timezone": "Europe/Prague"}
    talk = {"id": str(uuid4()), "conference_id": CONFERENCE, "title": "On testing", "description": "Tests find faults."}
    (folder / "conference.json").write_text(json.dumps(conference))
    (folder / "sessions.json").write_text(json.dumps([talk]))
    return folder


def test_the_ready_block_tells_where_everything_is(demo: Demo) -> None:
    """On stdout, for a machine may read it: the page, Directus with its log-in, and one thing to try."""
    page, directus, to_try = demo.said().strip().splitlines()
    assert page == f"Erleah is ready: {demo.value('WEBHOOK_PUBLIC_URL')}/widget/?conference={CONFERENCE}"
    log_in = re.fullmatch(r"Directus: (\S+)  \(log in as (\S+), (\S+)\)", directus)
    assert log_in is not None
    with Rest(log_in[1]) as anyone:
        assert anyone.call("POST", "/auth/login", json={"email": log_in[2], "password": log_in[3]}).is_success
    assert to_try == f'Try, in another terminal: {sys.executable} -m cli.main ask "{TESTING}"'


@pytest.mark.parametrize(("question", "fitting"), [(TESTING, TALKS_ABOUT_TESTING), (DATABASE, ABOUT_DATABASES)])
def test_a_question_is_answered_with_what_the_conference_really_has(
    demo: Demo, question: str, fitting: set[str]
) -> None:
    """Each source is a row of Directus under its own title, one is about the matter, and the answer names it."""
    asked = demo.erleah("ask", question, "--json")
    assert asked.returncode == 0, asked.stderr
    row = json.loads(asked.stdout)
    assert (row["status"], row["outcome"]) == ("completed", "answered")
    sources = row["metadata"]["sources"]
    assert sources
    with Rest(demo.value("DIRECTUS_URL"), demo.value("DIRECTUS_API_KEY")) as rest:
        for source in sources:
            found = rest.data("GET", f"/items/{COLLECTIONS[source['type'].removesuffix('s')]}/{source['id']}")
            assert source["title"] in {found.get("title"), found.get("name")}
    named = fitting & {source["title"] for source in sources}
    assert len(named) >= 2, [source["title"] for source in sources]
    assert any(title in row["messageText"] for title in named)


async def test_a_visitor_watches_the_answer_grow_out_of_a_real_directus(demo: Demo) -> None:
    """In Chromium, at the printed address: asked, answered to the end, and nothing in the console."""
    address = demo.said().split()[3]
    async with chromium() as browser, open_page(browser) as (page, watch):
        await page.goto(address)
        await page.locator("html[data-ready]").wait_for()
        await page.evaluate(NOTE_GROWTH)
        await page.get_by_label("Your question").fill(TESTING)
        await page.get_by_label("Your question").press("Enter")
        await expect(page.locator(".question")).to_have_text([TESTING])
        answer = page.locator(".answer").last
        await expect(answer).to_have_attribute("aria-busy", "false", timeout=20_000)
        await expect(page.locator("#composer")).to_have_attribute("data-state", "idle")
        shown = await answer.locator(".markdown").inner_text()
        assert any(title in shown for title in TALKS_ABOUT_TESTING), shown
        await expect(answer.locator(".chip")).not_to_have_count(0)
        screens = await page.evaluate("window.seen")
        assert screens[-1] == shown
        assert len(screens) >= 5
        assert all(len(later) >= len(earlier) for earlier, later in pairwise(screens)), screens
        assert (watch.errors, watch.console, watch.dialogs) == ([], [], [])
        assert any(url.startswith("ws") for url in watch.sockets)


def test_a_second_terminal_needs_no_set_up(demo: Demo) -> None:
    status = demo.erleah("status", "--json")
    assert status.returncode == 0, status.stderr
    assert len(json.loads(status.stdout)["workers"]) == 1
    doctor = demo.erleah("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    assert all(finding["ok"] for finding in json.loads(doctor.stdout))
    found = demo.erleah("search", "testing", "--conference", CONFERENCE, "--entity", "sessions", "--json")
    assert found.returncode == 0, found.stderr
    assert {hit["title"] for hit in json.loads(found.stdout)["results"]} & TALKS_ABOUT_TESTING
    again = demo.erleah("reindex", "--wait")
    assert again.returncode == 0, again.stderr
    assert " 0 texts embedded" in again.stderr
    bootstrapped = demo.erleah("bootstrap", "--secret-from-env")
    assert bootstrapped.returncode == 0, bootstrapped.stderr
    assert "nothing changed" in bootstrapped.stderr


def test_an_answer_is_printed_as_it_streams(demo: Demo) -> None:
    asked = demo.erleah("ask", TESTING)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert any(title in asked.stdout for title in TALKS_ABOUT_TESTING)


def test_what_a_load_leaves_out_is_named_and_is_exit_code_1(demo: Demo, tmp_path: Path) -> None:
    """The whole sample changes nothing; a row that can't be loaded is told, with fields nothing reads."""
    whole = demo.erleah("load", str(ROOT / "cli/demo_data"))
    assert whole.returncode == 0, whole.stderr
    assert "0 new, 0 changed, 172 as they were, 0 left out" in whole.stderr
    assert "sessions: 172 of 172" in whole.stderr
    assert "fields unknown to conferences, not loaded: wifi (1)" in whole.stderr
    session = {"conference_id": CONFERENCE, "title": "A talk without an id"}
    (tmp_path / "sessions.json").write_text(json.dumps([session]))
    broken = demo.erleah("load", str(tmp_path))
    assert broken.returncode == 1
    assert "sessions.json[0] 'A talk without an id'" in broken.stderr


def test_ctrl_c_ends_it_all_and_leaves_no_settings_behind(demo: Demo) -> None:
    """Exit code 0; other terminals find no demo; its Directus and receiver are gone."""
    address = demo.value("DIRECTUS_URL")
    assert demo.end() == 0, demo.said("stderr")
    assert not demo.env_file.exists()
    with Rest(address) as anyone, pytest.raises(httpx.ConnectError):
        anyone.call("GET", "/server/ping")
    assert "DIRECTUS_API_KEY is required" in demo.erleah("status").stderr
    assert "Traceback" not in demo.said("stderr")


def test_another_embedder_makes_the_index_anew_by_itself(tmp_path: Path, small_conference: Path) -> None:
    """As docs/quickstart.md says: stop it, start it with a key of OpenAI's, ask. And Ctrl-C works while it starts."""
    words = ("--data", str(small_conference))
    search = ("search", "testing", "--conference", CONFERENCE, "--entity", "sessions", "--json")
    with begun(tmp_path, *words) as first:
        first.wait(lambda: "Erleah is ready:" in first.said())
        assert first.end() == 0
    with ModelStandIn().in_thread() as model:
        key = {
            "OPENAI_API_KEY": "sk-of-nobody",
            "OPENAI_BASE_URL": model.openai_url,
            "ANTHROPIC_API_KEY": "sk-ant-of-nobody",
            "ANTHROPIC_BASE_URL": model.anthropic_url,
            "FACET_WRITER": "template",
        }
        with begun(tmp_path, *words, **key) as again:
            again.wait(lambda: "Erleah is ready:" in again.said())
            assert "making it anew" in again.said("stderr")
            found = again.erleah(*search)
            assert found.returncode == 0, found.stderr
            assert json.loads(found.stdout)["results"][0]["title"] == "On testing"
            # The keys are in the demo's own terminal alone, and the doctor in this one knows that it has them.
            assert "of-nobody" not in again.env_file.read_text(encoding="utf-8")
            doctor = again.erleah("doctor", "--json")
            assert doctor.returncode == 0, doctor.stdout
            said = {finding["what"]: finding["said"] for finding in json.loads(doctor.stdout)}
            assert said["embeddings"].startswith("openai-text-embedding-3-small-1536: the running demo's own")
            assert said["models"].startswith("anthropic → openai → offline (the running demo's own")
            assert again.end() == 0
    with begun(tmp_path, *words, **key) as waiting:  # its embedder is gone, so its worker waits
        waiting.wait(waiting.env_file.exists)
        assert waiting.end() == 0, waiting.said("stderr")
        assert not waiting.env_file.exists()

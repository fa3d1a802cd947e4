"""The doctor: what it knows of a running demo, of a receiver behind a proxy, and of a check that breaks."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from cli import demo, doctor
from cli.demo_state import DemoState
from cli.main import main
from cli.running_demo import RunningDemo
from services.settings import DEMO_ENV_FILE, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFERENCE = "87324dc9-9ee0-5a07-9057-3b7b4feeeecb"


@pytest.fixture(autouse=True)
def keyless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second terminal: an empty folder, and neither settings nor keys."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.terminal.configure_logging", lambda _settings: None)


class _Alive(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def receiver() -> Iterator[str]:
    """The address of a receiver that is alive."""
    server = HTTPServer(("127.0.0.1", 0), _Alive)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def leave_a_demo(receiver: str = "http://127.0.0.1:1", **settings: str) -> None:
    """What a demo leaves for other terminals, which was started with ``settings`` in its own."""
    state = DemoState(demo.STATE_FOLDER)
    given = {
        "directus_api_key": state.api_key,
        "directus_webhook_secret": state.directus_secrets.webhook_secret,
        "directus_url": "http://127.0.0.1:1",
        "webhook_public_url": receiver,
        "qdrant_url": "embedded://",
        "default_conference_id": CONFERENCE,
    }
    its = load_settings(**given, **settings)
    state.write_env(its, "redis://127.0.0.1:1/0", await RunningDemo.of(its))


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[bool, str]]:
    """What the doctor says, by what it looked at."""
    main(["doctor", "--json"])
    return {each["what"]: (each["ok"], each["said"]) for each in json.loads(capsys.readouterr().out)}


def demo_with(**settings: str) -> None:
    """A demo's traces, made outside of any running loop."""
    asyncio.run(leave_a_demo(**settings))


def test_keys_of_the_running_demo_are_known_of_and_not_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor written down: a terminal beside it has none, and nothing is wrong with that."""
    demo_with(openai_api_key="sk-of-nobody", anthropic_api_key="sk-ant-of-nobody")
    assert "of-nobody" not in DEMO_ENV_FILE.read_text(encoding="utf-8")
    found = findings(capsys)
    assert found["embeddings"][0], found["embeddings"]
    assert found["embeddings"][1].startswith("openai-text-embedding-3-small-1536: the running demo's own")
    assert found["models"] == (
        True,
        "anthropic → openai → offline (the running demo's own, with the keys it was started with)",
    )


def test_a_key_in_the_second_terminal_alone_is_not_taken_for_the_demos(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_with(embedding_provider="local")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-nobody")
    found = findings(capsys)
    assert found["models"][1].startswith("the running demo has no key: answers come from templates")
    assert found["embeddings"][1].startswith("local-wordllama-256")


def test_a_real_installation_is_not_told_of_the_demo_beside_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_with(openai_api_key="sk-of-nobody")
    for name, value in (("DIRECTUS_API_KEY", "own"), ("DIRECTUS_WEBHOOK_SECRET", "own"), ("REDIS_URL", "unix:///no")):
        monkeypatch.setenv(name, value)
    ok, said = findings(capsys)["embeddings"]
    assert not ok
    assert "OPENAI_API_KEY is required" in said


def test_a_model_without_a_known_price_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what it counts as, and nothing is wrong with that; of a provider that is not asked nothing is said."""
    for name, value in (
        ("DIRECTUS_API_KEY", "own"),
        ("DIRECTUS_WEBHOOK_SECRET", "own"),
        ("REDIS_URL", "unix:///no"),
        ("EMBEDDING_PROVIDER", "local"),
        ("ANTHROPIC_API_KEY", "sk-ant-of-nobody"),
        ("ANTHROPIC_FAST_MODEL", "claude-unheard-of"),
        ("OPENAI_MODEL", "gpt-unheard-of"),
    ):
        monkeypatch.setenv(name, value)
    ok, said = findings(capsys)["models"]
    assert ok
    assert said.startswith("anthropic → offline (")
    assert "no price is known of claude-unheard-of: counted as the dearest known one ($4 a million tokens in" in said
    assert "gpt-unheard-of" not in said
    monkeypatch.delenv("ANTHROPIC_FAST_MODEL")
    assert "price" not in findings(capsys)["models"][1]


def test_a_proxy_stands_not_between_the_doctor_and_a_receiver(
    receiver: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    demo_with(receiver=receiver, embedding_provider="local")
    assert findings(capsys)["receiver"] == (True, f"{receiver} answers")
    assert demo._runs_already() == f"{receiver}/widget/?conference={CONFERENCE}"


def test_a_check_that_breaks_is_a_row_and_loses_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its type, for its words may hold a secret; with --debug its trace is shown."""

    async def broken(_settings: Settings) -> str:
        raise ZeroDivisionError("a-word-of-its-own")

    demo_with(embedding_provider="local")
    monkeypatch.setattr(doctor, "_models", broken)
    assert main(["doctor"]) == 1
    said = capsys.readouterr()
    assert "✗ models       something unexpected: ZeroDivisionError; see where: erleah --debug doctor\n" in said.out
    assert "✓ embeddings" in said.out
    assert "a-word-of-its-own" not in said.out + said.err
    assert main(["--debug", "doctor"]) == 1
    assert "ZeroDivisionError: a-word-of-its-own" in capsys.readouterr().err

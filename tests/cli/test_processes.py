"""``erleah webhook`` and ``erleah worker`` fail as every command does; ``python -m`` says the same in plain words."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.main import main
from services.errors import ConfigurationError, IndexMismatchError, ServiceRejectedError
from services.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TAKEN = (
    "on 127.0.0.1 can't be listened on (Address already in use); "
    "stop what runs there or set WEBHOOK_HOST and WEBHOOK_PORT"
)
process = pytest.mark.parametrize("process", ["webhook", "worker"])


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder, and settings with which a process could start."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DIRECTUS_API_KEY", "a-key-that-nobody-knows")
    monkeypatch.setenv("DIRECTUS_WEBHOOK_SECRET", "a-secret-that-nobody-knows")
    monkeypatch.chdir(tmp_path)
    # Loggers and the allocator are set up for a whole process; here they would stay so for other tests.
    monkeypatch.setattr("webhook.main.configure_logging", lambda _settings: None)
    monkeypatch.setattr("worker.main.configure_logging", lambda _settings: None)
    monkeypatch.setattr("worker.main.keep_large_blocks_apart", lambda: None)


@pytest.fixture
def taken_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port the receiver is to listen on, where another listens already."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port: int = other.getsockname()[1]
        monkeypatch.setenv("WEBHOOK_PORT", str(port))
        yield port


def run_module(process: str) -> subprocess.CompletedProcess[str]:
    """``python -m webhook`` or ``python -m worker``, to its end."""
    return subprocess.run(  # noqa: S603 - our own module
        (sys.executable, "-m", process),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@process
def test_a_bad_setting_is_one_line_with_what_mends_it(
    process: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEBHOOK_PORT", "eighty")
    assert main([process]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "erleah: WEBHOOK_PORT wants a whole number from 0 up to 65535, e.g. 8000; "
        "set it in the environment or in .env (see .env.example), then run: erleah doctor\n"
    )


def test_a_port_that_is_taken_is_one_line_with_the_command_to_run_again(
    taken_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["webhook"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"erleah: WEBHOOK_PORT {taken_port} {TAKEN}; when that is mended, run again: erleah webhook\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConfigurationError("two assistants want the source mini"), "; when that is mended, run again: erleah worker"),
        (IndexMismatchError("qdrant", "vectors of another embedder; run: erleah reindex --full"), ""),
        (ServiceRejectedError("qdrant", "wrong key"), "; see what is wrong with: erleah doctor"),
    ],
)
def test_what_keeps_a_worker_from_starting_ends_with_what_mends_it(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("worker.main.run_worker", failing)
    assert main(["worker"]) == 1
    assert capsys.readouterr().err == f"erleah: {error}{told}\n"


@process
def test_debug_shows_where_it_failed(
    process: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIRECTUS_API_KEY", "")
    assert main([process]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert main(["--debug", process]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.splitlines()[-1].startswith("erleah: DIRECTUS_API_KEY is required")


@process
def test_a_module_that_cannot_start_says_why_and_exits_1(process: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIRECTUS_API_KEY", "")
    ended = run_module(process)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("DIRECTUS_API_KEY is required; ")
    assert ended.stderr.count("\n") == 1


def test_the_module_says_that_its_port_is_taken(taken_port: int) -> None:
    ended = run_module("webhook")
    assert ended.returncode == 1
    assert ended.stderr == f"WEBHOOK_PORT {taken_port} {TAKEN}\n"

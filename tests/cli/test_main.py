"""The command: exit codes, and errors that are one line and say what mends them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import pytest

from cli.main import COMMANDS, cli, main
from services.errors import (
    ConfigurationError,
    ErleahError,
    InvalidInputError,
    ServiceRejectedError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from pathlib import Path


ASK_THE_DOCTOR = "; see what is wrong with: erleah doctor"
ENDS_WITH_A_COMMAND = re.compile(r"erleah (--debug )?[a-z]+[^;.:]*$|erleah --help$")


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DIRECTUS_API_KEY", raising=False)
    monkeypatch.delenv("DIRECTUS_WEBHOOK_SECRET", raising=False)
    monkeypatch.chdir(tmp_path)
    # Loggers are set up for a whole process; here they would stay so for other tests.
    monkeypatch.setattr("cli.terminal.configure_logging", lambda _settings: None)


def configured(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    values = {
        "DIRECTUS_API_KEY": "a-key-that-nobody-knows",
        "DIRECTUS_WEBHOOK_SECRET": "a-secret-that-nobody-knows",
        "DIRECTUS_URL": "http://127.0.0.1:1",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "QDRANT_URL": "http://127.0.0.1:1",
        "WEBHOOK_PUBLIC_URL": "http://127.0.0.1:1",
        "EMBEDDING_PROVIDER": "local",
    } | settings
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ServiceUnavailableError("worker", "Nobody works; start one: erleah worker"), ""),
        (
            ServiceUnavailableError("redis", "The connection was reset by Redis"),
            ASK_THE_DOCTOR,
        ),
        (
            ServiceRejectedError("qdrant", "erleah worker said no: wrong size"),
            ASK_THE_DOCTOR,
        ),
        (
            ConfigurationError("DIRECTUS_ADMIN_TOKEN is required here"),
            "; when that is mended, run again: erleah status",
        ),
        (ConfigurationError("LOG_LEVEL wants INFO; set it, then run: erleah doctor"), ""),
        (InvalidInputError("limit: wants a number"), "; see what it takes with: erleah status --help"),
    ],
)
def test_an_error_ends_with_what_mends_it(
    error: ErleahError, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message that names a command is left alone; a word that only looks like one is not taken for it."""

    def failing() -> None:
        raise error

    monkeypatch.setattr("cli.status.command_settings", failing)
    assert main(["status"]) == 1
    assert capsys.readouterr().err == f"erleah: {error}{told}\n"


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_exists_and_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"{command} [OPTIONS]" in capsys.readouterr().out
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    assert found.help


@pytest.mark.parametrize("words", [["nonsense"], ["search"], ["search", "x", "--conference", "c", "--entity", "rooms"]])
def test_wrong_usage_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And one line, which ends with the help of the command that was called."""
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("erleah: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith(f": erleah {words[0]} --help\n" if words[0] in COMMANDS else ": erleah --help\n")


@pytest.mark.parametrize(
    ("name", "value", "wants"),
    [
        ("LLM_TIMEOUT_S", "soon", "a number above 0 up to 600, e.g. 30.0"),
        ("WEBHOOK_PORT", "70000", "a whole number from 0 up to 65535, e.g. 8000"),
        ("TURN_MAX_TOKENS", "1.5", "a whole number from 100 up to 10000000, e.g. 50000"),
        ("QDRANT_ON_DISK", "perhaps", "true or false"),
        ("ENVIRONMENT", "prod", "development, staging or production"),
        ("PROMPT_VERSION", "latest", "another form, e.g. v1"),
        ("OPENAI_MODEL", " ", "a name, e.g. gpt-4o-mini"),
        ("REDIS_URL", "localhost", "redis://, rediss://, unix:// or embedded://"),
        (
            "FORWARDED_ALLOW_IPS",
            "localhost",
            (
                "IP addresses or networks of proxies with commas between, a network by its first address, "
                "e.g. 127.0.0.1,172.16.0.0/12, or * alone"
            ),
        ),
    ],
)
def test_a_bad_setting_is_told_in_our_words_and_with_what_mends_it(
    name: str, value: str, wants: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(monkeypatch, **{name: value})
    assert main(["status"]) == 1
    mend = "; set it in the environment or in .env (see .env.example), then run: erleah doctor"
    assert capsys.readouterr().err == f"erleah: {name} wants {wants}{mend}\n"


def test_missing_settings_are_one_line_with_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "DIRECTUS_API_KEY is required" in said.err
    assert ENDS_WITH_A_COMMAND.search(said.err)


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["reindex"],
        ["search", "tests", "--conference", "c", "--entity", "sessions"],
        ["ask", "Where?", "--conference", "c"],
        ["bootstrap"],
    ],
)
def test_a_service_that_is_away_is_one_line_that_says_what_to_do(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(monkeypatch)
    assert main(words) == 1
    said = capsys.readouterr()
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if line.startswith("erleah: ")]
    assert len(lines) == 1
    assert ENDS_WITH_A_COMMAND.search(lines[0]), lines[0]
    assert "nobody-knows" not in said.err


def test_the_doctor_names_each_failure_and_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(monkeypatch)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    for line_start in ("✗ directus", "✗ redis", "✗ receiver", "✗ qdrant", "✗ workers", "✓ embeddings", "✓ models"):
        assert line_start in out
    assert "DIRECTUS_URL" in out
    assert "REDIS_URL" in out


def test_a_defect_is_one_line_and_debug_shows_the_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("cli.status.command_settings", broken)
    assert main(["status"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said == "erleah: something unexpected: ZeroDivisionError('oops'); see where with: erleah --debug status\n"
    assert main(["--debug", "status"]) == 1
    assert "Traceback" in capsys.readouterr().err

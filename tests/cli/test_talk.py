"""What commands say to a person: how to call them, who is not there, what was left out."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from cli import ask
from cli.load import _tell_ignored, tell
from cli.main import main
from cli.terminal import own_command
from ingest.load_report import LoadReport, Problem
from services.errors import InvalidInputError
from services.queue.job_queue import JobQueue
from services.redis import connect_redis
from standins.directus import DirectusStandIn

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an ``erleah`` in its ``.venv``, as ``make setup`` leaves it; it is where the person is."""
    command = tmp_path / ".venv/bin/erleah"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.defpath)
    return command


def test_a_command_that_is_not_on_the_path_is_named_as_it_was_called(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/erleah", "demo"])
    assert own_command() == ".venv/bin/erleah"
    monkeypatch.setattr(sys, "argv", [str(installed), "demo"])
    assert own_command() == str(installed)


def test_a_command_on_the_path_is_named_shortly(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{installed.parent}{os.pathsep}{os.defpath}")
    monkeypatch.setattr(sys, "argv", [str(installed), "demo"])
    assert own_command() == "erleah"


def test_another_erleah_on_the_path_is_not_this_one(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other/erleah"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{other.parent}{os.pathsep}{os.defpath}")
    monkeypatch.setattr(sys, "argv", [".venv/bin/erleah", "demo"])
    assert own_command() == ".venv/bin/erleah"


def test_a_module_is_called_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/cli/main.py", "demo"])
    assert own_command() == f"{sys.executable} -m cli.main"


async def test_who_asks_without_a_worker_is_told_within_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ask, "WONDER_AFTER_S", 0.01)
    redis = connect_redis("embedded://")
    queue = JobQueue(redis)
    try:
        await asyncio.wait_for(ask._say_if_nobody_works(queue), 5)
    finally:
        await redis.aclose()
    said = capsys.readouterr()
    assert said.out == ""
    assert "No worker is running" in said.err
    assert said.err.endswith("erleah worker\n")


def test_a_load_names_what_it_left_out_and_what_it_has_no_place_for(capsys: pytest.CaptureFixture[str]) -> None:
    report = LoadReport(
        problems=[Problem("sessions.json", 3, "On testing", "wants an id")],
        ignored_fields={"sessions": Counter({"titel": 2, "url": 1}), "speakers": Counter()},
    )
    report.of("sessions").skipped = 1
    tell(report)
    _tell_ignored(report)
    said = capsys.readouterr()
    assert said.out == ""
    assert "sessions.json[3] 'On testing': wants an id" in said.err
    assert "fields unknown to sessions, not loaded: titel (2), url (1)" in said.err
    assert "speakers" not in said.err


async def test_a_conference_that_there_is_not_is_said_with_those_there_are() -> None:
    standin = DirectusStandIn()
    directus = standin.directus()
    with pytest.raises(InvalidInputError, match="no conference yet"):
        await ask._conference(directus, None)
    one, other = str(uuid4()), str(uuid4())
    standin.put("conferences", id=one, name="Harbour Days")
    assert await ask._conference(directus, None) == await ask._conference(directus, one) == one
    standin.put("conferences", id=other, name="Ropes")
    for wanted, what in ((None, "there are several conferences"), ("nope", "there is no conference nope")):
        with pytest.raises(InvalidInputError) as refused:
            await ask._conference(directus, wanted)
        assert str(refused.value).startswith(f"{what}; choose of Harbour Days ({one}), Ropes ({other}) with: ")
    await directus.aclose()


def test_an_empty_search_is_said_as_that(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", " ", "--conference", "c", "--entity", "sessions"]) == 2
    assert "QUERY is empty" in capsys.readouterr().err

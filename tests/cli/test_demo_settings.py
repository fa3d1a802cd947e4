"""What the demo takes from the environment and ``.env``, and the embedder it chooses by that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import demo
from cli.demo_state import DemoState
from cli.main import main
from services.errors import ConfigurationError
from services.settings import Settings

CONFERENCE = "87324dc9-9ee0-5a07-9057-3b7b4feeeecb"
PLAN = demo._Plan(8000, 8055, demo.DATA, 1, CONFERENCE)


@pytest.fixture(autouse=True)
def keyless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("where", ["environment", ".env"])
@pytest.mark.parametrize(
    ("given", "embedder"),
    [
        ({}, "local"),
        ({"OPENAI_API_KEY": "sk-of-nobody"}, "openai"),
        ({"EMBEDDING_PROVIDER": "fastembed"}, "fastembed"),
        ({"EMBEDDING_PROVIDER": "local", "OPENAI_API_KEY": "sk-of-nobody"}, "local"),
        ({"ANTHROPIC_API_KEY": "sk-ant-of-nobody"}, "local"),
        ({"EMBEDDING_PROVIDER": "openai"}, "local"),  # as in a copy of .env.example
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "local"),
        ({"EMBEDDING_PROVIDER": "openai", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "openai"),
    ],
)
def test_the_embedder_is_chosen_alike_from_the_environment_and_from_the_file(
    monkeypatch: pytest.MonkeyPatch, where: str, given: dict[str, str], embedder: str
) -> None:
    if where == ".env":
        Path(".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()), encoding="utf-8")
    else:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
    settings = demo._settings(DemoState(demo.STATE_FOLDER), PLAN)
    assert settings.embedding_provider == embedder
    assert (settings.openai_api_key is not None) == ("OPENAI_API_KEY" in given)


@pytest.mark.parametrize("found", [[], {"id": "europython"}, {"id": 7}, {}, [[]]])
def test_files_without_a_conferences_uuid_are_refused_by_their_name(tmp_path: Path, found: object) -> None:
    (tmp_path / "conference.json").write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"conference\.json holds no conference .*erleah demo --help$"):
        demo._conference_id(tmp_path)


def test_a_conferences_id_is_read_as_directus_will_show_it(tmp_path: Path) -> None:
    (tmp_path / "conference.json").write_text(json.dumps({"id": CONFERENCE.upper()}), encoding="utf-8")
    assert demo._conference_id(tmp_path) == CONFERENCE


def test_a_second_demo_in_the_same_folder_is_kept_out_while_the_first_one_starts() -> None:
    """It would take the first one's Directus for its own, and its settings with it when it fails."""
    with (
        demo._alone(),
        pytest.raises(ConfigurationError, match="just starting or ending in this folder"),
        demo._alone(),
    ):
        pytest.fail("there are two")
    with demo._alone():
        assert demo.STATE_FOLDER.is_dir()


def test_receiver_and_directus_want_a_port_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--port", "8010", "--directus-port", "8010"]) == 2
    assert "a port each" in capsys.readouterr().err
    assert not demo.STATE_FOLDER.exists()

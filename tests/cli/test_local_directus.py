"""How a local Directus is run: with which environment, and what is said when it can't be."""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cli.directus_install import Installation
from cli.local_directus import DirectusOptions, DirectusSecrets, LocalDirectus, free_port
from services.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

NODE = """#!{python}
import http.server, os, sys, time
command = sys.argv[-1]
if command == "bootstrap":
    if "bootstrap" == {fails!r}:
        sys.exit("no database for " + os.environ["SECRET"])
    open(os.environ["DB_FILENAME"], "w").close()
    sys.exit(0)
if "start" == {fails!r}:
    sys.exit("no start with " + os.environ["ADMIN_TOKEN"])
if "silent" == {fails!r}:
    time.sleep(60)
class Ping(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Ping).serve_forever()
"""


def pretend_directus(folder: Path, *, fails: str = "", start_timeout_s: float = 20.0) -> LocalDirectus:
    """A LocalDirectus whose Node is a small script that behaves as Directus does at its start."""
    node = folder / "node"
    node.write_text(NODE.format(python=sys.executable, fails=fails), encoding="utf-8")
    node.chmod(0o755)
    options = DirectusOptions(
        port=free_port(),
        data_dir=folder / "data",
        secrets=DirectusSecrets.random(),
        start_timeout_s=start_timeout_s,
    )
    installation = Installation(folder=folder, node=node)
    return LocalDirectus(options, installation=installation, progress=lambda _: None)


def test_it_starts_stops_and_starts_again_with_its_data(tmp_path: Path) -> None:
    """The database is made once; a stop ends the process; a crash is followed by a start like any other."""
    directus = pretend_directus(tmp_path)
    with directus:
        first = directus.pid
        assert first is not None
        made_at = directus.database_path.stat().st_ctime_ns
        directus.start()
        assert directus.pid == first
        directus.kill()
        assert not directus.is_running
        directus.start()
        assert directus.pid not in {None, first}
        assert directus.database_path.stat().st_ctime_ns == made_at
    assert not directus.is_running
    directus.stop()


def test_a_database_that_was_half_made_is_made_again(tmp_path: Path) -> None:
    """A bootstrap that fails leaves no database behind: the next one would take it for a whole one."""
    with pytest.raises(ConfigurationError, match="could not make its database"):
        pretend_directus(tmp_path, fails="bootstrap").start()
    assert not (tmp_path / "data" / "directus.db").exists()
    with pretend_directus(tmp_path) as directus:
        assert directus.is_running


@pytest.mark.parametrize("fails", ["bootstrap", "start"])
def test_last_words_hold_no_secret(tmp_path: Path, fails: str) -> None:
    """The error shows Directus's last line and where its log is, with the secrets taken out."""
    with pytest.raises(ConfigurationError, match=r"no (start with|database for) \*\*\*; all of it: .*directus\.log"):
        pretend_directus(tmp_path, fails=fails).start()


def test_one_that_stays_silent_is_given_up_and_ended(tmp_path: Path) -> None:
    """A Directus that doesn't answer in time is an error, and its process doesn't stay."""
    directus = pretend_directus(tmp_path, fails="silent", start_timeout_s=0.3)
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match="did not answer within 0 s"):
        directus.start()
    assert not directus.is_running
    assert time.monotonic() - began < 10


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """What holds the port is perhaps Directus itself; the error says how to choose another."""
    directus = pretend_directus(tmp_path)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", int(directus.url.rsplit(":", 1)[1])))
        holder.listen()
        with pytest.raises(ConfigurationError, match=r"port \d+ is taken .*--directus-port$"):
            directus.start()


def test_its_environment_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of model providers and another Directus's settings don't reach it; extra_env wins over all."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    monkeypatch.setenv("DB_CLIENT", "pg")
    monkeypatch.setenv("PUBLIC_URL", "https://elsewhere.example.com")
    own = DirectusSecrets.random()
    options = DirectusOptions(
        port=1,
        data_dir=tmp_path,
        secrets=own,
        cors_origin="http://127.0.0.1:8000",
        extra_env={"PRESSURE_LIMITER_ENABLED": "false", "LOG_LEVEL": "debug"},
    )
    environ = LocalDirectus(options).environment(tmp_path / "directus.db")
    assert "ANTHROPIC_API_KEY" not in environ
    assert environ["DB_CLIENT"] == "sqlite3"
    assert environ["PUBLIC_URL"] == "http://127.0.0.1:1"
    assert environ["CORS_ORIGIN"] == "http://127.0.0.1:8000"
    assert environ["IMPORT_IP_DENY_LIST"] == "169.254.169.254"
    assert environ[environ["FLOWS_ENV_ALLOW_LIST"]] == own.webhook_secret
    assert (environ["PRESSURE_LIMITER_ENABLED"], environ["LOG_LEVEL"]) == ("false", "debug")
    assert environ["PATH"] == os.environ["PATH"]


def test_a_relative_data_folder_is_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directus runs in another folder, so its paths are made absolute."""
    monkeypatch.chdir(tmp_path)
    relative = tmp_path.relative_to(tmp_path) / ".erleah"
    directus = LocalDirectus(DirectusOptions(port=1, data_dir=relative, secrets=DirectusSecrets.random()))
    assert directus.database_path == tmp_path / ".erleah" / "directus.db"


def test_secrets_show_in_no_repr() -> None:
    """Options may be printed: their secrets stay unseen, and no two sets are alike."""
    own = DirectusSecrets.random()
    for secret in (own.secret, own.admin_token, own.admin_password, own.webhook_secret):
        assert secret not in repr(own)
        assert len(secret) >= 32
    assert own != DirectusSecrets.random()

"""An operator replays a turn with nothing but Redis: another process, no Directus, no model, no index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.answer_ids import answer_id_of
from tests.worker.conference_workshop import conference_workshop
from tests.worker.conftest import ScriptedProvider

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.redis_server import RedisServer

pytestmark = pytest.mark.e2e

CONFERENCE = str(uuid4())
ROWS = {
    "conferences": [{"id": CONFERENCE, "name": "Harbour Days", "timezone": "Europe/Berlin"}],
    "exhibitors": [{"id": str(uuid4()), "conference_id": CONFERENCE, "name": "Ropeworks", "description": "Ropes."}],
}


async def test_a_turn_is_replayed_from_redis_alone(redis_server: RedisServer, tmp_path: Path) -> None:
    """The recorded turn comes out the same in a process of its own that can reach Redis and nothing else."""
    provider = ScriptedProvider(["Ropeworks ", "sells ropes."])
    async with conference_workshop(ROWS, provider, redis_url=redis_server.url) as workshop:
        message_id = workshop.ask("Which exhibitors sell ropes?", workshop.conversation(conference_id=CONFERENCE))
        await workshop.answer(message_id)
    environment = os.environ | {
        "REDIS_URL": redis_server.url,
        "DIRECTUS_URL": "http://127.0.0.1:9",
        "QDRANT_URL": "http://127.0.0.1:9",
        "DIRECTUS_API_KEY": "k" * 20,
        "DIRECTUS_WEBHOOK_SECRET": "s" * 20,
        "EMBEDDING_PROVIDER": "local",
    }

    def replayed(asked_for: str, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own command, and nothing else runs meanwhile
            [sys.executable, "-m", "cli.main", "replay", asked_for, "--json", *options],
            env=environment | settings | {"PYTHONPATH": os.getcwd()},  # noqa: PTH109 - the repository, which pytest runs in
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    for asked_for in (message_id, answer_id_of(message_id)):
        ran = replayed(asked_for)
        assert ran.returncode == 0, ran.stderr
        found = json.loads(ran.stdout)
        assert (found["same"], found["now"]) == (True, "Ropeworks sells ropes.")
    unknown = str(uuid4())
    for wrong in (["--prompts", "../v1"], ["--prompts", ""], ["--live", "--model", ""], ["--model", "m"]):
        assert replayed(message_id, *wrong).returncode == 2
    assert (replayed("nope").returncode, replayed(unknown).returncode) == (2, 1)
    assert f"no turn of the message {unknown} is recorded; the newest 1,000 are kept" in replayed(unknown).stderr
    assert "RECORD_TURNS_DAYS is 0" in replayed(unknown, RECORD_TURNS_DAYS="0").stderr

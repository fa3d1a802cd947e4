"""The real Directus as a process: how it ends, and what is left of it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.directus_server import DirectusServer, Rest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

STARTER = """
import sys, time
from pathlib import Path
from tests.e2e.directus_server import start_directus
process, _ = start_directus(Path(sys.argv[1]))
print(process.url.rsplit(':', 1)[1], flush=True)
time.sleep(600)
"""


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_no_directus_outlives_what_started_it(tmp_path: Path) -> None:
    """After kill -9 of its parent Directus ends within seconds, so that the next start finds its port free."""
    with subprocess.Popen(  # noqa: S603 - our own script
        (sys.executable, "-c", STARTER, str(tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as starter:
        assert starter.stdout is not None
        port = int(starter.stdout.readline())
        assert answers(port)
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 15
    while answers(port) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not answers(port)


def test_a_crash_loses_no_row(directus_server: DirectusServer) -> None:
    """What Directus has answered for is there after kill -9 and a start."""
    with Rest(directus_server.url, directus_server.service_token) as service:
        conversation = service.data("POST", "/items/conversations", json={})["id"]
        directus_server.process.kill()
        directus_server.process.start()
        assert service.data("GET", f"/items/conversations/{conversation}")["id"] == conversation


PATIENCE = 200


def test_the_log_holds_no_secret(directus_server: DirectusServer) -> None:
    """Neither tokens nor the webhook's secret stand in what Directus writes to its log."""
    with Rest(directus_server.url, "a-token-nobody-has") as stranger:
        # A busy Directus says 503 before it looks at the token.
        answers = (stranger.call("GET", "/users/me").status_code for _ in range(PATIENCE))
        assert next((status for status in answers if status != 503), 503) == 401
    log = directus_server.process.log_path.read_text(encoding="utf-8")
    for secret in (directus_server.admin_token, directus_server.service_token, directus_server.webhook_secret):
        assert secret not in log

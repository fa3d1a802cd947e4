"""A worker process that can't begin yet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from cli.local_directus import free_port
from tests.e2e.processes import ErleahProcess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def test_a_worker_that_still_waits_for_a_service_ends_at_once_when_told_to(tmp_path: Path) -> None:
    """It has nothing to finish: SIGTERM ends it within moments, with exit code 0."""
    settings = {
        "DIRECTUS_API_KEY": "a-key",
        "DIRECTUS_WEBHOOK_SECRET": "a-secret",
        "DIRECTUS_URL": f"http://127.0.0.1:{free_port()}",
        "REDIS_URL": "embedded://",
        "QDRANT_URL": "embedded://",
        "EMBEDDING_PROVIDER": "openai",
        "OPENAI_API_KEY": "sk-nothing",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{free_port()}/v1",
    }
    worker = ErleahProcess("worker", settings, tmp_path)
    worker.start(until_ready=False)
    try:
        worker.wait_for("worker.waits", within_s=60)
        told_at = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - told_at < 5
    finally:
        worker.kill()

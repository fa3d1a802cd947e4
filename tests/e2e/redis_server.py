"""A real redis-server for the end-to-end tests: one per test session, on a free port, emptied for each test.

It keeps an append-only file, as the deployment does, so that a test can stop and start it.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 10.0


class RedisServer:
    """A redis-server of our own on the loopback interface; ``stop`` and ``start`` again at will."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    @property
    def url(self) -> str:
        """What REDIS_URL is set to."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers. Raises RuntimeError if it does not."""
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("redis-server is not installed; apt-get install redis-server")
        self._process = subprocess.Popen(  # noqa: S603 - our own arguments
            [
                program,
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--daemonize", "no"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < until:
            try:
                with redis.Redis(port=self.port, socket_timeout=1) as client:
                    client.ping()
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise RuntimeError(f"redis-server did not answer within {_START_TIMEOUT_S:g} s")

    def stop(self) -> None:
        """Stop the server as an operator does (SIGTERM: it saves its file)."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_STOP_TIMEOUT_S)
            self._process = None

    def kill(self) -> None:
        """Kill the server: up to a second of writes is lost, as after a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_TIMEOUT_S)
            self._process = None

    @property
    def is_running(self) -> bool:
        """Whether our process lives."""
        return self._process is not None and self._process.poll() is None

    def flush(self) -> None:
        """Empty it."""
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            client.flushall()


@pytest.fixture(scope="session")
def shared_redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The session's server; tests ask for ``redis_server``."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_server(shared_redis_server: RedisServer) -> Iterator[RedisServer]:
    """A running, empty Redis; a test may stop it, and it is started again for the next."""
    if not shared_redis_server.is_running:
        shared_redis_server.start()
    shared_redis_server.flush()
    yield shared_redis_server
    if not shared_redis_server.is_running:
        shared_redis_server.start()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""A whole installation to measure: real Directus, real Redis, receiver, workers, each a process of its own.

The sample conference is loaded and indexed once, with the commands an operator types; what that took
is kept for whoever reports it.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx

from bench.hooks import Hooks
from bench.process import ROOT, ChildProcess, environment
from cli.local_directus import DirectusOptions, DirectusSecrets, LocalDirectus, free_port
from provision.provisioner import provision
from services import redis_keys
from services.directus.client import Directus
from services.queue.job_queue import JobQueue
from services.queue.jobs import Queue
from services.redis import RedisClient, connect_redis
from standins.tap import Tap
from tests.e2e.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["DATA", "Indexing", "Installation", "Model", "conference_id"]

DATA = ROOT / "cli" / "demo_data"
_READY_S = 60.0
_COMMAND_S = 180.0


@dataclass(frozen=True, slots=True)
class Indexing:
    """What it took to bring the sample conference in: seconds of each command, and what was embedded.

    ``left_jobs``: how many of the jobs that loading asked for by itself, one for each row, still waited then.
    """

    load_s: float
    full_s: float
    full_texts: int
    again_s: float
    again_texts: int
    left_jobs: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model stand-in in a process of its own."""

    url: str

    async def asked(self) -> dict[str, float]:
        """When each stream since the last call was asked for (monotonic seconds), by the last text asked."""
        async with httpx.AsyncClient(trust_env=False) as client:
            streams = (await client.get(f"{self.url}/asked", timeout=30)).json()
        return {text: at for at, text in streams}

    async def together(self, count: int) -> None:
        """Let the next ``count`` streams begin at one moment, when the last of them is asked for."""
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.post(f"{self.url}/together/{count}", timeout=30)).raise_for_status()

    async def has_begun(self) -> bool:
        """Whether they have."""
        async with httpx.AsyncClient(trust_env=False) as client:
            return bool((await client.get(f"{self.url}/together", timeout=30)).json())


class Installation:
    """Enter it to have Directus, Redis and the receiver; ``worker`` and ``model`` start the rest.

    ``folder`` takes logs, databases and indexes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = AsyncExitStack()
        self._secrets = DirectusSecrets.random()
        self._api_key = secrets.token_urlsafe(24)
        self._receiver_port = free_port()
        self._load_s: float | None = None
        self._indexing: Indexing | None = None
        self._started = 0
        self.conference_id = conference_id()
        self.receiver: ChildProcess
        self.directus: Directus
        self._admin: Directus
        self.redis: RedisClient
        self.queue: JobQueue
        self._redis_url = ""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            process = LocalDirectus(
                DirectusOptions(
                    port=free_port(),
                    data_dir=self.folder / "directus",
                    secrets=self._secrets,
                    cors_origin=self.receiver_url,
                )
            )
            await asyncio.to_thread(process.start)
            stack.push_async_callback(asyncio.to_thread, process.stop)
            (self.folder / "redis").mkdir()
            server = RedisServer(self.folder / "redis")
            server.start()
            stack.callback(server.stop)
            self._redis_url = server.url
            self.redis = connect_redis(server.url)
            stack.push_async_callback(self.redis.aclose)
            self.queue = JobQueue(self.redis)
            self.directus = await stack.enter_async_context(Directus(process.url, self._api_key))
            self._admin = await stack.enter_async_context(Directus(process.url, self._secrets.admin_token))
            await self._report_to(self.receiver_url)
            settings = self._settings() | {"QDRANT_URL": "embedded://"}
            self.receiver = stack.enter_context(ChildProcess("webhook", folder=self.folder, settings=settings))
            await _answers(f"{self.receiver_url}/health/live", self.receiver)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def receiver_url(self) -> str:
        """Where the Flows call, and the origin of its page."""
        return f"http://127.0.0.1:{self._receiver_port}"

    @property
    def redis_url(self) -> str:
        """The Redis of receiver and workers."""
        return self._redis_url

    @property
    def websocket_url(self) -> str:
        """Where visitors watch."""
        return f"{self.directus.url.replace('http', 'ws', 1)}/websocket"

    @asynccontextmanager
    async def timed_hooks(self) -> AsyncIterator[Hooks]:
        """Meanwhile what Directus's Flows send to the receiver goes through a tap that times it."""
        tap, hooks = Tap(self._receiver_port), Hooks()
        tap.before, tap.reply = hooks.asked, hooks.answered
        await tap.start()
        try:
            await self._report_to(f"http://127.0.0.1:{tap.port}")
            yield hooks
        finally:
            await self._report_to(self.receiver_url)
            await tap.stop()

    @asynccontextmanager
    async def model(self, *, tokens: int, tokens_per_second: float | None = None) -> AsyncIterator[Model]:
        """A model that answers ``tokens`` tokens at that pace, or at once."""
        port = free_port()
        pace = () if tokens_per_second is None else ("--tokens-per-second", str(tokens_per_second))
        arguments = ("--port", str(port), "--tokens", str(tokens), *pace)
        with ChildProcess("bench.model", *arguments, folder=self.folder) as process:
            model = Model(f"http://127.0.0.1:{port}")
            await _answers(f"{model.url}/asked", process)
            yield model

    @asynccontextmanager
    async def worker(self, model: Model | None = None, **settings: str) -> AsyncIterator[ChildProcess]:
        """A worker that is ready and idle, with the sample conference in an embedded index of its own.

        A copy of the index, since one process at a time may have it open; ``settings`` win.
        """
        self._started += 1
        if "QDRANT_URL" not in settings and self._indexing is not None:
            settings["QDRANT_URL"] = f"embedded://{await self._copied_index()}"
        if model is not None:
            settings |= {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "none"}
        given = self._settings() | settings
        name = f"worker-{self._started}"
        with ChildProcess("worker", folder=self.folder, settings=given, log=name) as process:
            await self._seen(process)
            yield process

    @asynccontextmanager
    async def qdrant(self, index: Path | None = None) -> AsyncIterator[str]:
        """The address of a Qdrant stand-in, a process of its own, with ``index`` or the sample conference's."""
        self._started += 1
        path, port = index or await self._copied_index(), free_port()
        arguments = ("--port", str(port), "--path", str(path))
        with ChildProcess("standins.qdrant", *arguments, folder=self.folder, log=f"qdrant-{self._started}") as process:
            url = f"http://127.0.0.1:{port}"
            await _answers(f"{url}/collections", process)
            yield url

    async def load(self) -> float:
        """Load the sample conference with the command line, once; the seconds it took."""
        if self._load_s is None:
            self._load_s, _ = await self.command("load", str(DATA))
        return self._load_s

    async def indexing(self) -> Indexing:
        """Load and index the sample conference with the command line; once, later calls tell the same."""
        if self._indexing is None:
            settings: dict[str, Any] = {"QDRANT_URL": f"embedded://{self._index}"}
            async with self.worker(**settings):
                load_s = await self.load()
                full_s, full = await self.command("reindex", "--full", "--wait", **settings)
                again_s, again = await self.command("reindex", "--wait", **settings)
                left_jobs = (await self.queue.depth(Queue.INDEX)).waiting
                # The index is whole without them, and the next figures want an idle machine.
                await self.redis.delete(Queue.INDEX)
            self._indexing = Indexing(load_s, full_s, _texts(full), again_s, _texts(again), left_jobs)
        return self._indexing

    async def command(self, *words: str, **settings: str) -> tuple[float, str]:
        """Run ``erleah`` with these words; the seconds it took, its start included, and what it said."""
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *words),
            cwd=self.folder,
            env=environment(**(self._settings() | settings)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), _COMMAND_S)
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            raise RuntimeError(f"erleah {words[0]}: {said.decode()[-1000:]}")
        return time.monotonic() - began, said.decode()

    async def counted(self, name: str) -> float:
        """A counter without labels, over all workers so far; workers add to it every 2 s."""
        return float(await self.redis.hget(redis_keys.METRICS, json.dumps([name])) or 0)  # type: ignore[misc]  # redis-py types it as sync or async

    @property
    def _index(self) -> Path:
        return self.folder / "index"

    async def _report_to(self, url: str) -> None:
        """Let the Flows call the receiver at ``url``; makes whatever else Directus has to have."""
        await provision(
            self._admin,
            service=self.directus,
            api_key=self._api_key,
            webhook_url=url,
            webhook_secret=self._secrets.webhook_secret,
            secret_from_env=True,
        )

    async def _copied_index(self) -> Path:
        copy = self.folder / f"index-{self._started}"
        # Its files are sparse, 1 GB to the eye and 20 MB on the disk: shutil would write all the zeros.
        copying = await asyncio.create_subprocess_exec("cp", "--archive", "--sparse=always", self._index, copy)
        if await copying.wait():
            raise RuntimeError(f"the index at {self._index} could not be copied")
        return copy

    def _settings(self) -> dict[str, str]:
        return {
            "DIRECTUS_URL": self.directus.url,
            "DIRECTUS_API_KEY": self._api_key,
            "DIRECTUS_WEBHOOK_SECRET": self._secrets.webhook_secret,
            "WEBHOOK_PORT": str(self._receiver_port),
            "REDIS_URL": self._redis_url,
            "EMBEDDING_PROVIDER": "local",
            "LLM_PROVIDERS": "anthropic,offline",
            "LOG_LEVEL": "WARNING",
        }

    async def _seen(self, process: ChildProcess) -> None:
        async with asyncio.timeout(_READY_S):
            while True:
                workers = await self.queue.workers()
                if any(seen.pid == process.pid and seen.queue == Queue.TURNS for seen in workers):
                    return
                await asyncio.sleep(0.05)


async def _answers(url: str, process: ChildProcess) -> None:
    async with asyncio.timeout(_READY_S), httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                if (await client.get(url, timeout=2)).is_success:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
            _ = process.pid  # raises when it has ended


def conference_id() -> str:
    """The sample conference's."""
    data = json.loads((DATA / "conference.json").read_text(encoding="utf-8"))
    return str((data[0] if isinstance(data, list) else data)["id"])


def _texts(said: str) -> int:
    found = re.search(r"(\d+) texts embedded", said)
    if found is None:
        raise RuntimeError(f"erleah reindex said nothing of texts: {said[-500:]}")
    return int(found.group(1))

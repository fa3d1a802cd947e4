"""All of Erleah in processes of its own, with a tap before each worker's servers.

Directus, redis-server, the receiver, two workers and the stand-ins for the model and for Qdrant, each a process that
can be killed, paused and stopped with real signals. The sample conference is loaded and indexed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx
import redis.asyncio

from bench.installation import DATA, conference_id
from bench.process import ChildProcess, environment
from chaos.model import Plan
from cli.local_directus import free_port
from services import redis_keys
from services.directus_names import MESSAGE_CREATED_FLOW_ID
from services.queue.job_queue import JobQueue
from services.queue.jobs import Queue, ReindexJob
from services.redis import connect_redis
from standins.tap import Tap
from tests.e2e.directus_server import DirectusServer, provision_directus, start_directus
from tests.e2e.processes import ErleahProcess
from tests.e2e.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from services.queue.jobs import Job

__all__ = ["House", "Replica"]

REPLICAS = 2
LLM_TIMEOUT_S = 2.0
"""A stalled provider costs a turn this long; the stand-in's own pauses are far shorter."""
_LOOK_S = 0.05
_REPORTED_S = 0.5
"""A Flow reports a row within this."""
_COMMAND_S = 180.0


@dataclass
class Replica:
    """One worker process and the taps it goes through."""

    process: ErleahProcess
    to_redis: Tap
    to_directus: Tap
    to_qdrant: Tap
    settings: dict[str, str] = field(default_factory=dict, repr=False)

    def let_go(self) -> None:
        """No fault waits in its taps any more."""
        for tap in (self.to_redis, self.to_directus, self.to_qdrant):
            tap.let_go()

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal, at once and without waiting."""
        os.kill(self.process.pid, number)


class House:
    """Enter it to have everything running. ``folder`` takes logs, databases and indexes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = AsyncExitStack()
        self.directus: DirectusServer
        self.redis: RedisServer
        self.webhook: ErleahProcess
        self.replicas: list[Replica] = []
        self.rest: httpx.AsyncClient
        self.conference_id = ""
        self.secrets: dict[str, str] = {}
        """By name, every key, token and password that a process of the house is given."""
        self._admin: httpx.AsyncClient
        self._model: httpx.AsyncClient
        self._receiver: httpx.AsyncClient
        self._settings: dict[str, str] = {}
        self._qdrant_port = 0
        self._brought_in: set[str] = set()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def mend(self) -> None:
        """Everything runs, as it did at the start: what a fault stopped is started, what it paused goes on."""
        if self.directus.process.is_running:
            self.signal_directus(signal.SIGCONT)
        else:
            await asyncio.to_thread(self.directus.process.start)
        if not self.redis.is_running:
            await asyncio.to_thread(self.redis.start)
        await self.plan(Plan())
        await self.forget_breakers()
        await self.flow(active=True)
        if not self.webhook.is_running:
            await asyncio.to_thread(self.webhook.start)
        for replica in self.replicas:
            replica.let_go()
            if replica.process.is_running:
                replica.signal(signal.SIGCONT)
            else:
                await asyncio.to_thread(replica.process.start)

    def logs(self) -> dict[str, str]:
        """All that any process has written since the house stands, by the log's name."""
        paths = [*sorted(self.folder.glob("*.log")), self.directus.process.log_path]
        return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in paths}

    # The model.

    async def plan(self, plan: Plan) -> None:
        """Tell the stand-in what to do from now on."""
        (await self._model.put("/plan", json=plan.model_dump(mode="json"))).raise_for_status()

    async def calls(self, *, forget: bool = False) -> list[dict[str, Any]]:
        """What the stand-in was asked since it was last told to forget."""
        calls: list[dict[str, Any]] = (await self._model.request("DELETE" if forget else "GET", "/calls")).json()
        return calls

    async def forget_breakers(self) -> None:
        """Close the providers' breakers, which a fault before has opened."""
        async with redis.asyncio.Redis(port=self.redis.port) as client:
            keys = [key async for key in client.scan_iter(match=f"{redis_keys.BREAKER_PREFIX}*")]
            if keys:
                await client.delete(*keys)

    # Directus and the receiver.

    async def flow(self, *, active: bool) -> None:
        """Switch the Flow that reports new messages on or off."""
        status = {"status": "active" if active else "inactive"}
        (await self._admin.patch(f"/flows/{MESSAGE_CREATED_FLOW_ID}", json=status)).raise_for_status()

    def signal_directus(self, number: signal.Signals) -> None:
        """Send the process of Directus a signal, at once and without waiting."""
        if (pid := self.directus.process.pid) is not None:
            os.kill(pid, number)

    async def ask_receiver(
        self, path: str, body: bytes | AsyncIterator[bytes], headers: Sequence[tuple[str, str]] = ()
    ) -> int:
        """POST whatever it is to the receiver, as anybody may; its status."""
        sent = [("Content-Type", "application/json"), *headers]
        return (await self._receiver.post(path, content=body, headers=sent)).status_code

    async def hook(self, message_id: str) -> int:
        """Report a message as the Flow does; the receiver's status."""
        body = {
            "event": "messages.items.create",
            "collection": "messages",
            "key": message_id,
            "payload": {"role": "user"},
        }
        secret = {"X-Erleah-Secret": self.directus.webhook_secret}
        return (await self._receiver.post("/hooks/message-created", json=body, headers=secret)).status_code

    # Conferences.

    async def bring_in(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Write rows of further conferences into Directus, by collection, and have them indexed; once each."""
        conferences = [row["id"] for row in rows["conferences"]]
        if set(conferences) <= self._brought_in:
            return
        for collection, batch in rows.items():
            (await self.rest.post(f"/items/{collection}", json=batch)).raise_for_status()
        for each in conferences:
            await self.job(ReindexJob(conference_id=each))
        self._brought_in.update(conferences)
        await self._forget_index_jobs()

    async def job(self, job: Job) -> Any:  # noqa: ANN401 - any JSON
        """Ask the workers for a job that keeps its result, and wait for that."""
        client = connect_redis(self.redis.url, retries=1)
        queue = JobQueue(client)
        try:
            await queue.enqueue(job)
            return await queue.result(job, _COMMAND_S)
        finally:
            await client.aclose()

    # Workers.

    async def holder(self, message_id: str) -> Replica | None:
        """The replica that runs the turn of a message now."""
        async with redis.asyncio.Redis(port=self.redis.port) as client:
            lease = await client.get(f"arq:in-progress:turn:{message_id}")
        if lease is None:
            return None
        pid = int(lease.decode().rpartition(":")[0].split("-")[-2])
        return next((each for each in self.replicas if each.process.is_running and each.process.pid == pid), None)

    async def _start(self, stack: AsyncExitStack) -> None:
        process, own = await asyncio.to_thread(start_directus, self.folder / "directus")
        stack.push_async_callback(asyncio.to_thread, process.stop)
        self.directus = DirectusServer(
            url=process.url,
            admin_token=own.admin_token,
            service_token=secrets.token_urlsafe(24),
            webhook_secret=own.webhook_secret,
            receiver_port=free_port(),
            process=process,
        )
        await provision_directus(
            process.url,
            own.admin_token,
            api_key=self.directus.service_token,
            webhook_url=self.directus.receiver_url,
            webhook_secret=own.webhook_secret,
            secret_from_env=True,
        )
        (self.folder / "redis").mkdir()
        self.redis = RedisServer(self.folder / "redis")
        self.redis.start()
        stack.callback(self.redis.stop)
        model_port = free_port()
        stack.enter_context(ChildProcess("chaos.model", "--port", str(model_port), folder=self.folder))
        self._model = await _client(stack, f"http://127.0.0.1:{model_port}")
        self.rest = await _client(stack, process.url, self.directus.service_token)
        self._admin = await _client(stack, process.url, own.admin_token)
        self._receiver = await _client(stack, self.directus.receiver_url)
        self._qdrant_port = free_port()
        arguments = ("--port", str(self._qdrant_port))
        stack.enter_context(ChildProcess("standins.qdrant", *arguments, folder=self.folder))
        self._settings = {
            "DIRECTUS_URL": process.url,
            "DIRECTUS_API_KEY": self.directus.service_token,
            "DIRECTUS_WEBHOOK_SECRET": own.webhook_secret,
            "WEBHOOK_PORT": str(self.directus.receiver_port),
            "RATE_LIMIT_PER_MINUTE": "10000",
            "REDIS_URL": self.redis.url,
            "QDRANT_URL": f"http://127.0.0.1:{self._qdrant_port}",
            "EMBEDDING_PROVIDER": "local",
            "FACET_WRITER": "template",
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{model_port}",
            "ANTHROPIC_API_KEY": f"sk-ant-{secrets.token_urlsafe(24)}",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
            "OPENAI_API_KEY": f"sk-{secrets.token_urlsafe(24)}",
            "LLM_TIMEOUT_S": str(LLM_TIMEOUT_S),
        }
        self.secrets = {name: value for name, value in self._settings.items() if name.endswith(("_KEY", "_SECRET"))}
        self.secrets |= {"Directus's SECRET": own.secret, "ADMIN_TOKEN": own.admin_token}
        self.secrets |= {"ADMIN_PASSWORD": own.admin_password}
        self.webhook = ErleahProcess("webhook", self._settings, self.folder)
        stack.callback(self.webhook.kill)
        await asyncio.to_thread(self.webhook.start)
        for number in range(REPLICAS):
            self.replicas.append(await self._replica(stack, f"worker-{number + 1}"))
        await self._until_model_answers()
        await self._conference()

    async def _conference(self) -> None:
        """Bring the sample conference in with the commands an operator types; the workers run."""
        self.conference_id = conference_id()
        await self._command("load", str(DATA))
        await self._command("reindex", "--full", "--wait")
        await self._forget_index_jobs()

    async def _forget_index_jobs(self) -> None:
        """Each loaded row's own job goes, until none is reported any more: the index is whole without them."""
        async with redis.asyncio.Redis(port=self.redis.port) as client:
            await client.delete(Queue.INDEX)
            await asyncio.sleep(_REPORTED_S)
            while await client.delete(Queue.INDEX):  # noqa: ASYNC110 - Redis has no event for it
                await asyncio.sleep(_REPORTED_S)

    async def _command(self, *words: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *words),
            cwd=self.folder,
            env=environment(**self._settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), _COMMAND_S)
        with (self.folder / "commands.log").open("ab") as log:
            log.write(said)
        if process.returncode:
            raise RuntimeError(f"erleah {words[0]}: {said.decode()[-1000:]}")

    async def _replica(self, stack: AsyncExitStack, name: str) -> Replica:
        to_redis, to_qdrant = Tap(self.redis.port), Tap(self._qdrant_port)
        to_directus = Tap(int(self.directus.url.rpartition(":")[2]))
        for tap in (to_redis, to_directus, to_qdrant):
            await tap.start()
            stack.push_async_callback(tap.stop)
        settings = self._settings | {
            "REDIS_URL": f"redis://127.0.0.1:{to_redis.port}/0",
            "DIRECTUS_URL": f"http://127.0.0.1:{to_directus.port}",
            "QDRANT_URL": f"http://127.0.0.1:{to_qdrant.port}",
        }
        process = ErleahProcess("worker", settings, self.folder, name=name)
        stack.callback(process.kill)
        await asyncio.to_thread(process.start)
        return Replica(process, to_redis, to_directus, to_qdrant, settings)

    async def _until_model_answers(self) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    await self.plan(Plan())
                except httpx.HTTPError:
                    await asyncio.sleep(_LOOK_S)
                else:
                    return


async def _client(stack: AsyncExitStack, url: str, token: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    client = httpx.AsyncClient(base_url=url, headers=headers, timeout=20, trust_env=False)
    return await stack.enter_async_context(client)

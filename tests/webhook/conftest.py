"""A door to knock at: the real app, client and queue, on an embedded Redis and an in-memory Directus."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from fakeredis import FakeServer

from services.errors import ServiceUnavailableError
from services.queue.job_queue import JobQueue
from services.redis import RedisClient
from services.redis_embedded import EmbeddedRedis
from services.settings import Settings
from standins.directus import DirectusStandIn
from webhook.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.queue.jobs import Job

SECRET = "a-secret-that-only-directus-knows"
CONFERENCE = "c0ffee00-0000-4000-8000-000000000001"


class WatchedQueue(JobQueue):
    """The real queue, which also tells what it was asked for."""

    def __init__(self, redis: RedisClient) -> None:
        super().__init__(redis)
        self.asked: list[Job] = []
        self.new: list[bool] = []

    async def enqueue(self, job: Job, *, defer_s: float = 0) -> bool:
        new = await super().enqueue(job, defer_s=defer_s)
        self.asked.append(job)
        self.new.append(new)
        return new


class VectorsPing:
    """The one thing the receiver asks of the index."""

    def __init__(self) -> None:
        self.away = False

    async def ping(self) -> None:
        if self.away:
            raise ServiceUnavailableError("qdrant", "Qdrant is not reachable at http://10.1.2.3:6333")


@dataclass
class Visitor:
    """Who has begun a conversation and traded its share."""

    conversation_id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Door:
    """The app, and every thing behind it that a test may look at or break."""

    http: httpx.AsyncClient
    app: Any
    directus: DirectusStandIn
    queue: WatchedQueue
    redis: RedisClient
    redis_server: FakeServer
    vectors: VectorsPing
    settings: Settings

    def break_redis(self) -> None:
        """Take Redis away."""
        self.redis_server.connected = False

    async def hook(self, path: str, body: object, **headers: str) -> httpx.Response:
        """Call a hook as a Flow does."""
        return await self.http.post(path, json=body, headers={"X-Erleah-Secret": SECRET, **headers})

    async def visitor(self) -> Visitor:
        """Begin a conversation and trade its share at Directus, as a visitor's client does."""
        answer = await self.http.post("/api/conversations", json={"conference_id": CONFERENCE})
        assert answer.status_code == 201, answer.text
        begun = answer.json()
        async with self.directus.directus(token=None) as anyone:
            access = await anyone.open_share(begun["share_id"])
        return Visitor(begun["conversation_id"], access.access_token)

    async def ask(self, visitor: Visitor, text: str = "Which talks are about testing?") -> httpx.Response:
        """Ask a question in the visitor's conversation."""
        body = {"conversation_id": visitor.conversation_id, "text": text}
        return await self.http.post("/api/messages", json=body, headers=visitor.headers)

    def from_address(self, address: str) -> httpx.AsyncClient:
        """A client elsewhere; the caller closes it."""
        transport = httpx.ASGITransport(self.app, client=(address, 4711))
        return httpx.AsyncClient(transport=transport, base_url="http://door.test")


def settings_of(**changes: Any) -> Settings:  # noqa: ANN401 - one value per setting, each of its own type
    """Settings that read neither the environment nor a file."""
    values: dict[str, Any] = {
        "directus_url": "http://directus.test:8055",
        "directus_api_key": "the-token-of-erleahs-own-user",
        "directus_webhook_secret": SECRET,
        "redis_url": "embedded://",
        **changes,
    }
    return Settings(_env_file=None, **values)


@asynccontextmanager
async def opened_door(**changes: Any) -> AsyncIterator[Door]:  # noqa: ANN401 - one value per setting
    """Open a door in front of a Directus with one conference."""
    settings = settings_of(**changes)
    standin = DirectusStandIn()
    standin.put("conferences", id=CONFERENCE, name="EuroPython")
    server = FakeServer()
    redis = RedisClient.over(EmbeddedRedis(server).pool())
    queue = WatchedQueue(redis)
    directus = standin.directus(retry_for_s=0.2)
    vectors = VectorsPing()
    app = create_app(settings, directus=directus, queue=queue, redis=redis, vectors=vectors)  # type: ignore[arg-type]  # only its ping is asked for
    knock = httpx.ASGITransport(app, client=("203.0.113.7", 4711))
    try:
        async with httpx.AsyncClient(transport=knock, base_url="http://door.test") as http:
            yield Door(http, app, standin, queue, redis, server, vectors, settings)
    finally:
        server.connected = True
        await redis.aclose()
        await directus.aclose()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A door with the settings' defaults."""
    async with opened_door() as door:
        yield door


def some_id() -> str:
    """A UUID nothing has."""
    return str(uuid4())

"""The door before a real Directus: shares, tokens, the Flow's hook, a stop."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from services.answer_ids import answer_id_of
from services.directus.client import Directus
from services.queue.job_queue import JobQueue
from services.redis import RedisClient
from services.redis_embedded import EmbeddedRedis
from services.redis_keys import cancel_flag
from services.settings import Settings
from tests.e2e.directus_server import DirectusServer, Rest
from webhook.main import OpenParts, run_webhook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from services.queue.jobs import Job

pytestmark = pytest.mark.e2e


class WatchedQueue(JobQueue):
    """The real queue, which tells of each job whether it was new."""

    def __init__(self, redis: RedisClient) -> None:
        super().__init__(redis)
        self.asked: list[tuple[str, bool]] = []
        self.told = asyncio.Condition()

    async def enqueue(self, job: Job, *, defer_s: float = 0) -> bool:
        new = await super().enqueue(job, defer_s=defer_s)
        async with self.told:
            self.asked.append((job.job_id, new))
            self.told.notify_all()
        return new

    async def has_asked(self, times: int) -> None:
        """Wait until it was asked so many times."""
        async with self.told:
            await asyncio.wait_for(self.told.wait_for(lambda: len(self.asked) >= times), 10)


@dataclass
class Door:
    """The receiver where the Flows call, and what is behind it."""

    http: httpx.AsyncClient
    queue: WatchedQueue
    redis: EmbeddedRedis
    conference_id: str
    open: ExitStack

    async def begin(self, directus_url: str) -> tuple[str, Rest, dict[str, str]]:
        """Begin a conversation: its id, the visitor's way into Directus, and his header."""
        begun = await self.http.post("/api/conversations", json={"conference_id": self.conference_id})
        assert begun.status_code == 201, begun.text
        body = begun.json()
        with Rest(directus_url) as anybody:
            token = anybody.data("POST", "/shares/auth", json={"share": body["share_id"]})["access_token"]
        visitor = self.open.enter_context(Rest(directus_url, token))
        return body["conversation_id"], visitor, {"Authorization": f"Bearer {token}"}


@pytest.fixture
def service(directus_server: DirectusServer) -> Iterator[Rest]:
    with Rest(directus_server.url, directus_server.service_token) as rest:
        yield rest


@pytest.fixture
async def door(directus_server: DirectusServer, service: Rest) -> AsyncIterator[Door]:
    conference_id = service.data("POST", "/items/conferences", json={"id": str(uuid4()), "name": "EuroPython"})["id"]
    settings = Settings(
        _env_file=None,
        directus_url=directus_server.url,
        directus_api_key=directus_server.service_token,
        directus_webhook_secret=directus_server.webhook_secret,
        redis_url="embedded://",
        webhook_port=directus_server.receiver_port,
    )
    redis = EmbeddedRedis()
    client = RedisClient.over(redis.pool())
    queue = WatchedQueue(client)
    directus = Directus(directus_server.url, directus_server.service_token)
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    parts = OpenParts(directus, queue, client, None)
    task = asyncio.create_task(run_webhook(settings, parts=parts, stop=stop, on_ready=address.set_result))
    async with httpx.AsyncClient(base_url=await address, timeout=20, trust_env=False) as http:
        with ExitStack() as visitors:
            yield Door(http, queue, redis, conference_id, visitors)
    stop.set()
    await task
    await client.aclose()
    await directus.aclose()


async def test_a_visitors_question_is_a_row_he_can_read_and_one_job_though_the_flow_reports_it_too(
    door: Door, directus_server: DirectusServer
) -> None:
    conversation_id, visitor, headers = await door.begin(directus_server.url)
    body = {"conversation_id": conversation_id, "text": 'Which "talks" are\nabout testing? 🤖'}
    asked = await door.http.post("/api/messages", json=body, headers=headers)
    assert asked.status_code == 201, asked.text
    message_id = asked.json()["message_id"]
    row = await asyncio.to_thread(visitor.data, "GET", f"/items/messages/{message_id}")
    assert (row["role"], row["messageText"], row["status"]) == ("user", body["text"], None)
    await door.queue.has_asked(2)
    assert sorted(door.queue.asked) == [(f"turn:{message_id}", False), (f"turn:{message_id}", True)]


async def test_a_visitors_token_opens_his_own_conversation_alone(door: Door, directus_server: DirectusServer) -> None:
    _, _, headers = await door.begin(directus_server.url)
    other, _, _ = await door.begin(directus_server.url)
    for conversation_id in (other, str(uuid4())):
        body = {"conversation_id": conversation_id, "text": "hello"}
        answer = await door.http.post("/api/messages", json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    body = {"conversation_id": other, "text": "hello"}
    for token in ("nobody-has-this", "eyJhbGciOiJIUzI1NiJ9.eyJzaGFyZSI6IngifQ.AAAA"):
        answer = await door.http.post("/api/messages", json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, answer.text


async def test_an_unknown_conference_is_a_404(door: Door) -> None:
    answer = await door.http.post("/api/conversations", json={"conference_id": str(uuid4())})
    assert answer.status_code == 404


async def test_a_streaming_answer_is_stopped_and_an_ended_one_is_left(
    door: Door, directus_server: DirectusServer, service: Rest
) -> None:
    conversation_id, visitor, headers = await door.begin(directus_server.url)
    _, _, strangers = await door.begin(directus_server.url)
    body = {"conversation_id": conversation_id, "text": "hello"}
    answer_id = (await door.http.post("/api/messages", json=body, headers=headers)).json()["answer_id"]
    path = f"/api/messages/{answer_id}/cancel"
    assert (await door.http.post(path, headers=strangers)).status_code == 404
    redis = RedisClient.over(door.redis.pool())
    assert await redis.get(cancel_flag(answer_id)) is None
    assert (await door.http.post(path, headers=headers)).status_code == 202  # it has no row yet
    assert await redis.get(cancel_flag(answer_id)) == b"1"
    await redis.aclose()
    row = {"id": answer_id, "conversation_id": conversation_id, "role": "assistant", "status": "streaming", "seq": 1}
    await asyncio.to_thread(service.data, "POST", "/items/messages", json={**row, "messageText": "Three"})
    assert (await door.http.post(path, headers=strangers)).status_code == 404
    assert (await door.http.post(path, headers=headers)).status_code == 202
    seen = await asyncio.to_thread(visitor.data, "GET", f"/items/messages/{answer_id}")
    assert (seen["status"], seen["messageText"], seen["seq"]) == ("cancelled", "Three", 1)
    assert (await door.http.post(path, headers=headers)).status_code == 409


async def test_chat_answers_for_a_message_somebody_else_wrote(door: Door, service: Rest) -> None:
    conversation = await asyncio.to_thread(service.data, "POST", "/items/conversations", json={})
    row = {"conversation_id": conversation["id"], "role": "user", "messageText": "hello"}
    message = await asyncio.to_thread(service.data, "POST", "/items/messages", json=row)
    body = {
        "conversation_id": conversation["id"],
        "message_id": message["id"],
        "conference_id": door.conference_id,
    }
    answer = await door.http.post("/api/chat", json=body)
    expected = {"success": True, "assistant_message_id": answer_id_of(message["id"]), "error": None}
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_a_changed_row_is_told_by_the_flow_and_becomes_a_job(door: Door, service: Rest) -> None:
    row = {"conference_id": door.conference_id, "title": "Testing", "start_time": "2024-07-08T09:00:00Z"}
    session = await asyncio.to_thread(service.data, "POST", "/items/sessions", json=row)
    await asyncio.to_thread(service.data, "PATCH", f"/items/sessions/{session['id']}", json={"room": "Hall A"})

    def told() -> int:
        return sum(job_id.startswith(f"item:sessions:{session['id']}:") for job_id, _ in door.queue.asked)

    async with door.queue.told:
        await asyncio.wait_for(door.queue.told.wait_for(lambda: told() == 2), 10)

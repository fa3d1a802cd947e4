"""How often one visitor may ask."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from unittest.mock import AsyncMock

import pytest
from fakeredis import FakeServer
from starlette.requests import Request

from services.errors import RateLimitedError
from services.rate_limits import RateLimits
from services.redis import RedisClient
from services.redis_embedded import EmbeddedRedis
from services.redis_keys import RATE_LIMIT_PREFIX
from tests.webhook.conftest import CONFERENCE, Door, opened_door
from webhook.clients import client_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def tight_door() -> AsyncIterator[Door]:
    """Three questions a minute."""
    async with opened_door(rate_limit_per_minute=3) as door:
        yield door


async def test_a_visitor_over_the_limit_is_told_when_to_come_back(tight_door: Door) -> None:
    visitor = await tight_door.visitor()
    answers = [await tight_door.ask(visitor) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert answers[3].json()["error"] == "rate_limited"
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 61
    assert len(tight_door.directus.rows("messages")) == 3


async def test_a_conversation_has_its_limit_from_wherever_it_is_asked(tight_door: Door) -> None:
    visitor = await tight_door.visitor()
    body = {"conversation_id": visitor.conversation_id, "text": "hello"}
    statuses = []
    for number in range(4):
        async with tight_door.from_address(f"198.51.100.{number}") as http:
            statuses.append((await http.post("/api/messages", json=body, headers=visitor.headers)).status_code)
    assert statuses == [201, 201, 201, 429]


@pytest.mark.parametrize("path", ["/api/messages", "/api/chat"])
async def test_a_conversation_has_one_limit_however_its_id_is_spelt(
    tight_door: Door, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL reads ids in any case (the stand-in, as SQLite, does not): what it accepts is counted together."""
    visitor = await tight_door.visitor()
    own = visitor.conversation_id
    message = tight_door.directus.put("messages", conversation_id=own, role="user", messageText="hello")
    conversations = tight_door.directus.tables.rows["conversations"]
    monkeypatch.setattr("webhook.access.VisitorAccess.check", AsyncMock())
    statuses = []
    for number, spelt in enumerate([own, own.upper(), own.capitalize(), own[:18] + own[18:].upper()]):
        conversations[spelt] = conversations[own]
        body = {"conversation_id": spelt, "conference_id": CONFERENCE}
        body |= {"text": "hello"} if path == "/api/messages" else {"message_id": message["id"]}
        async with tight_door.from_address(f"198.51.100.{number}") as http:
            statuses.append((await http.post(path, json=body, headers=visitor.headers)).status_code)
    assert [status < 300 for status in statuses] == [True, True, True, False], statuses
    assert statuses[-1] == 429


async def test_an_address_has_its_limit_whatever_it_asks(tight_door: Door) -> None:
    async with tight_door.from_address("198.51.100.9") as http:
        statuses = [(await http.post("/api/chat", json={})).status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]


async def test_a_limited_chat_has_the_shape_of_its_call(tight_door: Door) -> None:
    for _ in range(3):
        await tight_door.http.post("/api/chat", json={})
    answer = await tight_door.http.post("/api/chat", json={})
    assert (answer.status_code, answer.json()["success"]) == (429, False)
    assert int(answer.headers["Retry-After"]) >= 1


async def test_conversations_are_limited_by_address(tight_door: Door) -> None:
    body = {"conference_id": CONFERENCE}
    statuses = [(await tight_door.http.post("/api/conversations", json=body)).status_code for _ in range(4)]
    assert statuses == [201, 201, 201, 429]


async def test_a_stranger_cant_use_up_a_conversations_questions(tight_door: Door) -> None:
    visitor = await tight_door.visitor()
    body = {"conversation_id": visitor.conversation_id, "text": "hello"}
    for number in range(5):
        async with tight_door.from_address(f"198.51.100.{number}") as http:
            answer = await http.post("/api/messages", json=body, headers={"Authorization": "Bearer guess"})
            assert answer.status_code == 401
    assert (await tight_door.ask(visitor)).status_code == 201


async def test_a_proxys_header_is_not_believed_by_the_app_itself(tight_door: Door) -> None:
    for number in range(3):
        await tight_door.http.post("/api/chat", json={}, headers={"X-Forwarded-For": f"192.0.2.{number}"})
    answer = await tight_door.http.post("/api/chat", json={}, headers={"X-Forwarded-For": "192.0.2.99"})
    assert answer.status_code == 429


@pytest.fixture
async def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
async def redis(server: FakeServer) -> AsyncIterator[RedisClient]:
    client = RedisClient.over(EmbeddedRedis(server).pool())
    yield client
    server.connected = True
    await client.aclose()


async def test_two_receivers_count_together_and_keep_no_address(redis: RedisClient) -> None:
    one, other = RateLimits(per_minute=2, redis=redis), RateLimits(per_minute=2, redis=redis)
    await one.spend("question:address", "203.0.113.7")
    await other.spend("question:address", "203.0.113.7")
    with pytest.raises(RateLimitedError) as caught:
        await one.spend("question:address", "203.0.113.7")
    assert 1 <= caught.value.retry_after_s <= 61
    keys = [key.decode() async for key in redis.scan_iter()]
    assert keys
    assert all(key.startswith(RATE_LIMIT_PREFIX) and "203.0.113" not in key for key in keys)
    assert all([0 < await redis.ttl(key) <= 60 for key in keys])


async def test_while_redis_is_away_each_receiver_counts_by_itself_at_once(
    redis: RedisClient, server: FakeServer
) -> None:
    limits = RateLimits(per_minute=2, redis=redis)
    server.connected = False
    started = time.perf_counter()
    await limits.spend("question:address", "a")
    await limits.spend("question:address", "a")
    with pytest.raises(RateLimitedError):
        await limits.spend("question:address", "a")
    assert time.perf_counter() - started < 1.5


async def test_an_outage_of_redis_is_waited_for_once_and_not_by_each_request(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.rate_limits._REDIS_TIMEOUT_S", 0.2)
    limits = RateLimits(per_minute=100, redis=redis)
    tries = 0

    async def silent(*_: object) -> bool:
        nonlocal tries
        tries += 1
        await asyncio.sleep(60)
        return True

    assert limits._shared is not None
    monkeypatch.setattr(limits._shared, "hit", silent)
    for _ in range(5):
        await limits.spend("question:address", "a")
    assert tries == 1


async def test_of_many_at_once_no_more_pass_than_may(redis: RedisClient) -> None:
    limits = RateLimits(per_minute=5, redis=redis)
    spent = await asyncio.gather(*(limits.spend("q", "a") for _ in range(30)), return_exceptions=True)
    assert spent.count(None) == 5


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        (None, "unknown"),
    ],
)
def test_an_ipv6_site_is_one_client(host: str | None, address: str) -> None:
    request = Request({"type": "http", "client": (host, 1) if host else None, "headers": []})
    assert client_address(request) == address

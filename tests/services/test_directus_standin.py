"""The knobs of the stand-in that fast tests turn; its likeness to Directus is the contract's affair."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from services.errors import ConflictError, NotFoundError, ServiceRejectedError, ServiceUnavailableError
from standins.directus import DirectusStandIn, Write

KEY = "0b3cdd4e-6b4c-4a53-8a5c-3d0b7a1a2f10"
OTHER = "1b3cdd4e-6b4c-4a53-8a5c-3d0b7a1a2f10"


async def test_ordered_failures_come_first_and_then_no_more() -> None:
    standin = DirectusStandIn()
    standin.fail_next(2, status=503)
    async with standin.directus(retry_for_s=0) as directus:
        for _ in range(2):
            with pytest.raises(ServiceUnavailableError):
                await directus.read_items("messages")
        assert await directus.read_items("messages") == []
    assert standin.requests == 3


async def test_failures_can_be_ordered_for_one_method_with_a_wish() -> None:
    standin = DirectusStandIn()
    standin.fail_next(status=429, method="PATCH", retry_after_s=7)
    standin.put("messages", id=KEY)
    async with standin.directus(retry_for_s=0) as directus:
        assert len(await directus.read_items("messages")) == 1
        with pytest.raises(ServiceUnavailableError) as caught:
            await directus.update_items("messages", [{"id": KEY, "seq": 1}])
    assert caught.value.retry_after_s == 7
    assert standin.row("messages", KEY)["seq"] == 0


async def test_away_means_unreachable_until_it_is_back() -> None:
    standin = DirectusStandIn(away=True)
    async with standin.directus(retry_for_s=0) as directus:
        with pytest.raises(ServiceUnavailableError, match="not reachable"):
            await directus.ping()
        standin.away = False
        await directus.ping()


async def test_latency_comes_before_each_answer() -> None:
    standin = DirectusStandIn(latency_s=0.05)
    async with standin.directus() as directus:
        began = time.monotonic()
        await directus.ping()
    assert time.monotonic() - began >= 0.05


async def test_writes_are_recorded_as_sent_and_failed_ones_are_not() -> None:
    standin = DirectusStandIn()
    async with standin.directus() as directus:
        await directus.create_item("messages", {"id": KEY, "messageText": "a"})
        with pytest.raises(ConflictError):
            await directus.create_item("messages", {"id": KEY, "messageText": "b"})
        await directus.update_items("messages", [{"id": KEY, "seq": 2}])
        await directus.delete_items("messages", [KEY])
    assert standin.writes == [
        Write("POST", "messages", ({"id": KEY, "messageText": "a"},)),
        Write("PATCH", "messages", ({"id": KEY, "seq": 2},)),
        Write("DELETE", "messages", ({"id": KEY},)),
    ]


async def test_on_create_is_told_as_a_flow_tells_and_holds_nobody_up() -> None:
    told: list[dict[str, Any]] = []
    gate = asyncio.Event()

    async def flow(trigger: dict[str, Any]) -> None:
        await gate.wait()
        told.append(trigger)

    standin = DirectusStandIn(on_create=flow)
    async with standin.directus() as directus:
        await directus.create_item("messages", {"id": KEY, "role": "user"})
        assert told == []
        gate.set()
        await standin.settle()
    payload = {"id": KEY, "role": "user"}
    assert told == [{"event": "messages.items.create", "payload": payload, "key": KEY, "collection": "messages"}]


async def test_rows_put_in_by_a_test_are_no_writes_and_copies_do_not_leak() -> None:
    standin = DirectusStandIn()
    standin.put("messages", id=KEY, metadata={"a": 1})
    standin.rows("messages")[0]["metadata"]["a"] = 2
    assert standin.row("messages", KEY)["metadata"] == {"a": 1}
    assert standin.writes == []


async def test_deleting_a_conversation_deletes_its_messages() -> None:
    standin = DirectusStandIn()
    standin.put("conversations", id=OTHER)
    standin.put("messages", id=KEY, conversation_id=OTHER)
    standin.tables.delete("conversations", OTHER)
    assert standin.rows("messages") == []


async def test_a_failed_batch_leaves_every_row_as_it_was() -> None:
    standin = DirectusStandIn()
    standin.put("conversations", id=OTHER)
    before = standin.put("messages", id=KEY, messageText="before")
    async with standin.directus() as directus:
        rows = [{"id": KEY, "messageText": "after", "conversation_id": OTHER}, {"id": KEY, "conversation_id": KEY}]
        with pytest.raises(ServiceRejectedError):
            await directus.update_items("messages", rows)
        with pytest.raises(ServiceRejectedError):
            await directus.create_items("messages", [{"id": OTHER}, {"conversation_id": KEY}])
    assert standin.rows("messages") == [before]


async def test_it_serves_any_asgi_client_as_well() -> None:
    standin = DirectusStandIn()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(standin.app), base_url="http://x") as bare:
        assert (await bare.get("/server/ping")).text == "pong"
        refused = await bare.get("/items/messages")
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_one_stand_in_knows_nothing_of_another() -> None:
    first, second = DirectusStandIn(), DirectusStandIn()
    first.put("messages", id=KEY)
    async with second.directus() as directus:
        with pytest.raises(NotFoundError):
            await directus.read_item("messages", KEY)

"""A real Directus that dies and comes back: safe calls wait for it, others say at once that it is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.directus.client import Directus
from services.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from tests.e2e.directus_server import DirectusServer

pytestmark = pytest.mark.e2e


async def test_calls_that_may_run_twice_outlast_a_restart_and_the_others_do_not_wait(
    directus_server: DirectusServer,
) -> None:
    async with Directus(directus_server.url, directus_server.service_token, retry_for_s=60) as directus:
        conversation = (await directus.create_item("conversations", {}))["id"]
        row = {"id": str(uuid4()), "conversation_id": conversation, "role": "user"}
        await asyncio.to_thread(directus_server.process.kill)
        try:
            async with asyncio.timeout(3):
                for attempt in (
                    lambda: directus.update_items("messages", [{"id": row["id"], "seq": 1}]),
                    lambda: directus.create_item("messages", {"role": "user"}),
                    directus.ping,
                ):
                    with pytest.raises(ServiceUnavailableError, match="not reachable at http://127"):
                        await attempt()
            waiting = asyncio.gather(
                directus.read_item("conversations", conversation, fields=["id"]), directus.create_item("messages", row)
            )
        finally:
            await asyncio.to_thread(directus_server.process.start)
        read, created = await waiting
        assert read == {"id": conversation}
        assert created == {"id": row["id"]}
        assert await directus.count_items("messages", filter={"conversation_id": {"_eq": conversation}}) == 1

"""What is kept of a conference is never older than the last change that was told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from assistants.conference.conference_cache import forget_facts, read_facts
from services import redis_keys
from services.directus_names import CONFERENCES
from tests.assistants.sample_chat import CONFERENCE

if TYPE_CHECKING:
    from services.directus.client import Directus
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class SlowDirectus:
    """The stand-in; its answer to the second read is long on its way."""

    directus: Directus
    has_read: asyncio.Event = field(default_factory=asyncio.Event)
    arrives: asyncio.Event = field(default_factory=asyncio.Event)

    async def read_item(self, *args: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - as the client
        return await self.directus.read_item(*args, **options)

    async def read_items(self, *args: Any, **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as the client
        rows = await self.directus.read_items(*args, **options)
        self.has_read.set()
        await self.arrives.wait()
        return rows


async def test_what_was_read_before_a_change_is_not_kept_after_it(chat: Chat) -> None:
    """A row that changes between reading and keeping is dropped by its hook; the reader must not bring it back."""
    key = redis_keys.conference(CONFERENCE)
    await forget_facts(CONFERENCE, chat.toolbox.redis)
    slow = SlowDirectus(chat.toolbox.directus)
    toolbox = replace(chat.toolbox, directus=slow)  # type: ignore[arg-type]  # only its two reads are called
    reading = asyncio.create_task(read_facts(CONFERENCE, toolbox))
    await slow.has_read.wait()
    old = (await chat.toolbox.directus.read_item(CONFERENCES, CONFERENCE))["venue"]
    await chat.toolbox.directus.update_item(CONFERENCES, CONFERENCE, {"venue": "Elsewhere"})
    await forget_facts(CONFERENCE, chat.toolbox.redis)
    slow.arrives.set()
    try:
        assert (await reading).venue == old
        assert await chat.toolbox.redis.get(key) is None
        assert (await read_facts(CONFERENCE, chat.toolbox)).venue == "Elsewhere"
        assert await chat.toolbox.redis.get(key) is not None
    finally:
        await chat.toolbox.directus.update_item(CONFERENCES, CONFERENCE, {"venue": old})
        await forget_facts(CONFERENCE, chat.toolbox.redis)


async def test_the_mark_of_a_change_lapses(chat: Chat) -> None:
    """Nothing is left in Redis of a conference that nobody asks for; a lapsed mark keeps nobody from keeping."""
    mark = redis_keys.conference_changed(CONFERENCE)
    await forget_facts(CONFERENCE, chat.toolbox.redis)
    assert 0 < await chat.toolbox.redis.ttl(mark) <= redis_keys.CONFERENCE_TTL_S
    await chat.toolbox.redis.delete(mark)
    await read_facts(CONFERENCE, chat.toolbox)
    assert await chat.toolbox.redis.get(redis_keys.conference(CONFERENCE)) is not None

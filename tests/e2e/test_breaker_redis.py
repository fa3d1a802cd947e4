"""The breaker on a real redis-server, shared by all workers: half-open probes too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.redis import connect_redis
from tests.services.breaker_promises import BreakerPromises

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.redis import RedisClient
    from tests.e2e.redis_server import RedisServer

pytestmark = pytest.mark.e2e


class TestOnAServer(BreakerPromises):
    """All of them."""

    @pytest.fixture
    async def redis(self, redis_server: RedisServer) -> AsyncIterator[RedisClient]:
        client = connect_redis(redis_server.url, retries=0)
        await client.flushall()
        yield client
        await client.aclose()

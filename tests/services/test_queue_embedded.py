"""The queue's promises on fakeredis, inside the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.redis import RedisClient
from services.redis_embedded import EmbeddedRedis
from tests.services.queue_promises import QueuePromises

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.thorough


class TestOnEmbeddedRedis(QueuePromises):
    """All of them; nothing has to be closed, for nothing is open."""

    @pytest.fixture
    def connect(self) -> Callable[[], RedisClient]:
        embedded = EmbeddedRedis()
        return lambda: RedisClient.over(embedded.pool())

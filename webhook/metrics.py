"""GET /metrics: what all processes counted, as Prometheus reads it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from services.errors import ServiceUnavailableError
from services.metrics import render_metrics

if TYPE_CHECKING:
    from starlette.requests import Request

    from services.queue.job_queue import JobQueue
    from services.redis import RedisClient

__all__ = ["MetricsPage"]

_TIMEOUT_S: Final = 5.0
"""Prometheus gives up after 10 s by default."""


class MetricsPage:
    """The page; it holds sums and queue lengths, and nothing of any visitor."""

    def __init__(self, *, redis: RedisClient, queue: JobQueue) -> None:
        self._redis = redis
        self._queue = queue

    async def show(self, _request: Request) -> Response:
        """200 with the counts; raises ServiceUnavailableError while Redis, which holds them, is away."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                text = await render_metrics(self._redis, self._queue)
        except TimeoutError:
            raise ServiceUnavailableError(
                "redis", "Redis takes too long to answer; is it running? (REDIS_URL)"
            ) from None
        return Response(text, media_type=CONTENT_TYPE_LATEST)

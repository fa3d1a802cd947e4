"""Calls that are always seen to their end, also when nobody waits for them any more.

httpx's connection pool (httpcore 1.0.9) loses a place for good when a call is cancelled between being given a
connection and having opened it (encode/httpcore#1093), which happens with more calls than connections. A worker
that gave up calls so, at a tool's time-out or a visitor's stop, ended with a full pool and an idle server behind it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["WholeCalls"]

T = TypeVar("T")


class WholeCalls:
    """Runs each call in a task of its own, which cancelling the wait for it leaves alone.

    The calls must bound their own time.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, call: Coroutine[Any, Any, T]) -> T:
        """What the call gives, or raises."""
        task = asyncio.create_task(call)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """End what still runs; the client that carries it is about to be closed."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # read, or asyncio would report the failure of a call that nobody waits for

"""Calls that are always seen to their end, also when nobody waits for them any more.

httpx's connection pool (httpcore 1.0.9) loses a place for good when a call is cancelled between being given a
connection and having opened it (encode/httpcore#1093), which happens with more calls than connections. A worker
that gave up calls so, at a tool's time-out or a visitor's stop, ended with a full pool and an idle server behind it.

Nor should calls queue up inside that pool: it looks through all its connections, asking the system about each idle one,
for every call that waits. With a hundred turns beginning at once that was a third of a worker's processor (py-spy).
So they wait out here, in line for a slot, and one that is given up in line costs nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["WholeCalls"]

T = TypeVar("T")


class WholeCalls:
    """Runs each call in a task of its own, which cancelling the wait for it leaves alone.

    The calls must bound their own time.
    """

    def __init__(self, *, at_once: int, patience_s: float) -> None:
        """``at_once`` calls run, the others wait in line; for ``patience_s`` seconds at most."""
        self._running: set[asyncio.Task[Any]] = set()
        self._slots = asyncio.Semaphore(at_once)
        self._patience_s = patience_s
        self._is_closed = False

    async def run(self, call: Coroutine[Any, Any, T], *, waits: bool = True) -> T:
        """What the call gives, or raises; ``waits`` False goes past the line.

        Raises httpx.PoolTimeout when no slot came free in time, or the client was closed before the call's end.
        """
        if not waits:
            return await self._end_of(self._begun(call))
        try:
            async with asyncio.timeout(self._patience_s):
                await self._slots.acquire()
        except TimeoutError:
            call.close()
            raise httpx.PoolTimeout(f"no slot for the call within {self._patience_s:g} s") from None
        except asyncio.CancelledError:
            call.close()
            raise
        try:
            task = self._begun(call)
        except httpx.PoolTimeout:
            self._slots.release()  # to the next in line, who is told the same
            raise
        task.add_done_callback(lambda _: self._slots.release())
        return await self._end_of(task)

    async def aclose(self) -> None:
        """End what still runs, and begin nothing more; the client that carries it is about to be closed."""
        self._is_closed = True
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(set(self._running))

    def _begun(self, call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """The call's task. Raises httpx.PoolTimeout when closed: who waited in line wakes as the last calls end."""
        if self._is_closed:
            call.close()
            raise httpx.PoolTimeout("the client was closed before the call began")
        task = asyncio.create_task(call)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    @staticmethod
    async def _end_of(task: asyncio.Task[T]) -> T:
        """Wait for the end; unlike out of a shield, a CancelledError that comes from here is the waiting one's own."""
        await asyncio.wait({task})
        if task.cancelled():
            raise httpx.PoolTimeout("the client was closed before the call had ended")
        return task.result()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # read, or asyncio would report the failure of a call that nobody waits for

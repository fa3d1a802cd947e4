"""Time that passes as fast as it can: an event loop whose clock jumps to whatever is due next.

A minute of leases, sweeps and back-off takes as long as the work in it, and the same draw of faults
gives the same run again, however busy the machine is. While a thread works for the loop, time stands
still. Nothing may wait for a real socket inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import time
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any
from unittest import mock

import arq.utils

import standins.directus_tables
import webhook.regeneration
import worker.answering
import worker.sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from concurrent.futures import Executor

__all__ = ["Clock", "VirtualLoop", "run_in_virtual_time", "virtual_time"]

EPOCH = 1_780_000_000.0
"""When every simulation begins, in Unix seconds (28 May 2026)."""

_THREADS_S = 0.05
"""How long the loop really waits, at most, before it looks again whether a thread is done."""


class Clock:
    """The simulation's one clock; ``now`` in seconds since its beginning."""

    def __init__(self) -> None:
        self.now = 0.0

    def unix(self) -> float:
        return EPOCH + self.now

    def monotonic(self) -> float:
        return 1000.0 + self.now

    def stand_still(self, for_s: float) -> None:
        """What a blocking sleep does: time passes, and nothing is done in it."""
        self.now += for_s


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nothing but threads: where the loop would sleep, the clock moves on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.threads_at_work = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.threads_at_work:
            # A thread that is done says so through the loop's own socket.
            return super().select(_THREADS_S if timeout is None else min(timeout, _THREADS_S))
        if timeout is None:
            raise RuntimeError("everything waits and nothing is due: a deadlock")
        if timeout > 0:
            self._clock.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on such a clock."""

    def __init__(self, clock: Clock) -> None:
        self._jumping = _JumpingSelector(clock)
        super().__init__(self._jumping)
        self._clock = clock

    def time(self) -> float:
        return self._clock.monotonic()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., Any], *args: object
    ) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads_at_work += 1
        future.add_done_callback(self._thread_is_done)
        return future

    async def shutdown_default_executor(self) -> None:
        self._jumping.threads_at_work += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._jumping.threads_at_work -= 1

    def _thread_is_done(self, _: asyncio.Future[Any]) -> None:
        self._jumping.threads_at_work -= 1


def run_in_virtual_time(main: Coroutine[Any, Any, None], clock: Clock) -> None:
    """Run ``main`` to its end; all of time, monotonic time and dates in it are the clock's."""
    with virtual_time(clock), asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        runner.run(main)


@contextlib.contextmanager
def virtual_time(clock: Clock) -> Iterator[None]:
    """All of time, monotonic time and dates are the clock's."""

    class Dates(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # plain dates, as pydantic wants
            return datetime.fromtimestamp(clock.unix(), tz or UTC)

    with contextlib.ExitStack() as stack:
        for target, name, value in (
            (time, "time", clock.unix),
            (time, "monotonic", clock.monotonic),
            (time, "perf_counter", clock.monotonic),
            (time, "sleep", clock.stand_still),
            (arq.utils, "time", clock.unix),
            (standins.directus_tables, "datetime", Dates),
            (worker.answering, "datetime", Dates),
            (worker.sweep, "datetime", Dates),
            (webhook.regeneration, "datetime", Dates),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        yield

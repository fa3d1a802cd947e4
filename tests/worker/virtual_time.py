"""Time that passes as fast as it can: an event loop whose clock jumps to whatever is due next.

A minute of leases, sweeps and back-off takes as long as the work in it, and the same draw of faults
gives the same run again. Nothing may wait for a real socket or thread inside.
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
    from collections.abc import Coroutine, Iterator

__all__ = ["Clock", "run_in_virtual_time"]

EPOCH = 1_780_000_000.0
"""When every simulation begins, in Unix seconds (28 May 2026)."""


class Clock:
    """The simulation's one clock; ``now`` in seconds since its beginning."""

    def __init__(self) -> None:
        self.now = 0.0

    def unix(self) -> float:
        return EPOCH + self.now

    def monotonic(self) -> float:
        return 1000.0 + self.now


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nothing: where the loop would sleep, the clock moves on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits and nothing is due: a deadlock")
        if timeout > 0:
            self._clock.now += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        super().__init__(_JumpingSelector(clock))
        self._clock = clock

    def time(self) -> float:
        return self._clock.monotonic()


def run_in_virtual_time(main: Coroutine[Any, Any, None], clock: Clock) -> None:
    """Run ``main`` to its end; all of time, monotonic time and dates in it are the clock's."""
    with _patched(clock), asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner:
        runner.run(main)


@contextlib.contextmanager
def _patched(clock: Clock) -> Iterator[None]:
    class Dates(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # plain dates, as pydantic wants
            return datetime.fromtimestamp(clock.unix(), tz or UTC)

    with contextlib.ExitStack() as stack:
        for target, name, value in (
            (time, "time", clock.unix),
            (time, "monotonic", clock.monotonic),
            (arq.utils, "time", clock.unix),
            (standins.directus_tables, "datetime", Dates),
            (worker.answering, "datetime", Dates),
            (worker.sweep, "datetime", Dates),
            (webhook.regeneration, "datetime", Dates),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        yield

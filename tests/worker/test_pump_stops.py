"""A worker that is told to stop ends, whatever its parts are doing at that moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.worker.conftest import Workshop


async def test_a_pump_that_is_stopped_in_the_moment_it_is_woken_ends(workshop: Workshop) -> None:
    """A step shows a text in the same tick: the stop is not lost, or the process would wait for the pump for ever."""
    pump: Any = workshop.services.pump
    running = asyncio.create_task(pump.run())
    await asyncio.sleep(0.05)
    for ticks in range(4):
        pump._dirty.set()
        for _ in range(ticks):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running}, timeout=1)
        assert running.done(), f"the stop was lost {ticks} ticks after the wake"
        running = asyncio.create_task(pump.run())
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait({running})

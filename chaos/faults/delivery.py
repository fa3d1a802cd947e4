"""Reports that come twice, late or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chaos.fault import Fault

if TYPE_CHECKING:
    from chaos.fault import Scene

__all__ = ["FAULTS"]

_COPIES = (1, 2, 50)
_BY_ITS_HOOK_S = 8.0
"""From a question to its end: an answer takes 2 s, and the sweep looks at none younger than 8 s: nothing needed it."""


async def _duplicate_hooks(scene: Scene) -> None:
    for number in range(round(scene.seconds(9))):
        message_id = await scene.traffic.ask()
        copies = _COPIES[number % len(_COPIES)]
        statuses = await asyncio.gather(*(scene.house.hook(message_id) for _ in range(copies)))
        scene.injected(copies)
        if set(statuses) != {202}:
            scene.broken(f"the receiver said {sorted(set(statuses))}")
        await asyncio.sleep(0.3)
    # And once more, now that each is answered.
    await scene.traffic.settled(20)
    for message_id in scene.traffic.asked:
        await scene.house.hook(message_id)
        scene.injected()


async def _receiver_down(scene: Scene) -> None:
    await asyncio.to_thread(scene.house.webhook.stop)
    scene.injected()
    await scene.traffic.flow(scene.seconds(10))
    await asyncio.to_thread(scene.house.webhook.start)
    scene.mark()


async def _flow_lost(scene: Scene) -> None:
    await scene.house.flow(active=False)
    before = len(scene.traffic.asked)
    await scene.traffic.flow(scene.seconds(8))
    scene.injected(len(scene.traffic.asked) - before)
    await scene.house.flow(active=True)
    scene.mark()


async def _redis_flushed(scene: Scene) -> None:
    async with asyncio.TaskGroup() as together:
        together.create_task(scene.traffic.flow(scene.seconds(10)))
        for _ in range(3):
            await asyncio.sleep(scene.seconds(3))
            await asyncio.to_thread(scene.house.redis.flush)
            scene.injected(mark=True)


FAULTS = (
    Fault("duplicate hooks (1, 2, 50 in parallel)", _duplicate_hooks, promised_s=_BY_ITS_HOOK_S),
    Fault("receiver down", _receiver_down, promised_s=60),
    Fault("Flow lost", _flow_lost, promised_s=60),
    Fault("Redis flushed", _redis_flushed, promised_s=60),
)

"""Servers that stop in mid-load and come back."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from chaos.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaos.fault import Scene

__all__ = ["FAULTS"]

_BEFORE_S = 3.0
_AFTER_S = 3.0


async def _stopped(scene: Scene, stop: Callable[[], None], start: Callable[[], None], away_s: float) -> None:
    async with asyncio.TaskGroup() as together:
        together.create_task(scene.traffic.flow(_BEFORE_S + away_s + _AFTER_S))
        await asyncio.sleep(_BEFORE_S)
        await asyncio.to_thread(stop)
        scene.injected()
        await asyncio.sleep(away_s)
        await asyncio.to_thread(start)
        scene.mark()


async def _redis_stopped(scene: Scene, away_s: float) -> None:
    await _stopped(scene, scene.house.redis.stop, scene.house.redis.start, scene.seconds(away_s))


async def _redis_killed(scene: Scene) -> None:
    await _stopped(scene, scene.house.redis.kill, scene.house.redis.start, scene.seconds(4))


async def _directus_stopped(scene: Scene, away_s: float) -> None:
    directus = scene.house.directus.process
    await _stopped(scene, directus.stop, directus.start, scene.seconds(away_s))


async def _qdrant_away(scene: Scene) -> None:
    """There is no Qdrant server here: workers are started with an address that refuses, then with one that hangs."""
    silent = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
    refusing = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
    addresses = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in (refusing, silent)]
    refusing.close()
    await refusing.wait_closed()
    try:
        for address in addresses:
            for replica in scene.house.replicas:
                await asyncio.to_thread(replica.process.stop)
                await asyncio.to_thread(replica.process.start, {"QDRANT_URL": address})
            scene.injected()
            await scene.traffic.flow(scene.seconds(5))
            await scene.traffic.settled(60)
    finally:
        for replica in scene.house.replicas:
            await asyncio.to_thread(replica.process.stop)
        silent.close()
        for replica in scene.house.replicas:
            await asyncio.to_thread(replica.process.start)


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass
    writer.close()


FAULTS = (
    Fault("Redis stopped for 10 s", partial(_redis_stopped, away_s=10), promised_s=60),
    Fault("Redis killed for 4 s", _redis_killed, promised_s=60),
    Fault("Redis stopped for 60 s", partial(_redis_stopped, away_s=60), promised_s=60, is_long=True),
    Fault("Directus stopped for 10 s", partial(_directus_stopped, away_s=10), promised_s=60),
    Fault("Directus stopped for 60 s", partial(_directus_stopped, away_s=60), promised_s=60, is_long=True),
    Fault("Qdrant away (refuses, then hangs)", _qdrant_away),
)

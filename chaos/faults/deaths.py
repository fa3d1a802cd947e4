"""Workers that die or are stopped."""

from __future__ import annotations

import asyncio
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from chaos.fault import Fault
from chaos.model import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chaos.fault import Scene
    from chaos.house import Replica

__all__ = ["FAULTS", "nothing_paid_twice"]

_KILLS = 3
"""Of each kind; half of it in a quick run."""
_CLAIM = b"erleah:turn-lease:"
_LATER_S = 0.02
"""A turn that has just been claimed is in ``understand`` this much later (the stand-in takes 1 s for it)."""
_MID_ANSWER_S = 0.6
_SLOW_S = 1.0
_UNDERSTOOD_S = 0.5
"""The stand-in understands in 0.05 s; the rest is for a busy machine to save it."""


class _Killer:
    """Kills the first replica that says a word to Redis, at that very moment."""

    def __init__(self, scene: Scene, word: bytes, *, later_s: float = 0.0) -> None:
        self._scene = scene
        self._word = word
        self._later_s = later_s
        self.killed: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()
        self._is_due = False
        for replica in scene.house.replicas:
            replica.to_redis.after = partial(self._look, replica)

    def _look(self, replica: Replica, chunk: bytes) -> None:
        if self._word in chunk and not self._is_due:
            self._is_due = True
            for each in self._scene.house.replicas:
                each.to_redis.after = None
            if self._later_s:
                asyncio.get_running_loop().call_later(self._later_s, self._kill, replica)
            else:
                self._kill(replica)

    def _kill(self, replica: Replica) -> None:
        replica.signal(signal.SIGKILL)
        self._scene.injected(mark=True)
        self.killed.set_result(replica)


async def _kills(scene: Scene, arm: Callable[[], _Killer], *, understanding_s: float = _UNDERSTOOD_S) -> None:
    """Kill one of the two, let the other go on, then start the killed one again; several times."""
    for _ in range(round(scene.seconds(_KILLS))):
        async with asyncio.TaskGroup() as together:
            together.create_task(scene.traffic.flow(scene.seconds(5)))
            killer = arm()
            killed = await asyncio.wait_for(killer.killed, 15)
        await scene.traffic.settled(40)
        await asyncio.to_thread(killed.process.wait)
        await asyncio.to_thread(killed.process.start)
    nothing_paid_twice(scene, await scene.house.calls(), understanding_s)


def nothing_paid_twice(scene: Scene, calls: Sequence[Mapping[str, Any]], understanding_s: float) -> None:
    """Understanding is asked of the model once, and again only where a kill met it on its way."""
    paid: dict[str, list[float]] = {}
    for call in calls:
        if not call["streamed"]:
            paid.setdefault(call["tag"], []).append(call["at"])
    again = [at for at, *more in map(sorted, paid.values()) if more]
    on_its_way = [at for at in again if any(at <= mark <= at + understanding_s for mark in scene.marks)]
    scene.note(f"questions that the model understood: {len(paid)}; again, as a kill met it: {len(on_its_way)}")
    if len(again) > len(on_its_way):
        scene.broken(f"{len(again) - len(on_its_way)} times was understanding paid again that had ended")


async def _in_understand(scene: Scene) -> None:
    await scene.house.plan(Plan(understand_s=_SLOW_S))
    killer = partial(_Killer, scene, _CLAIM, later_s=_LATER_S)
    await _kills(scene, killer, understanding_s=_SLOW_S + _UNDERSTOOD_S)


async def _in_state(scene: Scene, state: str) -> None:
    await _kills(scene, lambda: _Killer(scene, f'"state":"{state}"'.encode()))


async def _in_mid_answer(scene: Scene) -> None:
    await _kills(scene, lambda: _Killer(scene, b'"state":"respond"', later_s=_MID_ANSWER_S))


async def _sigterm(scene: Scene) -> None:
    async with asyncio.TaskGroup() as together:
        together.create_task(scene.traffic.flow(scene.seconds(10)))
        await asyncio.sleep(2)
        for replica in scene.house.replicas:
            replica.process.terminate()
            scene.injected(mark=True)
            code = await asyncio.to_thread(replica.process.wait)
            if code:
                scene.broken(f"a worker told to stop ended with {code}")
            await asyncio.to_thread(replica.process.start)


async def _rolling(scene: Scene) -> None:
    until = time.monotonic() + scene.seconds(16)
    async with asyncio.TaskGroup() as together:
        together.create_task(scene.traffic.flow(scene.seconds(14)))
        while time.monotonic() < until:
            for replica in scene.house.replicas:
                await asyncio.to_thread(replica.process.stop)
                scene.injected(mark=True)
                await asyncio.to_thread(replica.process.start)


FAULTS = (
    Fault("kill -9 in understand", _in_understand, promised_s=10, goes_on=True),
    *(
        Fault(f"kill -9 in {state}", partial(_in_state, state=state), promised_s=10, goes_on=True)
        for state in ("plan", "execute", "reflect", "respond")
    ),
    Fault("kill -9 in mid-answer", _in_mid_answer, promised_s=10, goes_on=True),
    Fault("SIGTERM", _sigterm, promised_s=30),
    Fault("rolling restarts", _rolling, promised_s=30),
)

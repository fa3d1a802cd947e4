"""Many answers at once, each stopped in mid-stream: how long its model goes on, seen at the model."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import redis.asyncio

from chaos.answers import POINTS
from chaos.fault import Fault
from chaos.model import Plan
from services.answer_ids import answer_id_of
from services.redis_keys import cancel_flag
from tests.e2e.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.fault import Scene

__all__ = ["FAULTS"]

_MANY = 50
_LONG = 36 * POINTS
"""4,000 tokens, 67 s: every answer is being written when it is stopped, however long it takes to begin so many."""
_BEGUN_S = 40.0
_APART_S = 0.1
_STREAMED_S = 2.0
_SEEN_S = 5.0
_STOP_WITHIN_S = 1.0


@dataclass(slots=True)
class _Stop:
    """One stop; times on the monotonic clock, which all processes of a machine share."""

    message_id: str
    who: Visitor
    by_visitor: bool
    asked_at: float = 0.0
    set_at: float = 0.0
    """When its flag was set in Redis, or Directus had written the status."""


class _Flags:
    """When each answer's stop was set in Redis, as Redis itself saw it; an async context manager."""

    def __init__(self, port: int) -> None:
        self._client = redis.asyncio.Redis(port=port)
        self._watching: asyncio.Task[None] | None = None
        self.set_at: dict[str, float] = {}
        """By key, seconds on the monotonic clock."""

    async def __aenter__(self) -> Self:
        is_watched = asyncio.Event()
        self._watching = asyncio.create_task(self._watch(is_watched))
        await is_watched.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        await self._client.aclose()

    async def _watch(self, is_watched: asyncio.Event) -> None:
        ahead = time.time() - time.monotonic()
        async with self._client.monitor() as monitor:
            is_watched.set()
            async for said in monitor.listen():
                name, _, rest = said["command"].partition(" ")
                if name == "SET":
                    self.set_at.setdefault(rest.partition(" ")[0], said["time"] - ahead)


async def _stops(scene: Scene, *, apart_s: float) -> None:
    """Fifty visitors watch their answers; half stop them at the receiver, half are stopped by the row's status."""
    await scene.house.plan(Plan(points=_LONG))
    async with AsyncExitStack() as stack:
        stops = await _asked(scene, stack, round(scene.seconds(_MANY)))
        await asyncio.gather(*(scene.traffic.begun(stop.message_id, _BEGUN_S) for stop in stops))
        await asyncio.sleep(_STREAMED_S)
        live = sum(call["streamed"] and not call["over"] for call in await scene.house.calls())
        async with _Flags(scene.house.redis.port) as flags:
            async with asyncio.TaskGroup() as together:
                for stop in stops:
                    together.create_task(_stop(scene, stop))
                    await asyncio.sleep(apart_s)
            await asyncio.sleep(_SEEN_S)
        for stop in stops:
            if stop.by_visitor:
                stop.set_at = flags.set_at[cancel_flag(answer_id_of(stop.message_id))]
        scene.note(f"answers that were being written at the first stop: {live}")
        if live < len(stops):
            scene.broken(f"only {live} of {len(stops)} answers were being written")
        await _measure(scene, stops)
        await scene.traffic.settled(30)
    statuses = {row["status"] for row in await scene.traffic.rows() if row["role"] == "assistant"}
    if statuses != {"cancelled"}:
        scene.broken(f"statuses after the stops: {sorted(map(str, statuses))}")


async def _asked(scene: Scene, stack: AsyncExitStack, many: int) -> list[_Stop]:
    """Visitors who have asked, and watch their answers over their WebSockets."""
    house = scene.house
    visitors = [
        await stack.enter_async_context(
            Visitor(house.directus.receiver_url, house.directus.url, house.conference_id),
        )
        for _ in range(many)
    ]

    async def ask(number: int, who: Visitor) -> _Stop:
        tag = scene.traffic.new_tag()
        message_id, _ = await who.ask(f"Which talks are about testing? {tag}")
        scene.traffic.note(message_id, who.conversation_id)
        scene.traffic.tags[message_id] = tag
        return _Stop(message_id, who, by_visitor=number % 2 == 0)

    return await asyncio.gather(*(ask(number, who) for number, who in enumerate(visitors)))


async def _stop(scene: Scene, stop: _Stop) -> None:
    answer_id = answer_id_of(stop.message_id)
    stop.asked_at = time.monotonic()
    if stop.by_visitor:
        said = await stop.who.post(f"/api/messages/{answer_id}/cancel")
    else:
        said = await scene.house.rest.patch(f"/items/messages/{answer_id}", json={"status": "cancelled"})
    stop.set_at = time.monotonic()
    scene.injected()
    if not said.is_success:
        scene.broken(f"{said.status_code} to a stop")


async def _measure(scene: Scene, stops: Sequence[_Stop]) -> None:
    """From the stop's being set, for a visitor's in Redis, else in Directus, until the model sees its stream closed."""
    streams = {call["tag"]: call for call in await scene.house.calls() if call["streamed"]}
    for is_visitors, whose in ((True, "by visitors"), (False, "by status")):
        from_asked: list[float] = []
        from_set: list[float] = []
        for stop in (each for each in stops if each.by_visitor is is_visitors):
            closed_at = streams[scene.traffic.tags[stop.message_id]]["hung_up_at"]
            if closed_at is None:
                scene.broken("a model wrote on: its stream was not cut")
                continue
            from_asked.append(closed_at - stop.asked_at)
            from_set.append(max(closed_at - stop.set_at, 0.0))
        if from_set:
            scene.note(
                f"{whose}: the streams ended {_middle(from_set):.2f} s behind the stop, {max(from_set):.2f} s at most; "
                f"counted from its sending {_middle(from_asked):.2f} and {max(from_asked):.2f} s"
            )
        scene.measured += from_set


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


FAULTS = (
    Fault("50 answers, stopped one after another", partial(_stops, apart_s=_APART_S), promised_s=_STOP_WITHIN_S),
    Fault("50 answers, stopped at once", partial(_stops, apart_s=0.0), promised_s=_STOP_WITHIN_S),
)

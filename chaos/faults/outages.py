"""Servers that stop in mid-load and come back."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from chaos.answers import says_missing
from chaos.fault import Fault
from chaos.traffic import LOOKED_UP
from services.answer_ids import answer_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chaos.fault import Scene

__all__ = ["FAULTS", "tell_missing"]

_BEFORE_S = 3.0
_AFTER_S = 3.0
_SETTLED_S = 60.0
_CUT_OFF_S = 15.0
_WITHOUT_QDRANT_S = 20.0
"""Nobody waits for it to come back: a search gives up after 5 s, a turn makes few of them and then answers for 2 s."""


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


async def _qdrant_cut(scene: Scene, away_s: float, *, silently: bool = False) -> None:
    """Between all workers and Qdrant: answers go on without what they could not look up, and with it afterwards."""

    def cut() -> None:
        for replica in scene.house.replicas:
            replica.to_qdrant.cut(silently=silently)

    def join() -> None:
        for replica in scene.house.replicas:
            replica.to_qdrant.join()

    async with asyncio.TaskGroup() as together:
        together.create_task(scene.traffic.flow(_BEFORE_S + scene.seconds(away_s) + _AFTER_S))
        await asyncio.sleep(_BEFORE_S)
        cut()
        cut_at = time.monotonic()
        scene.injected()
        meanwhile = await scene.traffic.ask(question=LOOKED_UP)
        await asyncio.sleep(scene.seconds(away_s))
        joined_at = time.monotonic()
        join()
        scene.mark()
    behind = await scene.traffic.ask(question=LOOKED_UP)
    await scene.traffic.settled(_SETTLED_S)
    rows = {row["id"]: row for row in await scene.traffic.rows()}
    missing, found = rows.get(answer_id_of(meanwhile)), rows.get(answer_id_of(behind))
    if missing is not None and _sources(missing):
        scene.broken("an answer found something while Qdrant was away: the cut was none")
    if missing is None or missing["outcome"] != "error":
        scene.broken("an answer without its search is not marked as such: outcome error")
    if found is None or not _sources(found) or says_missing(found["messageText"]):
        scene.broken("an answer behind the outage found nothing")
    without = [
        rows[answer_id_of(each.message_id)]
        for each in scene.traffic.asked.values()
        if cut_at <= each.at and (each.ended_at or joined_at) < joined_at and answer_id_of(each.message_id) in rows
    ]
    tell_missing(scene, [*without, *([missing] if missing is not None and missing not in without else [])])


def tell_missing(scene: Scene, answers: Sequence[Mapping[str, Any]]) -> None:
    """Each answer that looked for something while the search was away tells its visitor that it could not."""
    looked = [row for row in answers if (row["metadata"] or {}).get("tools_used")]
    silent = [row["id"] for row in looked if not says_missing(row["messageText"] or "")]
    scene.note(f"answers without their search: {len(looked)}; that say so: {len(looked) - len(silent)}")
    if silent or not looked:
        scene.broken(f"{len(silent)} answers do not say what could not be looked up" if silent else "nobody looked")


def _sources(row: Mapping[str, Any]) -> bool:
    return bool((row["metadata"] or {}).get("sources"))


async def _redis_cut_off(scene: Scene, *, silently: bool) -> None:
    """One worker alone cannot reach Redis, in mid-answer: the other goes on, and what the first writes is undone."""
    async with scene.traffic.flowing():
        for _ in range(2):
            message_id = await scene.traffic.ask()
            await scene.traffic.begun(message_id)
            replica = await scene.house.holder(message_id)
            if replica is None:
                continue  # it had ended before its holder was known
            replica.to_redis.cut(silently=silently)
            scene.injected(mark=True)
            await asyncio.sleep(scene.seconds(_CUT_OFF_S))
            replica.to_redis.join()
            await scene.traffic.ended(message_id)


FAULTS = (
    Fault("Redis stopped for 10 s", partial(_redis_stopped, away_s=10), promised_s=60),
    Fault("Redis killed for 4 s", _redis_killed, promised_s=60),
    Fault("Redis stopped for 60 s", partial(_redis_stopped, away_s=60), promised_s=60, is_long=True),
    Fault("Directus stopped for 10 s", partial(_directus_stopped, away_s=10), promised_s=60),
    Fault("Directus stopped for 60 s", partial(_directus_stopped, away_s=60), promised_s=60, is_long=True),
    Fault("Qdrant refuses for 10 s", partial(_qdrant_cut, away_s=10), promised_s=_WITHOUT_QDRANT_S),
    Fault("Qdrant silent for 10 s", partial(_qdrant_cut, away_s=10, silently=True), promised_s=_WITHOUT_QDRANT_S),
    Fault(
        "Qdrant silent for 60 s",
        partial(_qdrant_cut, away_s=60, silently=True),
        promised_s=_WITHOUT_QDRANT_S,
        is_long=True,
    ),
    Fault("Qdrant refuses for 60 s", partial(_qdrant_cut, away_s=60), promised_s=_WITHOUT_QDRANT_S, is_long=True),
    Fault("one worker refused by Redis for 15 s", partial(_redis_cut_off, silently=False), promised_s=10, goes_on=True),
    Fault("one worker without Redis for 15 s", partial(_redis_cut_off, silently=True), promised_s=10, goes_on=True),
)

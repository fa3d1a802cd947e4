"""Writes of many answers that Directus is stopped under: given up and done late, or gone on with through the Flow."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import httpx

from chaos.answers import POINTS, read_answer
from chaos.fault import Fault
from chaos.model import Plan
from chaos.writes import PassingWrites
from services.answer_ids import answer_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chaos.fault import Scene
    from chaos.writes import Write

__all__ = ["FAULTS", "not_whole"]

_PAUSED_S = 15.0
"""Longer than a worker waits for the reply to a write (10 s), so also in a quick run."""
_BEGUN_S = 0.005
"""So soon behind its sending Directus is at a write; it takes some 30 ms for one of six rows."""
_WRITTEN_S = 10.0
_TIMES = 2
_AT_ONCE = 10
_BETWEEN_S = 4.0
_WATCHED_S = 4.0
_LOOK_S = 0.02
_MOST_ROWS = 100
_SETTLED_S = 60.0
_STREAMED_S = 2.0
_LONG = 18 * POINTS
"""2,000 tokens, 34 s: the model still writes when Directus is back, that takes up to 10 s to stop and 5 s to start."""
_CROWD = 12


async def _directus_paused(scene: Scene) -> None:
    """Directus stands still in the middle of a write, which its worker gives up, and ends it when it goes on.

    What it was sent while it stood still it mostly refuses or drops: its keep-alive is over, it is "under pressure".
    """
    writes = PassingWrites(replica.to_directus for replica in scene.house.replicas)
    late, fell = 0, 0
    for _ in range(_TIMES):
        async with scene.traffic.flowing():
            await _crowd(scene, _CROWD)
            caught = await _stopped_in_write(scene, writes)
            try:
                await asyncio.sleep(_PAUSED_S)
                before = _seqs(scene)
            finally:
                scene.house.signal_directus(signal.SIGCONT)
            scene.mark()
            done_late, set_back = await _seen_behind(scene, caught, before)
            late, fell = late + done_late, fell + set_back
            await asyncio.sleep(_BETWEEN_S)
        await scene.traffic.settled(_SETTLED_S)
    given_up = sum(write.status is None for write in writes.seen)
    scene.note(
        f"writes given up by their worker: {given_up} of {len(writes.seen)}; rows that one of them set back: {fell}"
    )
    scene.note(f"rows that Directus wrote late, behind a pause, of a write given up: {late}")
    if not late:
        scene.broken("no write was given up and done late: it proved nothing")
    _all_whole(scene, await scene.traffic.rows())


async def _stopped_in_write(scene: Scene, writes: PassingWrites) -> Write:
    """Pause Directus while it is at a write, and say which."""
    async with asyncio.timeout(_WRITTEN_S):
        while True:
            write = await writes.next()
            await asyncio.sleep(_BEGUN_S)
            if write.status is None:
                scene.house.signal_directus(signal.SIGSTOP)
                scene.injected()
                return write


async def _seen_behind(scene: Scene, caught: Write, before: Mapping[str, int]) -> tuple[int, int]:
    """How many rows the caught write reached first thing behind the pause, and how many fell to an older ``seq``."""
    changed: dict[str, int] = {}
    newest = dict(before)
    fell: set[str] = set()
    until = time.monotonic() + _WATCHED_S
    while time.monotonic() < until:
        for answer_id, seq in _seqs(scene).items():
            if seq != before.get(answer_id, 0):
                changed.setdefault(answer_id, seq)
            if seq < newest.get(answer_id, 0):
                fell.add(answer_id)
            newest[answer_id] = max(seq, newest.get(answer_id, 0))
        await asyncio.sleep(_LOOK_S)
    late = [answer_id for answer_id, seq in caught.seqs.items() if changed.get(answer_id) == seq]
    return (len(late) if caught.status is None else 0), len(fell)


def _seqs(scene: Scene) -> dict[str, int]:
    """The ``seq`` of the newest answers, from Directus's database: it is asked while Directus stands still."""
    ids = [answer_id_of(message_id) for message_id in scene.traffic.asked][-_MOST_ROWS:]
    query = f"SELECT id, seq FROM messages WHERE id IN ({', '.join('?' * len(ids))})"  # noqa: S608 - only question marks
    path = f"file:{scene.house.directus.process.database_path}?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True, timeout=_LOOK_S)) as database:
        try:
            return {answer_id: seq or 0 for answer_id, seq in database.execute(query, ids)}
        except sqlite3.OperationalError:  # Directus has it locked, maybe in its sleep
            return {}


def _all_whole(scene: Scene, rows: Sequence[Mapping[str, Any]], points: int = POINTS) -> None:
    cut = not_whole(rows, points)
    if cut:
        scene.broken(f"{len(cut)} completed answers are not whole in Directus: {', '.join(cut[:3])}")


def not_whole(rows: Sequence[Mapping[str, Any]], points: int = POINTS) -> list[str]:
    """Ids of completed answers that a model wrote and that lack something of what it wrote."""
    written = [row for row in rows if row["role"] == "assistant" and row["status"] == "completed"]
    by_model = [row for row in written if not row["degraded"] and (row["metadata"] or {}).get("model") != "fixed"]
    return [row["id"] for row in by_model if not _is_whole(row["messageText"] or "", points)]


def _is_whole(text: str, points: int) -> bool:
    return read_answer(text).is_whole and f"Point {points} about" in text


async def _crowd(scene: Scene, many: int) -> list[str]:
    """Ask many questions at once, each in a conversation of its own, and wait until each has an answer on screen."""
    asked = await asyncio.gather(*(scene.traffic.ask() for _ in range(many)))
    await asyncio.gather(*(scene.traffic.begun(message_id) for message_id in asked))
    return asked


async def _through_flow(scene: Scene) -> None:
    """One worker streams all answers, so that its writes go through the Flow; Directus is stopped under them."""
    only, *others = scene.house.replicas
    for replica in others:
        await asyncio.to_thread(replica.process.stop)  # the next fault starts it again
    await scene.house.plan(Plan(points=_LONG))
    writes = PassingWrites([only.to_directus])
    await _crowd(scene, _CROWD)
    await asyncio.sleep(_STREAMED_S)
    stopped_at = time.monotonic()
    await asyncio.to_thread(scene.house.directus.process.stop)
    gone_at = time.monotonic()
    scene.injected()
    await asyncio.sleep(scene.seconds(10))
    await asyncio.to_thread(scene.house.directus.process.start)
    scene.mark()
    await scene.traffic.settled(_SETTLED_S)
    for when, seen in (("before", writes.between(0, stopped_at)), ("after", writes.between(gone_at))):
        taken = [write for write in seen if write.is_by_flow and write.status == httpx.codes.OK]
        most = max((write.rows for write in taken), default=0)
        scene.note(f"{when}: {len(taken)} of {len(seen)} writes were taken through the Flow, {most} rows at most")
        if most < _AT_ONCE:
            scene.broken(f"{when} the outage no write of {_AT_ONCE} rows went through the Flow")
    _all_whole(scene, await scene.traffic.rows(), _LONG)


FAULTS = (
    Fault("Directus SIGSTOPped for 15 s", _directus_paused, promised_s=60),
    Fault("Directus stopped under 12 answers of one worker", _through_flow, promised_s=60),
)

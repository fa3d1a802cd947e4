"""Workers that stand still past their lease and then go on, also at the worst moments there are."""

from __future__ import annotations

import asyncio
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from chaos.fault import Fault
from chaos.writes import is_write, rows_in, status_of
from services.answer_ids import answer_id_of

if TYPE_CHECKING:
    from chaos.fault import Scene
    from chaos.house import Replica

__all__ = ["FAULTS"]

_TIMES = 3
_LOOK_S = 0.02
_AFTER_S = 1.5
"""So long the woken worker is watched for what it still writes."""
_BEHIND_S = (0.0, 0.0, 7.0)
"""How long after its answer's end a held write arrives: while its winner still looks after the row (5 s), and when
only the woken worker is left to put it right."""
_ANSWERED_S = 5.0
_ADOPTED_S = 10.0
"""A dead worker's word that it watches a row lasts 5 s, the others look each 1.5 s; the rest is for a busy machine."""
_LEASE = b"erleah:turn-lease:"
_OTHER_KEYS = (b"erleah:cancel:", b"EVALSHA", b"SET")
"""The fencing check reads leases and nothing else; the watch reads more keys with them."""


async def _paused(scene: Scene, replica: Replica, message_id: str) -> None:
    """Wait until another worker has ended the answer, then wake the sleeper."""
    await _woken(scene, replica, message_id, await _ended_row(scene, message_id))


async def _ended_row(scene: Scene, message_id: str) -> dict[str, Any]:
    """The row of an answer that another worker has ended."""
    await scene.traffic.ended(message_id, 30)
    await asyncio.sleep(0.5)  # the winner's bookkeeping
    return await _row(scene, message_id)


async def _woken(scene: Scene, replica: Replica, message_id: str, right: dict[str, Any]) -> None:
    """Wake the sleeper, and see that the row becomes what it was when its answer ended, and stays so."""
    scene.injected()
    replica.signal(signal.SIGCONT)
    replica.let_go()
    landed = False
    until = time.monotonic() + _AFTER_S
    while time.monotonic() < until:
        now = await _row(scene, message_id)
        landed = landed or now["messageText"] != right["messageText"]
        await asyncio.sleep(_LOOK_S)
    if landed:
        scene.note("a late write was seen in the row")
    if now["messageText"] != right["messageText"] or now["status"] != right["status"]:
        scene.broken(f"the loser's write stands: seq {right['seq']} became {now['seq']}")


async def _mid_answer(scene: Scene) -> None:
    async with scene.traffic.flowing():
        for _ in range(2):
            message_id = await scene.traffic.ask()
            await scene.traffic.begun(message_id)
            replica = await scene.house.holder(message_id)
            if replica is not None:
                replica.signal(signal.SIGSTOP)
                scene.mark()
                await _paused(scene, replica, message_id)


async def _after_check(scene: Scene) -> None:
    """Pause when Redis has said "yours" and the worker has not yet read it: the write follows on waking."""

    def look(replica: Replica, message_id: str, asked: bytes, _reply: bytes) -> None:
        key = _LEASE + message_id.encode()
        if key in asked and not any(other in asked for other in _OTHER_KEYS):
            replica.to_redis.reply = None
            replica.signal(signal.SIGSTOP)
            scene.mark()
            stopped.set()

    for _ in range(_TIMES):
        message_id = await scene.traffic.ask()
        await scene.traffic.begun(message_id)
        replica = await scene.house.holder(message_id)
        if replica is None:
            continue
        stopped = asyncio.Event()
        replica.to_redis.reply = partial(look, replica, message_id)
        try:
            await asyncio.wait_for(stopped.wait(), 3)
        except TimeoutError:
            continue  # the answer had ended before its next write
        await _paused(scene, replica, message_id)


class _Held:
    """The next write of an answer, held on its way from the moment when it is whole; its worker is paused then."""

    def __init__(self, scene: Scene, replica: Replica, message_id: str) -> None:
        self._scene = scene
        self._replica = replica
        self._answer_id = answer_id_of(message_id)
        self._request: bytes | None = None
        self._released = asyncio.Event()
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.caught = asyncio.Event()
        replica.to_directus.before, replica.to_directus.reply = self._hold, self._answered

    def let_go(self) -> None:
        """Let it go, whatever Directus says to it: to a client that is gone, nothing."""
        self._released.set()

    async def lands(self) -> tuple[int, int]:
        """Let it go; what Directus says to it, and its ``seq``. Raises TimeoutError when Directus says nothing."""
        self.let_go()
        status = await asyncio.wait_for(self._status, _ANSWERED_S)
        return status, next(row["seq"] for row in rows_in(self._request or b"") if row["id"] == self._answer_id)

    async def _hold(self, request: bytes) -> None:
        if self._request is None and is_write(request) and self._answer_id.encode() in request:
            self._request = request
            self._replica.signal(signal.SIGSTOP)
            self._scene.mark()
            self.caught.set()
            await self._released.wait()

    def _answered(self, asked: bytes, reply: bytes) -> None:
        if asked is self._request and not self._status.done():
            self._status.set_result(status_of(reply))


async def _caught(scene: Scene) -> tuple[str, Replica, _Held] | None:
    """A question whose worker stands still with a write of its answer on its way; None if the answer ended before."""
    message_id = await scene.traffic.ask()
    await scene.traffic.begun(message_id)
    replica = await scene.house.holder(message_id)
    if replica is None:
        return None
    held = _Held(scene, replica, message_id)
    try:
        await asyncio.wait_for(held.caught.wait(), 3)
    except TimeoutError:
        replica.let_go()
        return None
    return message_id, replica, held


async def _write_held(scene: Scene) -> None:
    """Pause while a write is on its way, which arrives when another worker has ended the answer."""
    landed = refused = 0
    for behind_s in _BEHIND_S:
        caught = await _caught(scene)
        if caught is None:
            continue
        message_id, replica, held = caught
        right = await _ended_row(scene, message_id)
        await asyncio.sleep(behind_s)
        status, seq = await held.lands()
        landed += status < 400
        refused += status >= 400
        scene.note(f"a write of seq {seq} reached Directus {behind_s:g} s behind that of seq {right['seq']}: {status}")
        await _woken(scene, replica, message_id, right)
    if not landed and not refused:
        scene.broken("no held write reached Directus: it proved nothing")


async def _watch_outlived(scene: Scene) -> None:
    """A write arrives when its worker is dead, and dead too is the one that ended the answer and watched its row."""
    landed = 0
    for _ in range(_TIMES):
        caught = await _caught(scene)
        if caught is None:
            continue
        message_id, replica, held = caught
        right = await _ended_row(scene, message_id)
        for each in scene.house.replicas:
            each.signal(signal.SIGKILL)
            scene.injected()
            await asyncio.to_thread(each.process.wait)
            await asyncio.to_thread(each.process.start)
        held.let_go()
        landed += await _mended(scene, message_id, right)
        replica.let_go()
    if not landed:
        scene.broken("no held write was seen in its row: it proved nothing")


async def _mended(scene: Scene, message_id: str, right: dict[str, Any]) -> bool:
    """Wait until a late write was seen in the row and put right; whether one was seen."""
    began = time.monotonic()
    seen_at = None
    while time.monotonic() - began < _ADOPTED_S:
        now = await _row(scene, message_id)
        if now != right:
            seen_at = seen_at or time.monotonic()
        elif seen_at is not None:
            scene.note(f"a write of a dead worker was seen in the row for {time.monotonic() - seen_at:.1f} s")
            return True
        await asyncio.sleep(_LOOK_S)
    if seen_at is not None:
        scene.broken(f"a dead worker's write stands: seq {right['seq']} became {now['seq']}")
    return seen_at is not None


async def _row(scene: Scene, message_id: str) -> dict[str, Any]:
    params = {"fields": "messageText,status,seq"}
    answer = await scene.house.rest.get(f"/items/messages/{answer_id_of(message_id)}", params=params)
    if not answer.is_success:
        raise httpx.HTTPError(f"no answer's row: {answer.status_code}")
    row: dict[str, Any] = answer.json()["data"]
    return row


FAULTS = (
    Fault("SIGSTOP past the lease, SIGCONT", _mid_answer, promised_s=10, goes_on=True),
    Fault("SIGSTOP between check and write", _after_check, promised_s=10, goes_on=True),
    Fault("SIGSTOP with a write on its way", _write_held, promised_s=10, goes_on=True),
    Fault("kill -9 of all workers with a write on its way", _watch_outlived, promised_s=10, goes_on=True),
)

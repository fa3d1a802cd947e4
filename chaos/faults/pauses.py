"""Workers that stand still past their lease and then go on, also at the worst moments there are."""

from __future__ import annotations

import asyncio
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

import httpx

from chaos.fault import Fault
from services.answer_ids import answer_id_of

if TYPE_CHECKING:
    from chaos.fault import Scene
    from chaos.house import Replica

__all__ = ["FAULTS"]

_TIMES = 3
_LOOK_S = 0.02
_AFTER_S = 1.5
"""So long the woken worker is watched for what it still writes."""
_LEASE = b"erleah:turn-lease:"
_OTHER_KEYS = (b"erleah:cancel:", b"EVALSHA", b"SET")
"""The fencing check reads leases and nothing else; the watch reads more keys with them."""


async def _paused(scene: Scene, replica: Replica, message_id: str) -> None:
    """Wait until another worker has ended the answer, wake the sleeper, see what becomes of the row."""
    scene.injected()
    await scene.traffic.ended(message_id, 30)
    await asyncio.sleep(0.5)  # the winner's bookkeeping
    before = await _row(scene, message_id)
    replica.signal(signal.SIGCONT)
    replica.let_go()
    landed = False
    until = time.monotonic() + _AFTER_S
    while time.monotonic() < until:
        now = await _row(scene, message_id)
        landed = landed or now["messageText"] != before["messageText"]
        await asyncio.sleep(_LOOK_S)
    if landed:
        scene.note("a late write reached Directus")
    if now["messageText"] != before["messageText"] or now["status"] != before["status"]:
        scene.broken(f"the loser's write stands: seq {before['seq']} became {now['seq']}")


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


async def _write_held(scene: Scene) -> None:
    """Pause while a write is on its way, which arrives when another worker has ended the answer."""

    async def hold(replica: Replica, message_id: str, chunk: bytes) -> None:
        is_write = chunk.startswith((b"PATCH /items/messages", b"POST /flows/trigger/"))
        if is_write or answer_id_of(message_id).encode() in chunk:
            replica.to_directus.before = None
            replica.signal(signal.SIGSTOP)
            scene.mark()
            stopped.set()
            await released.wait()

    for _ in range(_TIMES):
        message_id = await scene.traffic.ask()
        await scene.traffic.begun(message_id)
        replica = await scene.house.holder(message_id)
        if replica is None:
            continue
        stopped, released = asyncio.Event(), asyncio.Event()
        replica.to_directus.before = partial(hold, replica, message_id)
        try:
            await asyncio.wait_for(stopped.wait(), 3)
        except TimeoutError:
            replica.let_go()
            continue  # the answer had ended before its next write
        try:
            await scene.traffic.ended(message_id, 30)
            await asyncio.sleep(0.5)
        finally:
            before = await _row(scene, message_id)
            released.set()
        await asyncio.sleep(0.3)
        now = await _row(scene, message_id)
        if now["messageText"] == before["messageText"]:
            scene.note("the held write changed nothing")
        await _paused(scene, replica, message_id)


async def _row(scene: Scene, message_id: str) -> dict[str, object]:
    params = {"fields": "messageText,status,seq"}
    answer = await scene.house.rest.get(f"/items/messages/{answer_id_of(message_id)}", params=params)
    if not answer.is_success:
        raise httpx.HTTPError(f"no answer's row: {answer.status_code}")
    row: dict[str, object] = answer.json()["data"]
    return row


FAULTS = (
    Fault("SIGSTOP past the lease, SIGCONT", _mid_answer, promised_s=10, goes_on=True),
    Fault("SIGSTOP between check and write", _after_check, promised_s=10, goes_on=True),
    Fault("SIGSTOP with a write on its way", _write_held, promised_s=10, goes_on=True),
)

"""Visitors who ask in bursts, and who stop answers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from chaos.answers import POINTS
from chaos.fault import Fault
from chaos.model import Plan
from services.answer_ids import answer_id_of
from tests.e2e.visitor import Visitor

if TYPE_CHECKING:
    from chaos.fault import Scene

__all__ = ["FAULTS"]

_BURST = 5
_APART_S = 0.05
_LONG = 3 * POINTS
_STOP_WITHIN_S = 1.0
_SEEN_LATE_S = 0.1
"""The stand-in notices a closed connection, and we ask it, within this."""


async def _burst(scene: Scene) -> None:
    """Five messages 50 ms apart, and one more when the answer has begun to show."""

    async def one() -> None:
        conversation_id = await scene.traffic.conversation()
        asked = []
        for _ in range(_BURST):
            asked.append(await scene.traffic.ask(conversation_id))
            await asyncio.sleep(_APART_S)
        await scene.traffic.begun(asked[-1])
        asked.append(await scene.traffic.ask(conversation_id))
        scene.injected()
        for message_id in asked:
            await scene.traffic.ended(message_id)
        ends = [scene.traffic.asked[message_id].ended_at or 0.0 for message_id in asked]
        if ends != sorted(ends):
            scene.broken("answers of one conversation came out of order")

    async with asyncio.TaskGroup() as together:
        together.create_task(scene.traffic.flow(scene.seconds(8)))
        for _ in range(round(scene.seconds(4))):
            together.create_task(one())
            await asyncio.sleep(1)


async def _burst_and_kill(scene: Scene) -> None:
    """Messages wait behind an answer that is showing; its worker is killed; then one more comes."""
    for _ in range(2):
        conversation_id = await scene.traffic.conversation()
        first = await scene.traffic.ask(conversation_id)
        await scene.traffic.begun(first)
        await scene.traffic.ask(conversation_id)
        replica = await scene.house.holder(first)
        if replica is None:
            continue
        await asyncio.to_thread(replica.process.kill)
        scene.injected(mark=True)
        await scene.traffic.ask(conversation_id)
        await scene.traffic.settled(30)
        statuses = [row["status"] for row in await scene.traffic.rows() if row["role"] == "assistant"]
        if "failed" in statuses:
            scene.broken("an answer that had begun to show was given up")
        await asyncio.to_thread(replica.process.start)


async def _cancels(scene: Scene, *, by_visitor: bool) -> None:
    await scene.house.plan(Plan(points=_LONG))
    slowest = 0.0
    for _ in range(round(scene.seconds(6))):
        async with Visitor(
            scene.house.directus.receiver_url, scene.house.directus.url, scene.house.conference_id
        ) as who:
            if by_visitor:
                text = "Which talks are about testing? q9999999q"
                asked = await who.post("/api/messages", {"conversation_id": who.conversation_id, "text": text})
                message_id = asked.json()["message_id"]
                scene.traffic.note(message_id, who.conversation_id)
            else:
                message_id = await scene.traffic.ask()
            await scene.traffic.begun(message_id)
            before = len([call for call in await scene.house.calls() if call["streamed"] and not call["over"]])
            stopped_at = time.monotonic()
            answer_id = answer_id_of(message_id)
            if by_visitor:
                said = await who.post(f"/api/messages/{answer_id}/cancel")
                if said.status_code != 202:
                    scene.broken(f"the receiver said {said.status_code} to a stop")
            else:
                changed = await scene.house.rest.patch(f"/items/messages/{answer_id}", json={"status": "cancelled"})
                changed.raise_for_status()
            scene.injected()
            while [call for call in await scene.house.calls() if call["streamed"] and not call["over"]] and before:
                if time.monotonic() - stopped_at > 2 * _STOP_WITHIN_S:
                    break
                await asyncio.sleep(0.02)
            slowest = max(slowest, time.monotonic() - stopped_at)
            await scene.traffic.ended(message_id)
    scene.note(f"the model's stream ended at most {slowest:.2f} s after the stop")
    if slowest > _STOP_WITHIN_S + _SEEN_LATE_S:
        scene.broken(f"a model went on for {slowest:.2f} s after a stop")
    rows = [row for row in await scene.traffic.rows() if row["role"] == "assistant"]
    if not all(row["status"] == "cancelled" for row in rows):
        scene.broken(f"statuses after the stop: {sorted({row['status'] for row in rows})}")


async def _cancelled_by_status(scene: Scene) -> None:
    await _cancels(scene, by_visitor=False)


async def _cancelled_by_visitor(scene: Scene) -> None:
    await _cancels(scene, by_visitor=True)


FAULTS = (
    Fault("burst in one conversation", _burst),
    Fault("burst behind a worker that dies", _burst_and_kill, promised_s=25),
    Fault("stop in mid-stream, by status", _cancelled_by_status),
    Fault("stop in mid-stream, by the visitor", _cancelled_by_visitor),
)

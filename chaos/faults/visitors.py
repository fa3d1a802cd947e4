"""Visitors who ask in bursts, and who stop answers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from chaos.answers import POINTS
from chaos.fault import Fault
from chaos.faults.order import told_in_order
from chaos.model import TOKENS_PER_SECOND, Plan
from services.answer_ids import answer_id_of
from tests.e2e.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chaos.fault import Scene

__all__ = ["FAULTS", "became_two_answers"]

_BURST = 5
_APART_S = 0.05
_LONG = 3 * POINTS
_STOP_WITHIN_S = 1.0
_SEEN_LATE_S = 0.1
"""The stand-in notices a closed connection, and we ask it, within this."""
_TWO_ANSWERS_S = 15.0
"""From a question to its end: a message waits for one answer and has its own then, 3 s each here, twice when busy."""
_TAKEN_UP_S = 16.0
"""From a kill to the end of what waited behind it: taken up within 10 s, and two answers of 2 s, 3 s each when busy."""
_STOPPED_S = 8.0
"""From a question to its stopped end: it begins to show within a second or two, and no sweep (8 s) was needed."""


async def _burst(scene: Scene) -> None:
    """Five messages 50 ms apart, and one more when the answer has begun to show: two answers, in order."""
    await scene.house.plan(Plan(first_token_s=1.0))  # so that nothing shows before the fifth is there
    bursts: list[list[str]] = []

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
        told_in_order(scene, [asked])
        bursts.append(asked)

    async with asyncio.TaskGroup() as together:
        together.create_task(scene.traffic.flow(scene.seconds(8)))
        for _ in range(round(scene.seconds(4))):
            together.create_task(one())
            await asyncio.sleep(1)
    rows = {row["id"]: row for row in await scene.traffic.rows()}
    for asked in bursts:
        became_two_answers(scene, asked, rows)


def became_two_answers(scene: Scene, asked: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> None:
    """The first five messages have one answer, which says so; the sixth has its own."""
    *covered, answering, last = asked
    answers = [message_id for message_id in asked if answer_id_of(message_id) in rows]
    if answers != [answering, last]:
        scene.broken(f"a burst of five and one more became {len(answers)} answers")
    elif set(rows[answer_id_of(answering)]["metadata"]["covers"]) != set(covered):
        scene.broken("the answer to a burst does not name the messages it covers")
    elif [rows[message_id]["status"] for message_id in covered] != ["superseded"] * len(covered):
        scene.broken("messages of a burst are not marked as covered")


async def _burst_and_kill(scene: Scene) -> None:
    """Messages wait behind an answer that is showing; its worker is killed; then one more comes."""
    for _ in range(2):
        conversation_id = await scene.traffic.conversation()
        first = await scene.traffic.ask(conversation_id)
        await scene.traffic.begun(first)
        asked = [first, await scene.traffic.ask(conversation_id)]
        replica = await scene.house.holder(first)
        if replica is None:
            continue
        await asyncio.to_thread(replica.process.kill)
        scene.injected(mark=True)
        asked.append(await scene.traffic.ask(conversation_id))
        await scene.traffic.settled(30)
        told_in_order(scene, [asked])
        statuses = [row["status"] for row in await scene.traffic.rows() if row["role"] == "assistant"]
        if "failed" in statuses:
            scene.broken("an answer that had begun to show was given up")
        await asyncio.to_thread(replica.process.start)


async def _cancels(scene: Scene, *, by_visitor: bool) -> None:
    await scene.house.plan(Plan(points=_LONG))
    slowest, most = 0.0, 0
    for _ in range(round(scene.seconds(6))):
        async with Visitor(
            scene.house.directus.receiver_url, scene.house.directus.url, scene.house.conference_id
        ) as who:
            message_id = await (_asked_by(scene, who) if by_visitor else scene.traffic.ask())
            await scene.traffic.begun(message_id)
            before = await _stream(scene)
            stopped_at = time.monotonic()
            await _stop(scene, who if by_visitor else None, message_id)
            scene.injected()
            while not (stream := await _stream(scene))["over"]:
                if time.monotonic() - stopped_at > 2 * _STOP_WITHIN_S:
                    break
                await asyncio.sleep(0.02)
            slowest = max(slowest, time.monotonic() - stopped_at)
            most = max(most, stream["sent_tokens"] - before["sent_tokens"])
            await scene.traffic.ended(message_id)
            if before["over"] or not stream["hung_up"]:
                scene.broken("a model wrote to its end: its stream was not cut")
    scene.note(f"after a stop the model wrote {most} tokens in {slowest:.2f} s at most")
    if slowest > _STOP_WITHIN_S + _SEEN_LATE_S or most > TOKENS_PER_SECOND * (_STOP_WITHIN_S + _SEEN_LATE_S):
        scene.broken(f"a model went on for {slowest:.2f} s after a stop, {most} tokens")
    rows = [row for row in await scene.traffic.rows() if row["role"] == "assistant"]
    if not all(row["status"] == "cancelled" for row in rows):
        scene.broken(f"statuses after the stop: {sorted({row['status'] for row in rows})}")


async def _asked_by(scene: Scene, who: Visitor) -> str:
    text = "Which talks are about testing? q9999999q"
    asked = await who.post("/api/messages", {"conversation_id": who.conversation_id, "text": text})
    message_id = str(asked.json()["message_id"])
    scene.traffic.note(message_id, who.conversation_id)
    return message_id


async def _stop(scene: Scene, who: Visitor | None, message_id: str) -> None:
    answer_id = answer_id_of(message_id)
    if who is None:
        changed = await scene.house.rest.patch(f"/items/messages/{answer_id}", json={"status": "cancelled"})
        changed.raise_for_status()
        return
    said = await who.post(f"/api/messages/{answer_id}/cancel")
    if said.status_code != 202:
        scene.broken(f"the receiver said {said.status_code} to a stop")


async def _stream(scene: Scene) -> Mapping[str, Any]:
    """The newest stream that the model was asked for; there is one answer at a time here."""
    return [call for call in await scene.house.calls() if call["streamed"]][-1]


async def _cancelled_by_status(scene: Scene) -> None:
    await _cancels(scene, by_visitor=False)


async def _cancelled_by_visitor(scene: Scene) -> None:
    await _cancels(scene, by_visitor=True)


FAULTS = (
    Fault("burst in one conversation", _burst, promised_s=_TWO_ANSWERS_S),
    Fault("burst behind a worker that dies", _burst_and_kill, promised_s=_TAKEN_UP_S),
    Fault("stop in mid-stream, by status", _cancelled_by_status, promised_s=_STOPPED_S),
    Fault("stop in mid-stream, by the visitor", _cancelled_by_visitor, promised_s=_STOPPED_S),
)

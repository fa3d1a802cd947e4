"""Conversations whose line is forgotten: by outages that outlast it, and by writes that come when it has moved on."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from chaos.fault import Fault
from chaos.model import Plan
from services.answer_ids import answer_id_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.fault import Scene
    from chaos.house import Replica

__all__ = ["FAULTS", "told_in_order"]

_CONVERSATIONS = 12
_APART_S = 0.05
_AWAY_S = 11.4
"""The line holds 10 s, and a worker tries a read again for 15: who is at one when it returns goes on with his turn."""
_KILLED_S = 12.0
_ASKED_S = 0.3
"""So soon behind the first questions Directus stands still: the turns of some are being read then."""
_SETTLED_S = 60.0
_HELD_S = 15.0
_LAPSED_S = 2.0
_TIMES = 3
_WOKEN_S = 0.3


async def _two_questions_and_an_outage(scene: Scene) -> None:
    """Two questions 50 ms apart in each conversation, and Directus stands still for longer than their line holds."""
    pairs = [await _pair(scene) for _ in range(_CONVERSATIONS)]
    async with asyncio.TaskGroup() as together:
        for number, (conversation_id, asked) in enumerate(pairs):
            together.create_task(_ask_twice(scene, conversation_id, asked, after_s=number * _APART_S / 2))
        await asyncio.sleep(_ASKED_S)
        scene.house.signal_directus(signal.SIGSTOP)
        scene.injected()
        await asyncio.sleep(_AWAY_S)
        scene.house.signal_directus(signal.SIGCONT)
        scene.mark()
    await scene.traffic.settled(_SETTLED_S)
    told_in_order(scene, [asked for _, asked in pairs])


async def _ask_twice(scene: Scene, conversation_id: str, asked: list[str], *, after_s: float) -> None:
    await asyncio.sleep(after_s)
    for _ in range(2):
        asked.append(await scene.traffic.ask(conversation_id))
        await asyncio.sleep(_APART_S)


async def _no_worker_for_long(scene: Scene) -> None:
    """An answer is on the screen when every worker dies; its visitor asks again before there is one."""
    pairs = [await _pair(scene) for _ in range(_CONVERSATIONS)]
    for conversation_id, asked in pairs:
        asked.append(await scene.traffic.ask(conversation_id))
    for _, asked in pairs:
        await scene.traffic.begun(asked[0])
    for replica in scene.house.replicas:
        replica.signal(signal.SIGKILL)
        scene.injected()
    for conversation_id, asked in pairs:
        asked.append(await scene.traffic.ask(conversation_id))
    await asyncio.sleep(_KILLED_S)
    scene.mark()
    for replica in scene.house.replicas:
        await asyncio.to_thread(replica.process.wait)
        await asyncio.to_thread(replica.process.start)
    await scene.traffic.settled(_SETTLED_S)
    told_in_order(scene, [asked for _, asked in pairs])


async def _creation_held(scene: Scene) -> None:
    """A worker stands still with an answer's creation on its way, which comes when another's answer covers it."""
    await scene.house.plan(Plan(first_token_s=0.5))
    for _ in range(_TIMES):
        held: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()
        released = asyncio.Event()
        for replica in scene.house.replicas:
            _hold_creation(replica, held, released)
        conversation_id, asked = await _pair(scene)
        asked.append(await scene.traffic.ask(conversation_id))
        stopped = await asyncio.wait_for(held, _HELD_S)
        scene.injected(mark=True)
        await asyncio.sleep(_LAPSED_S)
        asked.append(await scene.traffic.ask(conversation_id))
        await scene.traffic.begun(asked[1])
        released.set()
        await asyncio.sleep(_WOKEN_S)
        stopped.signal(signal.SIGCONT)
        await scene.traffic.settled(_SETTLED_S)
        for replica in scene.house.replicas:
            replica.let_go()
        told_in_order(scene, [asked])
        rows = {row["id"]: row for row in await scene.traffic.rows()}
        if rows[asked[0]]["status"] == "superseded" and answer_id_of(asked[0]) in rows:
            scene.broken("a message that another one's answer covers has a row of its own")


def _hold_creation(replica: Replica, held: asyncio.Future[Replica], released: asyncio.Event) -> None:
    async def before(chunk: bytes) -> None:
        if chunk.startswith(b"POST /items/messages") and not held.done():
            held.set_result(replica)
            replica.signal(signal.SIGSTOP)
            await released.wait()

    replica.to_directus.before = before


async def _pair(scene: Scene) -> tuple[str, list[str]]:
    return await scene.traffic.conversation(), []


def told_in_order(scene: Scene, conversations: Sequence[Sequence[str]]) -> None:
    """Break the row where a conversation's answers ended in another order than they were asked for."""
    wrong: list[str] = []
    for asked in conversations:
        ends = [scene.traffic.asked[message_id].ended_at or 0.0 for message_id in asked]
        if ends != sorted(ends):
            wrong.append(
                " ".join(f"{scene.traffic.tags.get(each)} {end:.1f}" for each, end in zip(asked, ends, strict=True))
            )
    if wrong:
        scene.broken(
            f"in {len(wrong)} of {len(conversations)} conversations answers came out of order: {'; '.join(wrong)}"
        )


FAULTS = (
    Fault("Directus SIGSTOPped for 11 s under two questions", _two_questions_and_an_outage, promised_s=60),
    Fault("no worker for 12 s, a question meanwhile", _no_worker_for_long, promised_s=25),
    Fault("SIGSTOP with a creation on its way", _creation_held, promised_s=25),
)

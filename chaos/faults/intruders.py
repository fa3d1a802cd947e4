"""A visitor at others' conversations while they are written: he reads nothing of them and changes nothing in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from chaos.answers import POINTS, tag_of
from chaos.fault import Fault
from chaos.intruder import Intruder, Target, reads, writes
from chaos.model import Plan
from services.answer_ids import answer_id_of
from tests.e2e.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import httpx

    from chaos.fault import Scene

__all__ = ["FAULTS", "is_refused", "nothing_changed", "strangers_in"]

_VICTIMS = 4
_LONG = 3 * POINTS
"""About 330 tokens, 5.6 s: an answer is still being written when everything has been tried at it."""
_ANSWERED_S = 20.0
"""From a question to its end: an answer of 5.6 s, beside a hundred requests of the intruder."""
_TAG = re.compile(r"\bq\d+q\b")


async def _intruder(scene: Scene) -> None:
    """He tries everything at answers that are being written, and again when they are whole."""
    await scene.house.plan(Plan(points=_LONG))
    house = scene.house
    async with (
        Visitor(house.directus.receiver_url, house.directus.url, house.conference_id) as visitor,
        Intruder(visitor, house.directus.url, house.directus.receiver_url) as intruder,
    ):
        scene.house.secrets["a visitor's token"] = visitor.token
        own_tag = await _ask_own(scene, visitor, intruder)
        async with scene.traffic.flowing():
            for _ in range(round(scene.seconds(_VICTIMS))):
                question_id = await scene.traffic.ask()
                await scene.traffic.begun(question_id)
                asked = scene.traffic.asked[question_id]
                target = Target(asked.conversation_id, question_id, answer_id_of(question_id))
                await intruder.subscribe(target)
                scene.injected(12)
                await _try_all(scene, intruder, target, visitor, own_tag)
                _nothing_of_others(scene, "the WebSocket", "\n".join(intruder.heard), {own_tag}, visitor)
                if asked.ended_at is not None:
                    scene.note("an answer had ended before everything was tried at it")
                await scene.traffic.ended(question_id)
                await _try_all(scene, intruder, target, visitor, own_tag)
                await intruder.unsubscribe()
        await scene.traffic.settled(30)
        heard = "\n".join(intruder.heard)
    if not own_tag or heard.count(own_tag) < 2:
        scene.broken("the WebSocket did not tell him of his own answer: it proved nothing")
    _nothing_of_others(scene, "the WebSocket", heard, {own_tag}, visitor)
    nothing_changed(scene, await scene.traffic.rows())


async def _ask_own(scene: Scene, visitor: Visitor, intruder: Intruder) -> str:
    """One question of his own, which he reads and watches: his token is good for that."""
    tag = scene.traffic.new_tag()
    body = {"conversation_id": visitor.conversation_id, "text": f"Which talks are about testing? {tag}"}
    asked = (await visitor.post("/api/messages", body)).json()
    scene.traffic.note(asked["message_id"], visitor.conversation_id)
    await intruder.watch_own(asked["answer_id"])
    await scene.traffic.ended(asked["message_id"])
    read = await visitor.read(f"/items/messages/{asked['answer_id']}")
    if tag_of(str(read)) != tag:
        scene.broken("he does not even read his own answer: it proved nothing")
    return tag


async def _try_all(scene: Scene, intruder: Intruder, target: Target, visitor: Visitor, own_tag: str) -> None:
    for one in writes(target, visitor.conversation_id):
        answer = await intruder.make(one)
        scene.injected()
        if not is_refused(answer):
            scene.broken(f"{answer.status_code} to {one}")
    for one in reads(target):
        answer = await intruder.make(one)
        scene.injected()
        if answer.status_code >= 500:
            scene.note(f"{answer.status_code} to {one}")
        _nothing_of_others(scene, str(one), answer.text, {own_tag}, visitor)


def is_refused(answer: httpx.Response) -> bool:
    """Whether a request to change something changed nothing, by what its answer says."""
    if answer.status_code in {400, 401, 403, 404, 409}:
        return True
    if answer.status_code != 200:
        return False
    said = answer.json()
    # A change by a filter answers with the rows that it found, and it finds none; a Flow with whatever it likes.
    data = said.get("data") if isinstance(said, dict) else said
    return not (any(data.values()) if isinstance(data, dict) else data)


def _nothing_of_others(scene: Scene, where: str, text: str, own: set[str], visitor: Visitor) -> None:
    ids = {each.message_id for each in scene.traffic.asked.values() if each.conversation_id != visitor.conversation_id}
    ids |= {answer_id_of(each) for each in ids} | set(scene.traffic.conversations) - {visitor.conversation_id}
    if found := strangers_in(text, own_tags=own, ids=ids):
        scene.broken(f"{where} gave him {found[:3]}")


def strangers_in(text: str, *, own_tags: set[str], ids: Iterable[str]) -> list[str]:
    """Tags and ids of others that stand in a text."""
    return [*sorted(set(_TAG.findall(text)) - own_tags), *(each for each in ids if each in text)]


def nothing_changed(scene: Scene, rows: Iterable[Mapping[str, Any]]) -> None:
    """Each conversation has what its own people wrote and Erleah's answers, all of them written to their end."""
    known = set(scene.traffic.asked)
    for row in rows:
        if row["role"] == "assistant" and row["status"] != "completed":
            scene.broken(f"an answer is {row['status']}: {row['id']}")
        elif row["role"] == "assistant" and (row["metadata"] or {}).get("previous"):
            scene.broken(f"an answer was written anew: {row['id']}")
        elif row["role"] != "assistant" and row["id"] not in known:
            scene.broken(f"a message of his stands in another's conversation: {row['id']}")


FAULTS = (Fault("a visitor at others' conversations", _intruder, promised_s=_ANSWERED_S),)

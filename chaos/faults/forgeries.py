"""Hooks that Directus did not send: with another secret or none, too large, in another shape, or with lies in them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from chaos.fault import Fault
from chaos.model import Plan
from services.answer_ids import answer_id_of
from webhook.body import MAX_BODY_BYTES
from webhook.hooks import SECRET_HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from chaos.fault import Scene

__all__ = ["FAULTS", "forgeries"]

_CREATED, _CHANGED = "/hooks/message-created", "/hooks/content-changed"
_VICTIMS = 6
_UNANSWERED_S = 2.5
"""A message that was reported has an answer's row by then, and the sweep looks at none younger than 8 s."""
_BEGUN_S = 5.0
"""Behind that, still before the sweep."""
_REPORTED_EVERY_S = 0.5
_LIE = "Zyzzyvarium"
"""Stands in no row, only in what payloads claim."""
_ANSWERED_S = 10.0
"""From a question to its end: a victim is reported by a lying hook after 2.5 s, and has its answer of 2 s then."""


class _Forgery(NamedTuple):
    """A call that Directus did not make, and the statuses that refuse it."""

    what: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    refused_with: frozenset[int]
    is_chunked: bool = False


def _report(message_id: str, **payload: object) -> bytes:
    event = {"event": "messages.items.create", "collection": "messages", "key": message_id}
    return json.dumps(event | {"payload": {"role": "user"} | payload}).encode()


def forgeries(secret: str, message_id: str) -> list[_Forgery]:
    """Calls about a message that are all to be refused."""
    true = _report(message_id)
    changed = json.dumps({"event": "sessions.items.update", "collection": "sessions", "keys": [message_id]}).encode()
    last = "A" if secret[-1] != "A" else "B"
    strangers: dict[str, Sequence[tuple[str, str]]] = {
        "no secret": (),
        "an empty secret": ((SECRET_HEADER, ""),),
        "a wrong secret": ((SECRET_HEADER, "changeme"),),
        "a secret of which the last letter is another": ((SECRET_HEADER, secret[:-1] + last),),
        "a secret without its last letter": ((SECRET_HEADER, secret[:-1]),),
        "a secret and a letter more": ((SECRET_HEADER, secret + "A"),),
        "a secret in another case": ((SECRET_HEADER, secret.swapcase()),),
        "the secret twice": ((SECRET_HEADER, secret), (SECRET_HEADER, secret)),
        "the secret and another": ((SECRET_HEADER, secret), (SECRET_HEADER, "changeme")),
        "the secret as another header": (("Authorization", f"Bearer {secret}"),),
    }
    own = ((SECRET_HEADER, secret),)
    large = _report(message_id, messageText="x" * MAX_BODY_BYTES)
    made = [
        _Forgery(what, path, headers, body, frozenset({401}))
        for what, headers in strangers.items()
        for path, body in ((_CREATED, true), (_CHANGED, changed))
    ]
    made += [
        _Forgery("a large body without secret", _CREATED, (), large, frozenset({401})),
        _Forgery("a large body", _CREATED, own, large, frozenset({413})),
        _Forgery("a large body of unknown length", _CREATED, own, large, frozenset({413}), is_chunked=True),
        _Forgery("no JSON", _CREATED, own, true[:-2], frozenset({422})),
        _Forgery("JSON too deep", _CREATED, own, b"[" * 100_000, frozenset({422})),
        _Forgery("no message's id", _CREATED, own, _report("../users/me"), frozenset({422})),
        _Forgery("an assistant's message", _CREATED, own, _report(message_id, role="assistant"), frozenset({200})),
    ]
    return made


async def _forged_hooks(scene: Scene) -> None:
    """Nobody's hooks while the Flow is off, so that only they could report a victim; others are reported truly."""
    await scene.house.plan(Plan(words=(_LIE,)))
    await scene.house.flow(active=False)
    before = await _answers(scene)
    is_over = asyncio.Event()
    refused: dict[int, int] = {}
    async with asyncio.TaskGroup() as together:
        together.create_task(_reported(scene, is_over))
        try:
            for _ in range(round(scene.seconds(_VICTIMS))):
                await _one_victim(scene, refused)
        finally:
            is_over.set()
    await scene.house.flow(active=True)
    await scene.traffic.settled(30)
    said = ", ".join(f"{times} with {status}" for status, times in sorted(refused.items()))
    scene.note(f"forged hooks refused: {said}; lying ones taken at the row's word: {round(scene.seconds(_VICTIMS))}")
    if any(_LIE in call["read"] for call in await scene.house.calls()):
        scene.broken("a model was given what only a payload claimed")
    rows = await scene.traffic.rows()
    if _LIE in json.dumps(rows):
        scene.broken("what only a payload claimed stands in a row")
    for mistake in scene.traffic.mistaken(rows):
        scene.broken(mistake)
    made = await _answers(scene) - before
    if made != len(scene.traffic.asked):
        scene.broken(f"{made} answers in Directus for {len(scene.traffic.asked)} messages")


async def _one_victim(scene: Scene, refused: dict[int, int]) -> None:
    """Every forgery about one message leaves it unanswered; a lie under the right secret has it answered as it is."""
    victim = await scene.traffic.ask()
    secret = scene.house.directus.webhook_secret
    for forgery in forgeries(secret, victim):
        body = _in_pieces(forgery.body) if forgery.is_chunked else forgery.body
        status = await scene.house.ask_receiver(forgery.path, body, forgery.headers)
        scene.injected()
        refused[status] = refused.get(status, 0) + 1
        if status not in forgery.refused_with:
            scene.broken(f"{forgery.what}: {status}")
    await asyncio.sleep(_UNANSWERED_S)
    if any(row["id"] == answer_id_of(victim) for row in await scene.traffic.rows()):
        scene.broken("a message was answered that only forged hooks had reported")
    other = await scene.traffic.conversation()
    lies = _report(victim, messageText=f"{_LIE}?", conversation_id=other, id=str(uuid4()), status="answered")
    for body in (lies, _report(str(uuid4()), messageText=f"{_LIE}?", conversation_id=other)):
        status = await scene.house.ask_receiver(_CREATED, body, [(SECRET_HEADER, secret)])
        scene.injected()
        if status != 202:
            scene.broken(f"a hook with the right secret: {status}")
    try:
        await scene.traffic.begun(victim, _BEGUN_S)
    except TimeoutError:
        scene.broken("a hook with the right secret and a lie in it did not have its row answered")


async def _reported(scene: Scene, is_over: asyncio.Event) -> None:
    """Ask and report as the Flow does, again and again."""
    while not is_over.is_set():
        await scene.house.hook(await scene.traffic.ask())
        await asyncio.sleep(_REPORTED_EVERY_S)


async def _answers(scene: Scene) -> int:
    """How many assistant's rows Directus has in all."""
    params = {"filter[role][_eq]": "assistant", "aggregate[count]": "id"}
    counted = await scene.house.rest.get("/items/messages", params=params)
    counted.raise_for_status()
    return int(counted.json()["data"][0]["count"]["id"])


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1 << 16):
        yield body[start : start + (1 << 16)]


FAULTS = (Fault("forged hooks", _forged_hooks, promised_s=_ANSWERED_S),)

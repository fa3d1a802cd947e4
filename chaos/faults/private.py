"""Good turns and bad while every process says all it ever says: no log has a key or a word of anybody's in it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from uuid import uuid4

from chaos.fault import Fault
from chaos.leaks import leaks
from chaos.model import Plan
from standins.models import FaultKind
from tests.e2e.visitor import Visitor
from webhook.hooks import SECRET_HEADER

if TYPE_CHECKING:
    from chaos.fault import Scene

__all__ = ["FAULTS"]

_PLANS = (
    Plan(),
    Plan(fault=FaultKind.STATUS, status=400, whose="everybody"),
    Plan(fault=FaultKind.ERROR_EVENT, after_tokens=40),
    Plan(fault=FaultKind.GARBAGE, after_tokens=40),
    Plan(fault=FaultKind.TIMEOUT),
)
"""What a model's error says quotes the question (chaos/model.py)."""
_ANSWERED_S = 60.0
"""As where Redis is killed (chaos/faults/outages.py): the sweep heals what was asked meanwhile."""
_STOPPED_S = 2.0


async def _logs_searched(scene: Scene) -> None:
    """Receiver and workers at LOG_LEVEL=DEBUG; then all that was logged since the house stands is searched."""
    house = scene.house
    processes = [house.webhook, *(replica.process for replica in house.replicas)]
    try:
        for process in processes:
            await asyncio.to_thread(process.stop)
            await asyncio.to_thread(process.start, {"LOG_LEVEL": "DEBUG"})
        for plan in _PLANS:
            await house.forget_breakers()
            await house.plan(plan)
            await scene.traffic.flow(scene.seconds(3))
            await _bad_manners(scene)
            await scene.traffic.settled(30)
        await house.plan(Plan())
        async with scene.traffic.flowing():
            await asyncio.to_thread(house.redis.kill)
            await asyncio.sleep(_STOPPED_S)
            await asyncio.to_thread(house.redis.start)
            scene.injected()
        await scene.traffic.settled(60)
        logs = house.logs()
    finally:
        for process in processes:
            await asyncio.to_thread(process.stop)
            await asyncio.to_thread(process.start)
    for leak in leaks(logs, house.secrets):
        scene.broken(leak)
    scene.note(f"{len(logs)} logs of {sum(map(len, logs.values())) / 1e6:.1f} MB, {len(house.secrets)} secrets")
    silent = [message_id for message_id in scene.traffic.asked if not any(message_id in said for said in logs.values())]
    if silent or not any('"level": "debug"' in said for said in logs.values()):
        scene.broken(f"{len(silent)} messages are in no log, or nothing was said at DEBUG: it proved nothing")


async def _bad_manners(scene: Scene) -> None:
    """A visitor's question, and requests that are refused with words in them: too long, misshapen, forged, foreign."""
    house = scene.house
    async with Visitor(house.directus.receiver_url, house.directus.url, house.conference_id) as who:
        number = len(house.secrets)
        house.secrets |= {f"a visitor's token ({number})": who.token, f"a share ({number})": who.share_id}
        text = f"Which talks are about testing? {scene.traffic.new_tag()}"
        asked = await who.post("/api/messages", {"conversation_id": who.conversation_id, "text": text})
        scene.traffic.note(asked.json()["message_id"], who.conversation_id)
        await who.post("/api/messages", {"conversation_id": who.conversation_id, "text": text * 500})
        await who.post("/api/messages", {"conversation_id": str(uuid4()), "text": text})
        await who.post("/api/messages", {"conversation_id": text, "text": {"text": text}, text: text})
        await who.post(f"/api/messages/{asked.json()['answer_id']}/cancel")
    payload = {"role": "user", "messageText": text}
    report = {"event": text, "collection": "messages", "key": str(uuid4()), "payload": payload}
    secret = house.directus.webhook_secret
    for sent in (secret, secret[:-1], f"{secret}, {secret}"):
        for body in (report, report | {"event": "messages.items.create", "key": text}, [text]):
            await house.ask_receiver("/hooks/message-created", json.dumps(body).encode(), [(SECRET_HEADER, sent)])
    scene.injected(13)


FAULTS = (Fault("secrets and texts in logs", _logs_searched, promised_s=_ANSWERED_S, one_call=False),)

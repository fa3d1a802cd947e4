"""A visitor who reaches for others' conversations with the token of his own share: every way that it opens anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.directus_names import ANSWERS_FLOW_ID, MESSAGE_CREATED_FLOW_ID, VISITOR_ROLE_ID
from tests.e2e.directus_server import PAGE_ORIGIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.e2e.visitor import Visitor

__all__ = ["Intruder", "Target", "Try", "reads", "writes"]

_MARK = "Kilroy was here"
"""What he would leave behind."""


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody else's conversation, a question in it, and its answer."""

    conversation_id: str
    question_id: str
    answer_id: str


@dataclass(frozen=True, slots=True)
class Try:
    """One request, to Directus or, with ``is_api``, to the receiver."""

    method: str
    path: str
    body: Any = None
    is_api: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path} {json.dumps(self.body) if self.body is not None else ''}".strip()


def reads(other: Target) -> list[Try]:
    """Ids, lists, filters, nested fields, counts, searches, GraphQL: whatever may show a row of somebody else's."""
    messages = "/items/messages"
    conditions = (
        f"[id][_eq]={other.answer_id}",
        f"[conversation_id][_eq]={other.conversation_id}",
        f"[conversation_id][id][_eq]={other.conversation_id}",
        f"[conversation_id][messages][id][_eq]={other.question_id}",
        "[role][_eq]=assistant",
        "[_or][0][id][_nnull]=true",
    )
    paths = (
        *(f"{messages}/{each}" for each in (other.question_id, other.answer_id)),
        f"/items/conversations/{other.conversation_id}",
        f"/items/conversations/{other.conversation_id}?fields=*,messages.*",
        f"{messages}?limit=-1",
        f"{messages}?limit=-1&fields=*.*.*.*",
        "/items/conversations?limit=-1&fields=*,messages.*",
        "/items/conversations?limit=-1&deep[messages][_filter][id][_nnull]=true&fields=*.*.*",
        f"{messages}?limit=-1&fields=*,conversation_id.conference_id.*.*,conversation_id.messages.*",
        *(f"{messages}?limit=-1&filter{condition}" for condition in conditions),
        f"{messages}?limit=-1&search=stands",
        f"{messages}?groupBy[]=conversation_id&groupBy[]=messageText&limit=-1",
        f"{messages}?aggregate[max]=messageText&aggregate[min]=id",
        f"{messages}?limit=-1&sort=-date_created&export=json",
        *("/activity", "/revisions", "/comments", "/notifications", "/shares", "/users", "/files", "/flows"),
        *("/items/sessions", "/items/conferences", "/versions", "/presets"),
    )
    query = "{ messages(limit: -1) { id messageText conversation_id { id messages { id messageText } } } }"
    one = f'{{ messages_by_id(id: "{other.answer_id}") {{ id messageText }} }}'
    both = {"query": {"filter": {"conversation_id": {"_eq": other.conversation_id}}, "fields": ["*.*"], "limit": -1}}
    return [
        *(Try("GET", path) for path in paths),
        *(Try("POST", "/graphql", {"query": each}) for each in (query, one)),
        Try("SEARCH", messages, both),
        Try("SEARCH", messages, {"keys": [other.question_id, other.answer_id]}),
    ]


def writes(other: Target, own_conversation_id: str) -> list[Try]:
    """Stops, new answers, changes, deletions, messages of his in another's conversation."""
    answer, question = other.answer_id, other.question_id
    cancelled = {"status": "cancelled", "messageText": _MARK}
    said = {"conversation_id": other.conversation_id, "role": "user", "messageText": _MARK}
    mutation = f'mutation {{ update_messages_item(id: "{answer}", data: {{ status: "cancelled" }}) {{ id }} }}'
    share = {"collection": "conversations", "item": other.conversation_id, "role": VISITOR_ROLE_ID}
    return [
        Try("POST", f"/api/messages/{answer}/cancel", is_api=True),
        Try("POST", f"/api/messages/{answer}/cancel?conversation_id={other.conversation_id}", is_api=True),
        Try("POST", f"/api/messages/{answer}/cancel?conversation_id={own_conversation_id}", is_api=True),
        *(Try("POST", f"/api/messages/{each}/regenerate", is_api=True) for each in (answer, question)),
        Try("POST", "/api/messages", {"conversation_id": other.conversation_id, "text": _MARK}, is_api=True),
        Try("PATCH", f"/items/messages/{answer}", cancelled),
        Try("PATCH", "/items/messages", [{"id": answer, **cancelled}]),
        Try("PATCH", "/items/messages", {"keys": [answer], "data": cancelled}),
        Try("PATCH", "/items/messages", {"query": {"filter": {"id": {"_eq": answer}}}, "data": cancelled}),
        Try("PATCH", f"/items/conversations/{other.conversation_id}", {"source": "other"}),
        Try(
            "PATCH",
            f"/items/conversations/{own_conversation_id}",
            {"messages": {"update": [{"id": answer, **cancelled}]}},
        ),
        Try("POST", "/items/messages", said),
        *(Try("DELETE", f"/items/messages/{each}") for each in (question, answer)),
        Try("DELETE", f"/items/conversations/{other.conversation_id}"),
        Try("POST", f"/flows/trigger/{ANSWERS_FLOW_ID}", [{"id": answer, "seq": 10_000_000, **cancelled}]),
        Try("POST", f"/flows/trigger/{MESSAGE_CREATED_FLOW_ID}", {"collection": "messages", "keys": [question]}),
        Try("POST", "/shares", share),
        Try("POST", "/graphql", {"query": mutation}),
    ]


class Intruder:
    """Sends what a visitor's token allows him to send; ``heard`` is all that his WebSocket has said to him."""

    def __init__(self, visitor: Visitor, directus_url: str, receiver_url: str) -> None:
        self._token = visitor.token
        self._socket_address = f"{directus_url.replace('http', 'ws')}/websocket"
        headers = {"Authorization": f"Bearer {visitor.token}"}
        self._directus = httpx.AsyncClient(base_url=directus_url, headers=headers, timeout=30, trust_env=False)
        self._receiver = httpx.AsyncClient(base_url=receiver_url, headers=headers, timeout=30, trust_env=False)
        self._socket: ClientConnection | None = None
        self._listening: asyncio.Task[None] | None = None
        self.heard: list[str] = []

    async def __aenter__(self) -> Self:
        # A busy Directus may leave a ping unanswered for 20 s; that is no reason to hang up on it.
        origin: Any = PAGE_ORIGIN  # a plain string does
        self._socket = await connect(self._socket_address, origin=origin, proxy=None, ping_interval=None)
        await self._say([{"type": "auth", "access_token": self._token}])
        self._listening = asyncio.create_task(self._listen(self._socket))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        if self._socket is not None:
            await self._socket.close()
        await self._directus.aclose()
        await self._receiver.aclose()

    async def make(self, one: Try) -> httpx.Response:
        """Send one request."""
        client = self._receiver if one.is_api else self._directus
        return await client.request(one.method, one.path, json=one.body)

    async def subscribe(self, other: Target) -> None:
        """Ask the WebSocket for another's rows: to watch them, to read them, to change them."""
        watch = {"type": "subscribe", "collection": "messages"}
        filtered = {"filter": {"conversation_id": {"_eq": other.conversation_id}}, "fields": ["*"]}
        item = {"type": "items", "collection": "messages", "id": other.answer_id}
        change = {"status": "cancelled", "messageText": _MARK}
        await self._say(
            [
                *({**watch, "item": each, "event": "update"} for each in (other.answer_id, other.question_id)),
                {**watch, "item": other.answer_id},
                {**watch, "query": filtered},
                {**watch, "event": "update", "query": {"fields": ["*.*"]}},
                {**watch, "event": "create"},
                {"type": "subscribe", "collection": "conversations", "item": other.conversation_id},
                {**item, "action": "read"},
                {"type": "items", "collection": "messages", "action": "read", "query": {"limit": -1}},
                {**item, "action": "update", "data": change},
                {
                    "type": "items",
                    "collection": "messages",
                    "action": "create",
                    "data": {**change, "role": "user", "conversation_id": other.conversation_id},
                },
                {**item, "action": "delete"},
            ]
        )

    async def unsubscribe(self) -> None:
        """Watch nothing any more: each subscription has Directus read the rows of every write."""
        await self._say([{"type": "unsubscribe"}])

    async def watch_own(self, answer_id: str) -> None:
        """What he may do: follow his own answer."""
        await self._say([{"type": "subscribe", "collection": "messages", "item": answer_id, "event": "update"}])

    async def _say(self, said: Sequence[dict[str, Any]]) -> None:
        if self._socket is None:
            raise RuntimeError("his WebSocket is not open")
        for each in said:
            await self._socket.send(json.dumps(each))

    async def _listen(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for heard in socket:
                self.heard.append(str(heard))
                if json.loads(heard)["type"] == "ping":
                    await socket.send(json.dumps({"type": "pong"}))

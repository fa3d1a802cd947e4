"""A visitor: begins a conversation at the receiver, asks there, and watches the answer at Directus."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.directus_server import PAGE_ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Visitor", "Watched"]

_FIELDS = ("id", "seq", "messageText", "status", "metadata", "outcome")


@dataclass
class Watched:
    """What a visitor has seen of one answer: its row at each update, in the order of arrival, and when (s)."""

    answer_id: str
    updates: list[dict[str, Any]] = field(default_factory=list)
    seen_at: list[float] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def newest(self) -> dict[str, Any] | None:
        """What stands on the screen: the row with the highest ``seq``."""
        return max(self.updates, key=lambda row: row["seq"] or 0, default=None)

    @property
    def screens(self) -> list[str]:
        """The texts that stood on the screen, one after the other: an update with a lower ``seq`` is passed over."""
        shown: list[str] = []
        highest = -1
        for row in self.updates:
            if (row["seq"] or 0) > highest:
                highest = row["seq"] or 0
                shown.append(row["messageText"] or "")
        return shown

    def see(self, row: dict[str, Any]) -> None:
        """Take an update in."""
        self.updates.append(row)
        self.seen_at.append(time.monotonic())
        self._changed.set()

    async def until(self, what: Callable[[dict[str, Any]], bool], within_s: float = 20.0) -> dict[str, Any]:
        """Wait until the screen shows ``what``, and give the row. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                self._changed.clear()
                if (newest := self.newest) is not None and what(newest):
                    return newest
                await self._changed.wait()

    async def ended(self, within_s: float = 20.0) -> dict[str, Any]:
        """Wait until the answer has ended, and give its last row. Raises TimeoutError."""
        return await self.until(lambda row: row["status"] != "streaming", within_s)

    async def begun(self, characters: int = 1, within_s: float = 20.0) -> dict[str, Any]:
        """Wait until so much of the answer is on the screen. Raises TimeoutError."""
        return await self.until(lambda row: len(row["messageText"] or "") >= characters, within_s)


class Visitor:
    """One visitor with one conversation; an async context manager. He has nothing but his share's token."""

    def __init__(self, receiver_url: str, directus_url: str, conference_id: str) -> None:
        self._receiver = httpx.AsyncClient(base_url=receiver_url, timeout=30, trust_env=False)
        self._directus = httpx.AsyncClient(base_url=directus_url, timeout=30, trust_env=False)
        self._socket_address = f"{directus_url.replace('http', 'ws')}/websocket"
        self._conference_id = conference_id
        self._watched: dict[str, Watched] = {}
        self._subscribed: dict[str, asyncio.Event] = {}
        self._socket: ClientConnection | None = None
        self._listening: asyncio.Task[None] | None = None
        self.conversation_id = ""
        self.share_id = ""
        self.token = ""

    async def __aenter__(self) -> Self:
        begun = await self._receiver.post("/api/conversations", json={"conference_id": self._conference_id})
        assert begun.status_code == 201, begun.text
        self.conversation_id, self.share_id = begun.json()["conversation_id"], begun.json()["share_id"]
        traded = await self._directus.post("/shares/auth", json={"share": self.share_id})
        self.token = traded.json()["data"]["access_token"]
        self._receiver.headers["Authorization"] = self._directus.headers["Authorization"] = f"Bearer {self.token}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        if self._socket is not None:
            await self._socket.close()
        await self._receiver.aclose()
        await self._directus.aclose()

    async def watch(self, answer_id: str) -> Watched:
        """Subscribe to one answer, which need not exist yet; no update is missed from here on."""
        if self._socket is None:
            await self._connect()
        assert self._socket is not None
        watched = self._watched[answer_id] = Watched(answer_id)
        subscribed = self._subscribed[answer_id] = asyncio.Event()
        wanted = {"type": "subscribe", "collection": "messages", "item": answer_id, "event": "update"}
        await self._socket.send(json.dumps(wanted | {"uid": answer_id, "query": {"fields": _FIELDS}}))
        async with asyncio.timeout(10):
            await subscribed.wait()
        return watched

    async def ask(self, text: str, **headers: str) -> tuple[str, Watched]:
        """Ask at the receiver and watch the answer; the message's id and what is seen."""
        asked = await self.post("/api/messages", {"conversation_id": self.conversation_id, "text": text}, **headers)
        assert asked.status_code == 201, asked.text
        watched = await self.watch(asked.json()["answer_id"])
        # What was written before the subscription stood comes by a read, as in the widget.
        with contextlib.suppress(KeyError):
            watched.see((await self.read(f"/items/messages/{watched.answer_id}"))["data"])
        return asked.json()["message_id"], watched

    async def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """Call the receiver with his token."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._receiver.post(path, json=body, headers=named)

    async def read(self, path: str, **params: str) -> dict[str, Any]:
        """Read from Directus with his token; the whole answer, errors too."""
        answer = (await self._directus.get(path, params=params)).json()
        assert isinstance(answer, dict)
        return answer

    async def _connect(self) -> None:
        self._socket = await connect(self._socket_address, origin=PAGE_ORIGIN, proxy=None)  # type: ignore[arg-type]  # a plain string does
        await self._socket.send(json.dumps({"type": "auth", "access_token": self.token}))
        assert json.loads(await self._socket.recv())["status"] == "ok"
        self._listening = asyncio.create_task(self._listen(self._socket))

    async def _listen(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for heard in socket:
                message = json.loads(heard)
                if message["type"] == "ping":
                    await socket.send(json.dumps({"type": "pong"}))
                elif message["type"] == "subscription" and message["event"] == "init":
                    self._subscribed[message["uid"]].set()
                elif message["type"] == "subscription" and message["event"] == "update":
                    # A subscription to one item gets the row itself, not a list of one.
                    self._watched[message["uid"]].see(message["data"])

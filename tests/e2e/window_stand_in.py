"""Receiver and Directus as the window sees them, in one small server whose every move a test decides.

It serves the real page under its real policy. The Directus half listens under another name of this
machine, so that the browser treats it as the foreign origin it is in an installation. What a test
writes becomes a row; which events go out for it, and when, is the test's to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.answer_ids import answer_id_of
from services.settings import Settings
from webhook.server import listen
from webhook.window import window_routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["CONFERENCE", "WindowStandIn", "window_stand_in"]

CONFERENCE = "c0ffee00-0000-4000-8000-000000000001"
_WAIT_S = 10.0


class _Refusal(Exception):  # noqa: N818 - an answer, not an error of this program
    def __init__(self, status: int, headers: dict[str, str] | None = None, code: str = "FORBIDDEN") -> None:
        self.status = status
        self.headers = headers or {}
        self.code = code


class _Line:
    """One WebSocket connection."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.conversation_id: str | None = None
        self.subscriptions: dict[str, dict[str, Any]] = {}


class WindowStandIn:
    """The rows, the tokens, the lines, and what is to go wrong."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.directus_url = f"http://localhost:{port}/directus"
        self.conversations: dict[str, str] = {}
        """Conversation id → share id."""
        self.rows: dict[str, dict[str, Any]] = {}
        self.lines: list[_Line] = []
        self.asked: list[str] = []
        """Ids of the questions, in the order they came."""
        self.asked_with: list[dict[str, Any]] = []
        self.begun_with: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.pongs = 0
        self.reads = 0
        self.trades = 0
        self.refreshes = 0
        self.reauthentications = 0
        self.unsubscribed: list[str] = []
        self.takes_lines = True
        self.expires_ms = 900_000
        self.events = True
        """Whether writes make events by themselves."""
        self.answers_at_once: str | None = None
        """A text that is the whole answer before the question's reply is out."""
        self._tokens: dict[str, str] = {}
        self._refresh_tokens: dict[str, str] = {}
        self._failures: dict[str, list[tuple[int, dict[str, str], bool]]] = {}
        self._changed = asyncio.Condition()

    # What a test does

    def fail(
        self, call: str, status: int, *, times: int = 1, retry_after: int | None = None, late: bool = False
    ) -> None:
        """The next calls of this name (begin, ask, cancel, read, share, refresh) fail; ``late``: after they worked."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._failures.setdefault(call, []).extend([(status, headers, late)] * times)

    def heal(self) -> None:
        """No call fails any more."""
        self._failures.clear()

    def expire_tokens(self) -> None:
        """All access tokens given so far are good no more."""
        self._tokens.clear()

    def forget_shares(self) -> None:
        """All shares, and what was traded for them, open nothing any more."""
        self.conversations = dict.fromkeys(self.conversations, "")
        self._tokens.clear()
        self._refresh_tokens.clear()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something this server knows of is so; TimeoutError after 10 s."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(holds), _WAIT_S)

    async def question(self, number: int = 1) -> str:
        """The id of the answer to the question of this number, once it was asked and its page is subscribed."""
        await self.until(lambda: len(self.asked) >= number)
        answer_id = answer_id_of(self.asked[number - 1])
        if self.takes_lines:
            await self.until(lambda: self.is_watched(answer_id))
        return answer_id

    def is_watched(self, answer_id: str) -> bool:
        """Whether some line is subscribed to creation and updates of a row."""
        wanted = {"create", "update"}
        return any(
            wanted <= {sub["event"] for sub in line.subscriptions.values() if sub["item"] == answer_id}
            for line in self.lines
        )

    async def write(self, answer_id: str, text: str, *, seq: int, status: str = "streaming", **more: Any) -> None:  # noqa: ANN401 - further fields
        """Write an answer's row as a worker does; an event goes out unless ``events`` is off."""
        is_new = answer_id not in self.rows
        question = next(
            row for row in self.rows.values() if row["role"] == "user" and answer_id_of(row["id"]) == answer_id
        )
        row = self.rows.setdefault(answer_id, self._row(answer_id, question["conversation_id"], "assistant"))
        row |= {"messageText": text, "seq": seq, "status": status, **more}
        if self.events:
            await self.emit(row, event="create" if is_new else "update")

    async def emit(self, row: dict[str, Any], *, event: str = "update") -> None:
        """Send an event, whatever the row now holds."""
        for line in list(self.lines):
            for uid, sub in list(line.subscriptions.items()):
                if sub["item"] == row["id"] and sub["event"] == event:
                    data = {name: row.get(name) for name in sub["query"]["fields"]}
                    await line.socket.send_json({"type": "subscription", "event": event, "data": data, "uid": uid})

    async def ping(self) -> None:
        """Directus's heartbeat."""
        for line in self.lines:
            await line.socket.send_json({"type": "ping"})

    async def expire_lines(self) -> None:
        """Directus says on open lines that their token has expired."""
        self.expire_tokens()
        for line in self.lines:
            line.conversation_id = None
            line.subscriptions = dict(line.subscriptions)
            await line.socket.send_json({"type": "auth", "status": "error", "error": {"code": "TOKEN_EXPIRED"}})

    async def drop_lines(self) -> None:
        """Break every connection."""
        for line in list(self.lines):
            with contextlib.suppress(RuntimeError):  # it may have gone by itself
                await line.socket.close(1012)
        await self.until(lambda: not self.lines)

    # The receiver

    async def begin(self, request: Request) -> Response:
        """POST /api/conversations."""
        with self._failing("begin"):
            body = await request.json()
            self.begun_with.append(body)
            conversation_id, share_id = str(uuid4()), str(uuid4())
            self.conversations[conversation_id] = share_id
            return JSONResponse({"conversation_id": conversation_id, "share_id": share_id}, 201)

    async def ask(self, request: Request) -> Response:
        """POST /api/messages."""
        body = await request.json()
        if self._conversation_of(request) != body["conversation_id"]:
            raise _Refusal(401)
        with self._failing("ask"):
            self.asked_with.append(body)
            row = self._row(str(uuid4()), body["conversation_id"], "user", body["text"])
            self.rows[row["id"]] = row
            self.asked.append(row["id"])
            if self.answers_at_once is not None:
                await self.write(answer_id_of(row["id"]), self.answers_at_once, seq=3, status="completed")
            await self._tell()
            return JSONResponse({"message_id": row["id"], "answer_id": answer_id_of(row["id"])}, 201)

    async def cancel(self, request: Request) -> Response:
        """POST /api/messages/{answer id}/cancel."""
        if self._conversation_of(request) is None:
            raise _Refusal(401)
        with self._failing("cancel"):
            self.cancelled.append(request.path_params["answer_id"])
            await self._tell()
            return JSONResponse({"cancelled": True}, 202)

    # Directus

    async def trade(self, request: Request) -> Response:
        """POST /shares/auth."""
        with self._failing("share"):
            share_id = (await request.json())["share"]
            conversation_id = next((key for key, value in self.conversations.items() if value == share_id), None)
            if conversation_id is None:
                raise _Refusal(401, code="INVALID_CREDENTIALS")
            self.trades += 1
            return self._token_pair(conversation_id)

    async def refresh(self, request: Request) -> Response:
        """POST /auth/refresh."""
        with self._failing("refresh"):
            conversation_id = self._refresh_tokens.pop((await request.json())["refresh_token"], None)
            if conversation_id is None:
                raise _Refusal(401, code="INVALID_CREDENTIALS")
            self.refreshes += 1
            return self._token_pair(conversation_id)

    async def read(self, request: Request) -> Response:
        """GET /items/messages: by id or by conversation, only the token's own."""
        with self._failing("read"):
            conversation_id = self._conversation_of(request)
            if conversation_id is None:
                raise _Refusal(401, code="TOKEN_EXPIRED")
            self.reads += 1
            await self._tell()
            query = request.query_params
            ids = json.loads(query["filter"]).get("id", {}).get("_in")
            rows = [row for row in self.rows.values() if row["conversation_id"] == conversation_id]
            found = [row for row in rows if ids is None or row["id"] in ids]
            if query.get("sort") == "-date_created":
                found.sort(key=lambda row: row["date_created"], reverse=True)
            return JSONResponse({"data": [{name: row[name] for name in query["fields"].split(",")} for row in found]})

    async def line(self, socket: WebSocket) -> None:
        """The WebSocket, in Directus's handshake mode."""
        if not self.takes_lines:
            await socket.close()
            return
        await socket.accept()
        line = _Line(socket)
        try:
            while True:
                await self._take(line, await socket.receive_json())
        except WebSocketDisconnect:
            pass
        finally:
            if line in self.lines:
                self.lines.remove(line)
            await self._tell()

    async def _take(self, line: _Line, message: dict[str, Any]) -> None:
        match message["type"]:
            case "auth":
                conversation_id = self._tokens.get(message["access_token"])
                if conversation_id is None:
                    await line.socket.send_json({"type": "auth", "status": "error", "error": {"code": "AUTH_FAILED"}})
                    await line.socket.close()
                    raise WebSocketDisconnect
                line.conversation_id = conversation_id
                if line in self.lines:
                    self.reauthentications += 1
                else:
                    self.lines.append(line)
                await line.socket.send_json({"type": "auth", "status": "ok"})
            case "subscribe":
                line.subscriptions[message["uid"]] = message
                await line.socket.send_json({"type": "subscription", "event": "init", "uid": message["uid"]})
            case "unsubscribe":
                line.subscriptions.pop(message["uid"], None)
                self.unsubscribed.append(message["uid"])
            case "pong":
                self.pongs += 1
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    @contextlib.contextmanager
    def _failing(self, call: str) -> Iterator[None]:
        due = self._failures.get(call)
        status, headers, late = due.pop(0) if due else (0, {}, False)
        if status and not late:
            raise _Refusal(status, headers)
        yield
        if status:
            raise _Refusal(status, headers)

    def _conversation_of(self, request: Request) -> str | None:
        return self._tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))

    def _token_pair(self, conversation_id: str) -> Response:
        access, refresh = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self._tokens[access] = conversation_id
        self._refresh_tokens[refresh] = conversation_id
        data = {"access_token": access, "refresh_token": refresh, "expires": self.expires_ms}
        return JSONResponse({"data": data})

    def _row(self, row_id: str, conversation_id: str, role: str, text: str = "") -> dict[str, Any]:
        return {
            "id": row_id,
            "conversation_id": conversation_id,
            "role": role,
            "messageText": text,
            "status": None,
            "seq": None,
            "metadata": None,
            "date_created": f"2026-01-01T00:00:{len(self.rows):02}.000Z",
        }


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, _Refusal)
    body = {"error": error.code, "message": "refused", "errors": [{"extensions": {"code": error.code}}]}
    return JSONResponse(body, error.status, error.headers)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def window_stand_in() -> AsyncIterator[WindowStandIn]:
    """The stand-in, serving on a free port of this machine."""
    listener = listen("127.0.0.1", 0)
    stand_in = WindowStandIn(listener.getsockname()[1])
    settings = Settings(
        _env_file=None,
        directus_url=stand_in.directus_url,
        directus_api_key="key",
        directus_webhook_secret="a-secret-that-only-directus-knows",
        default_conference_id=CONFERENCE,
        redis_url="embedded://",
    )
    app = Starlette(
        routes=[
            Route("/api/conversations", stand_in.begin, methods=["POST"]),
            Route("/api/messages", stand_in.ask, methods=["POST"]),
            Route("/api/messages/{answer_id}/cancel", stand_in.cancel, methods=["POST"]),
            Route("/directus/shares/auth", stand_in.trade, methods=["POST"]),
            Route("/directus/auth/refresh", stand_in.refresh, methods=["POST"]),
            Route("/directus/items/messages", stand_in.read),
            WebSocketRoute("/directus/websocket", stand_in.line),
            *window_routes(settings),
        ],
        middleware=[
            Middleware(CORSMiddleware, allow_origins=[stand_in.address], allow_methods=["*"], allow_headers=["*"])
        ],
        exception_handlers={_Refusal: _refused},
    )
    config = uvicorn.Config(app, ws="websockets-sansio", lifespan="off", log_level="error", timeout_graceful_shutdown=1)
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield stand_in
    finally:
        server.should_exit = True
        await serving

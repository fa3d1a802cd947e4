"""``DirectusStandIn``: a Directus in memory for fast tests, as an ASGI app.

It knows what ``tests/contract/test_directus_contract.py`` proves of it and of a real Directus alike,
and no more: rows with Erleah's own schema and permissions, one service token, shares, ping, health, and
the Flow that writes answers::

    standin = DirectusStandIn()
    directus = standin.directus()          # a client with the service token
    standin.rows("messages")               # look inside
    standin.fail_next(2, status=503)       # and so on

It also runs behind uvicorn: ``uvicorn.Config(standin.app, ...)``.
"""

from __future__ import annotations

import asyncio
import copy
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from provision.answers_flow import ANSWER_FIELDS
from services.directus.client import Directus
from services.directus_names import ANSWERS_FLOW_ID, CONVERSATIONS, MESSAGES, VISITOR_ROLE_ID
from standins.directus_filters import Refusal, Row
from standins.directus_reads import Access, Query, Reader
from standins.directus_requests import body_of, collection_of, query_of
from standins.directus_tables import Tables, forbidden

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request

__all__ = ["DirectusStandIn", "Write"]

URL: Final = "http://directus.test"
SERVICE_TOKEN: Final = "stand-in-service-token"  # noqa: S105 - opens nothing but this stand-in
_SHARE_TOKEN_MS: Final = 900_000


@dataclass(frozen=True)
class Write:
    """One request that changed rows: what was sent, row by row (ids alone for a DELETE)."""

    method: str
    collection: str
    rows: tuple[Row, ...]


@dataclass
class _Fault:
    status: int
    retry_after_s: int | None
    method: str | None
    code: str


@dataclass
class DirectusStandIn:
    """The stand-in and its knobs.

    ``latency_s`` comes before each answer; ``away`` makes it unreachable (in process only);
    ``denied`` are permissions an operator has taken from every token, as (collection, action);
    writes with a row that ``breaks_at`` names fail with status 500, as a defective extension's do;
    ``on_create`` is told of each created row as a Flow tells the receiver, after the answer, in a
    task of its own (``settle`` waits for these). ``writes`` records what was asked for and done.
    Without ``has_answers_flow`` it is one that was provisioned before there was that Flow.
    """

    on_create: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    latency_s: float = 0.0
    away: bool = False
    token: str = field(default=SERVICE_TOKEN, repr=False)
    writes: list[Write] = field(default_factory=list)
    requests: int = 0
    denied: set[tuple[str, str]] = field(default_factory=set)
    breaks_at: Callable[[Row], bool] | None = None
    has_answers_flow: bool = True

    def __post_init__(self) -> None:
        self.tables = Tables()
        self._accesses: dict[str, Access] = {self.token: Access.service()}
        self._shares: dict[str, Row] = {}
        self._faults: list[_Fault] = []
        self._flows: set[asyncio.Task[None]] = set()
        self.app = Starlette(
            routes=[
                Route("/server/ping", self._guarded(self._ping)),
                Route("/server/health", self._guarded(self._health)),
                Route("/shares", self._guarded(self._create_share), methods=["POST"]),
                Route("/shares/auth", self._guarded(self._open_share), methods=["POST"]),
                Route("/flows/trigger/{flow}", self._guarded(self._answers_flow), methods=["POST"]),
                Route("/items/{collection}", self._guarded(self._items), methods=["GET", "SEARCH", *_WRITES]),
                Route("/items/{collection}/{key}", self._guarded(self._item), methods=["GET", "PATCH", "DELETE"]),
            ]
        )

    def directus(self, token: str | None = SERVICE_TOKEN, *, retry_for_s: float = 2.0) -> Directus:
        """A client of this stand-in, over no network; the caller closes it."""
        own = self.token if token == SERVICE_TOKEN else token
        return Directus(URL, own, transport=self.transport(), retry_for_s=retry_for_s)

    def transport(self) -> httpx.AsyncBaseTransport:
        """The way from httpx into the app; while ``away`` it refuses connections."""
        return _Line(self)

    def put(self, collection: str, **row: Any) -> Row:  # noqa: ANN401 - any field
        """Put a row in, past permissions, Flows and the record of writes; give it whole."""
        return copy.deepcopy(self.tables.rows[collection][self.tables.insert(collection, row)])

    def rows(self, collection: str) -> list[Row]:
        """Copies of a collection's rows, in the order of their creation."""
        return copy.deepcopy(list(self.tables.rows[collection].values()))

    def row(self, collection: str, key: str) -> Row:
        """A copy of one row; KeyError when it isn't there."""
        return copy.deepcopy(self.tables.rows[collection][key])

    def fail_next(
        self, count: int = 1, *, status: int = 503, retry_after_s: int | None = None, method: str | None = None
    ) -> None:
        """Answer the next ``count`` requests (of that method) with an error instead of doing them."""
        code = {429: "REQUESTS_EXCEEDED", 503: "SERVICE_UNAVAILABLE"}.get(status, "INTERNAL_SERVER_ERROR")
        self._faults += [_Fault(status, retry_after_s, method, code) for _ in range(count)]

    async def settle(self) -> None:
        """Wait until every ``on_create`` has run; an exception of one comes out here."""
        while self._flows:
            await asyncio.gather(*self._flows)

    # What each request goes through.

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            self.requests += 1
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            try:
                self._fail_if_asked(request.method)
                return await answer(request)
            except Refusal as refusal:
                error = {"message": refusal.message, "extensions": {"code": refusal.code}}
                return JSONResponse({"errors": [error]}, refusal.status, refusal.headers)

        return guarded

    def _fail_if_asked(self, method: str) -> None:
        for fault in self._faults:
            if fault.method in (None, method):
                self._faults.remove(fault)
                headers = {"Retry-After": str(fault.retry_after_s)} if fault.retry_after_s is not None else {}
                raise Refusal(fault.status, fault.code, "This failure was ordered.", headers=headers)

    def _access(self, request: Request) -> Access:
        given = request.headers.get("authorization", "")
        if not given:
            return Access()
        access = self._accesses.get(given.removeprefix("Bearer "))
        if access is None:
            raise Refusal(401, "INVALID_CREDENTIALS", "Invalid user credentials.")
        return replace(access, permissions=access.permissions - self.denied) if self.denied else access

    # The routes.

    async def _ping(self, _request: Request) -> Response:
        return PlainTextResponse("pong")

    async def _health(self, request: Request) -> Response:
        access = self._access(request)
        if not access.permissions or access.conversation is not None:
            raise forbidden()
        return JSONResponse({"status": "ok"})

    async def _create_share(self, request: Request) -> Response:
        access, body = self._access(request), await body_of(request)
        access.check("directus_shares", "create")
        access.check(body["collection"], "share")
        if body["collection"] != CONVERSATIONS or body["item"] not in self.tables.rows[CONVERSATIONS]:
            raise forbidden()
        if body["role"] != VISITOR_ROLE_ID:
            raise Refusal(400, "INVALID_FOREIGN_KEY", "Invalid foreign key.")
        share = body | {"id": str(uuid4())}
        self._shares[share["id"]] = share
        return JSONResponse({"data": share})

    async def _open_share(self, request: Request) -> Response:
        body = await body_of(request)
        if "share" not in body:
            raise Refusal(400, "INVALID_PAYLOAD", 'Invalid payload. "share" is required.')
        share = self._shares.get(body["share"])
        if share is None or _has_ended(share):
            raise Refusal(401, "INVALID_CREDENTIALS", "Invalid user credentials.")
        token = secrets.token_urlsafe(24)
        self._accesses[token] = Access.visitor(share["item"])
        tokens = {"access_token": token, "refresh_token": secrets.token_urlsafe(24), "expires": _SHARE_TOKEN_MS}
        return JSONResponse({"data": tokens})

    async def _answers_flow(self, request: Request) -> Response:
        access = self._access(request)
        if request.path_params["flow"] != ANSWERS_FLOW_ID or not self.has_answers_flow:
            raise forbidden()
        if access.conversation is not None or not access.permissions:
            raise Refusal(400, "FAILED_VALIDATION", 'Validation failed for field "$accountability" at "role".')
        rows = [
            {name: value for name, value in row.items() if name in {*ANSWER_FIELDS, "metadata"}}
            for row in await body_of(request)
        ]
        if any(isinstance(row.get(name), dict | list) for row in rows for name in ANSWER_FIELDS):
            raise Refusal(500, "INTERNAL_SERVER_ERROR", "An unexpected error occurred.")
        reader = Reader(self.tables, access)
        # With full rights a row that isn't there is no error: it is left out.
        keys = self._update(MESSAGES, reader, [row for row in rows if row.get("id") in self.tables.rows[MESSAGES]])
        return JSONResponse(
            [{name: self.tables.rows[MESSAGES][key][name] for name in ("id", "status")} for key in keys]
        )

    async def _items(self, request: Request) -> Response:
        access, collection = self._access(request), collection_of(request)
        reader = Reader(self.tables, access)
        if request.method == "GET" and "aggregate[count]" in request.query_params:
            everything = Query(filter=query_of(request.query_params).filter, limit=-1)
            return JSONResponse({"data": [{"count": len(reader.matching(collection, everything))}]})
        if request.method == "GET":
            return JSONResponse({"data": reader.read(collection, query_of(request.query_params))})
        body = await body_of(request)
        if request.method == "SEARCH":
            return JSONResponse({"data": reader.read(collection, query_of(body["query"]))})
        access.check(collection, _WRITES[request.method])
        if request.method == "DELETE":
            self._delete(collection, [str(key) for key in body])
            return Response(status_code=204)
        if request.method == "POST":
            keys = self._create(collection, body if isinstance(body, list) else [body])
        else:
            keys = self._update(collection, reader, body)
        rows = self._answer(reader, collection, keys, request)
        return JSONResponse({"data": rows if request.method == "PATCH" or isinstance(body, list) else rows[0]})

    async def _item(self, request: Request) -> Response:
        access, collection = self._access(request), collection_of(request)
        reader, key = Reader(self.tables, access), request.path_params["key"]
        access.check(collection, {"GET": "read"}.get(request.method) or _WRITES[request.method])
        if key not in self.tables.rows[collection] or not access.sees(collection, self.tables.rows[collection][key]):
            raise forbidden()
        if request.method == "DELETE":
            self._delete(collection, [key])
            return Response(status_code=204)
        if request.method == "PATCH":
            self._update(collection, reader, [await body_of(request) | {"id": key}])
        return JSONResponse({"data": self._answer(reader, collection, [key], request)[0]})

    # What writes do.

    def _break_at(self, rows: Sequence[Row]) -> None:
        if self.breaks_at is not None and any(map(self.breaks_at, rows)):
            raise Refusal(500, "INTERNAL_SERVER_ERROR", "An unexpected error occurred.")

    def _create(self, collection: str, rows: Sequence[Row]) -> list[str]:
        self._break_at(rows)
        with self.tables.transaction():
            keys = [self.tables.insert(collection, row) for row in rows]
        self.writes.append(Write("POST", collection, copy.deepcopy(tuple(rows))))
        for key, row in zip(keys, rows, strict=True):
            self._tell(collection, key, row)
        return keys

    def _update(self, collection: str, reader: Reader, body: Any) -> list[str]:  # noqa: ANN401 - any JSON
        if isinstance(body, dict):
            query = query_of(body["query"])
            rows = [body["data"] | {"id": row["id"]} for row in reader.matching(collection, query)]
        else:
            rows = body
        if any("id" not in row for row in rows):
            raise Refusal(400, "INVALID_PAYLOAD", "Invalid payload. Item in update misses primary key.")
        self._break_at(rows)
        with self.tables.transaction():
            for row in rows:
                self.tables.update(collection, row["id"], row)
        self.writes.append(Write("PATCH", collection, copy.deepcopy(tuple(rows))))
        return [row["id"] for row in rows]

    def _delete(self, collection: str, keys: Sequence[str]) -> None:
        if any(key not in self.tables.rows[collection] for key in keys):
            raise forbidden()
        with self.tables.transaction():
            for key in keys:
                if key in self.tables.rows[collection]:
                    self.tables.delete(collection, key)
        self.writes.append(Write("DELETE", collection, tuple({"id": key} for key in keys)))

    def _answer(self, reader: Reader, collection: str, keys: Sequence[str], request: Request) -> list[Row]:
        fields = query_of(request.query_params).fields
        return [reader.shown(collection, self.tables.rows[collection][key], fields) for key in sorted(set(keys))]

    def _tell(self, collection: str, key: str, payload: Row) -> None:
        if self.on_create is None:
            return
        trigger = {"event": f"{collection}.items.create", "payload": payload, "key": key, "collection": collection}
        task = asyncio.ensure_future(self.on_create(copy.deepcopy(trigger)))
        self._flows.add(task)
        task.add_done_callback(self._flows.discard)


_WRITES: Final = {"POST": "create", "PATCH": "update", "DELETE": "delete"}


class _Line(httpx.AsyncBaseTransport):
    def __init__(self, standin: DirectusStandIn) -> None:
        self._standin = standin
        self._inner = httpx.ASGITransport(standin.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._standin.away:
            raise httpx.ConnectError("All connection attempts failed", request=request)
        return await self._inner.handle_async_request(request)


def _has_ended(share: Row) -> bool:
    end = share.get("date_end")
    return end is not None and datetime.fromisoformat(end) <= datetime.now(UTC)

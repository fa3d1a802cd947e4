"""Who sees what in a real Directus: Erleah's own user, and a visitor with the share of one conversation."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from services.directus_names import ANSWERS_FLOW_ID, VISITOR_ROLE_ID
from tests.e2e.directus_server import PAGE_ORIGIN, DirectusServer, Rest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.e2e

ANSWERS = uuid.UUID("6f1c1f3e-6d1b-5d4e-9f0e-0d8f5f1f7a11")
PATIENCE_S = 10
FORBIDDEN = 403


@dataclass(frozen=True)
class Visitor:
    """A conversation with one question, and the way in that its share gives."""

    conversation: str
    question: str
    token: str
    rest: Rest

    @property
    def answer(self) -> str:
        """The id the answer to the question will have."""
        return str(uuid.uuid5(ANSWERS, self.question))


@pytest.fixture
def service(directus_server: DirectusServer) -> Iterator[Rest]:
    with Rest(directus_server.url, directus_server.service_token) as rest:
        yield rest


def new_visitor(url: str, service: Rest, text: str) -> Visitor:
    conference = service.data("POST", "/items/conferences", json={"name": "A conference"})["id"]
    service.data("POST", "/items/sessions", json={"title": "One of its sessions", "conference_id": conference})
    conversation = service.data("POST", "/items/conversations", json={"conference_id": conference})["id"]
    body = {"conversation_id": conversation, "role": "user", "messageText": text}
    question = service.data("POST", "/items/messages", json=body)["id"]
    share = service.data(
        "POST", "/shares", json={"collection": "conversations", "item": conversation, "role": VISITOR_ROLE_ID}
    )["id"]
    with Rest(url) as anybody:
        token = anybody.data("POST", "/shares/auth", json={"share": share})["access_token"]
    return Visitor(conversation, question, token, Rest(url, token))


@pytest.fixture
def visitor(directus_server: DirectusServer, service: Rest) -> Iterator[Visitor]:
    own = new_visitor(directus_server.url, service, "my own question")
    with own.rest:
        yield own


@pytest.fixture
def other(directus_server: DirectusServer, service: Rest) -> Iterator[Visitor]:
    somebody = new_visitor(directus_server.url, service, "somebody else's question")
    with somebody.rest:
        yield somebody


def test_erleahs_user_can_do_its_work(service: Rest) -> None:
    """It reads and writes content, conversations and messages, batches of them too, and deletes messages."""
    conference = service.data(
        "POST", "/items/conferences", json={"name": "A", "faq": [{"question": "?", "answer": "!"}]}
    )
    body = {"conference_id": conference["id"], "title": "T", "tags": ["a"], "speakers": {"create": []}}
    session = service.data("POST", "/items/sessions", json=body)
    service.data("PATCH", f"/items/sessions/{session['id']}", json={"room": "Hall A"})
    conversation = service.data("POST", "/items/conversations", json={"conference_id": conference["id"]})["id"]
    rows = [{"id": str(uuid.uuid4()), "conversation_id": conversation, "role": "assistant"} for _ in range(3)]
    service.data("POST", "/items/messages", json=rows)
    service.data("PATCH", "/items/messages", json=[{"id": row["id"], "seq": 1} for row in rows])
    service.data("DELETE", "/items/messages", json=[row["id"] for row in rows])
    assert service.data("GET", f"/items/conversations/{conversation}")["messages"] == []
    assert service.call("GET", "/server/health").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("GET", "/roles"),
        ("GET", "/policies"),
        ("GET", "/flows"),
        ("GET", "/operations"),
        ("GET", "/files"),
        ("GET", "/activity"),
        ("GET", "/revisions"),
        ("GET", "/schema/snapshot"),
        ("POST", "/collections"),
    ],
)
def test_erleahs_user_can_do_nothing_else(service: Rest, method: str, path: str) -> None:
    """A stolen key opens no users, no flows (with their secret) and no schema."""
    answer = service.call(method, path, json={"collection": "x"} if method == "POST" else None)
    rows = answer.json().get("data") if answer.is_success else None
    assert answer.status_code == FORBIDDEN or rows == [], answer.text


def test_erleahs_user_deletes_messages_only(service: Rest) -> None:
    """A stolen key wipes no content and no conversation."""
    for collection in ("conferences", "sessions", "exhibitors", "speakers", "conversations"):
        row = service.data("POST", f"/items/{collection}", json={})["id"]
        assert service.call("DELETE", f"/items/{collection}/{row}").status_code == FORBIDDEN, collection


def test_erleahs_user_shares_conversations_only(service: Rest) -> None:
    """No share of anything but a conversation can be made with Erleah's key."""
    session = service.data("POST", "/items/sessions", json={"title": "T"})["id"]
    body = {"collection": "sessions", "item": session, "role": VISITOR_ROLE_ID}
    assert service.call("POST", "/shares", json=body).status_code == FORBIDDEN


def test_the_flow_with_full_rights_makes_nobody(directus_server: DirectusServer, service: Rest) -> None:
    """A stolen key can nest a user in what it sends to the Flow that writes answers: none is made."""
    conversation = service.data("POST", "/items/conversations", json={})["id"]
    row = service.data("POST", "/items/messages", json={"conversation_id": conversation})["id"]
    evil = {"email": "evil@example.com", "password": "a-password", "token": "a-token-of-evil"}
    nested = {"id": row, "seq": 5, "user_created": evil, "conversation_id": {"id": conversation, "user_created": evil}}
    answer = service.call("POST", f"/flows/trigger/{ANSWERS_FLOW_ID}", json=[nested])
    assert answer.json() == [{"id": row, "status": None}]
    assert service.data("GET", f"/items/messages/{row}", params={"fields": "seq"}) == {"seq": 5}
    with Rest(directus_server.url, directus_server.admin_token) as admin:
        assert evil["email"] not in str(admin.data("GET", "/users", params={"limit": -1}))


def test_a_visitor_reads_the_own_conversation(visitor: Visitor, other: Visitor) -> None:
    """Lists hold the own rows alone, whatever is asked for: filters, nesting, search, counts, GraphQL."""
    get = visitor.rest.data
    own = [visitor.question]
    assert [row["id"] for row in get("GET", "/items/messages")] == own
    assert [row["id"] for row in get("GET", "/items/conversations")] == [visitor.conversation]
    nested = get("GET", f"/items/conversations/{visitor.conversation}", params={"fields": "*,messages.*"})
    assert [row["id"] for row in nested["messages"]] == own
    for filters in (
        {"filter[conversation_id][_eq]": other.conversation},
        {"filter[conversation_id][id][_eq]": other.conversation},
        {"filter[id][_eq]": other.question},
        {"filter[conversation_id][messages][id][_eq]": other.question},
        {"search": "somebody"},
    ):
        assert get("GET", "/items/messages", params=filters) == [], filters
    either = {"filter": json.dumps({"_or": [{"role": {"_eq": "user"}}, {"id": {"_nnull": True}}]}), "limit": -1}
    assert [row["id"] for row in get("GET", "/items/messages", params=either)] == own
    assert int(get("GET", "/items/messages", params={"aggregate[count]": "id"})[0]["count"]["id"]) == 1
    groups = get("GET", "/items/messages", params={"groupBy[]": "conversation_id"})
    assert groups == [{"conversation_id": visitor.conversation}]
    answer = visitor.rest.call("POST", "/graphql", json={"query": "{ messages { id conversation_id { id } } }"})
    assert [row["id"] for row in answer.json()["data"]["messages"]] == own


def test_a_visitor_reaches_nothing_else(visitor: Visitor, other: Visitor) -> None:
    """Other ids, other collections and every kind of write are refused."""
    calls: list[tuple[str, str, Any]] = [
        ("GET", f"/items/messages/{other.question}", None),
        ("GET", f"/items/conversations/{other.conversation}", None),
        ("GET", "/items/sessions", None),
        ("GET", "/items/conferences", None),
        ("GET", "/users", None),
        ("GET", "/shares", None),
        ("GET", "/flows", None),
        ("POST", "/items/messages", {"conversation_id": visitor.conversation, "role": "user", "messageText": "!"}),
        ("PATCH", f"/items/messages/{visitor.question}", {"messageText": "!"}),
        ("PATCH", f"/items/conversations/{visitor.conversation}", {"source": "!"}),
        ("DELETE", f"/items/messages/{visitor.question}", None),
        ("POST", "/shares", {"collection": "conversations", "item": other.conversation, "role": VISITOR_ROLE_ID}),
    ]
    for method, path, body in calls:
        answer = visitor.rest.call(method, path, json=body)
        rows = answer.json().get("data") if answer.is_success else None
        assert answer.status_code == FORBIDDEN or rows == [], (method, path, answer.text)
    nested = visitor.rest.call("GET", "/items/messages", params={"fields": "*,conversation_id.conference_id.*.*"})
    assert "A conference" not in nested.text
    assert "One of its sessions" not in nested.text


def test_nobody_reads_anything_without_a_share(directus_server: DirectusServer, visitor: Visitor) -> None:
    """The public has no permission at all."""
    with Rest(directus_server.url) as anybody:
        for path in (
            "/items/messages",
            "/items/conversations",
            f"/items/messages/{visitor.question}",
            "/items/sessions",
        ):
            assert anybody.call("GET", path).status_code == FORBIDDEN


@asynccontextmanager
async def socket(directus_server: DirectusServer, token: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket as the widget opens it: from the page's origin, with the share's token."""
    address = f"{directus_server.url.replace('http', 'ws')}/websocket"
    async with connect(address, origin=PAGE_ORIGIN, proxy=None) as connection:  # type: ignore[arg-type]
        await connection.send(json.dumps({"type": "auth", "access_token": token}))
        assert (await hear(connection))["status"] == "ok"
        yield connection


async def hear(connection: ClientConnection, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """The next message that is no heartbeat."""
    async with asyncio.timeout(patience_s):
        while True:
            heard: dict[str, Any] = json.loads(await connection.recv())
            if heard["type"] != "ping":
                return heard
            await connection.send(json.dumps({"type": "pong"}))


async def everything_heard(connection: ClientConnection, within_s: float) -> list[dict[str, Any]]:
    """All messages until none has come for that long."""
    heard = []
    while True:
        try:
            heard.append(await hear(connection, within_s))
        except TimeoutError:
            return heard


def subscription(item: str, uid: str, event: str | None = "update") -> str:
    """Without an ``event`` Directus reads the item at once, with one it only waits for updates."""
    query = {"fields": ["id", "seq", "messageText", "status"]}
    wanted = {"type": "subscribe", "collection": "messages", "item": item, "uid": uid, "query": query}
    return json.dumps(wanted | ({"event": event} if event else {}))


async def test_an_answer_is_watched_before_it_exists(
    directus_server: DirectusServer, service: Rest, visitor: Visitor
) -> None:
    """A visitor subscribes to the answer's id in advance and then hears its updates."""
    async with socket(directus_server, visitor.token) as connection:
        await connection.send(subscription(visitor.answer, "own"))
        assert (await hear(connection))["event"] == "init"
        body = {"id": visitor.answer, "conversation_id": visitor.conversation, "role": "assistant", "seq": 0}
        await asyncio.to_thread(service.data, "POST", "/items/messages", json=body)
        update = [{"id": visitor.answer, "messageText": "It grows", "seq": 1, "status": "streaming"}]
        await asyncio.to_thread(service.data, "PATCH", "/items/messages", json=update)
        heard = await hear(connection)
        assert (heard["type"], heard["event"], heard["uid"]) == ("subscription", "update", "own")
        assert heard["data"] == update[0]


async def test_a_foreign_message_stays_unheard(
    directus_server: DirectusServer, service: Rest, visitor: Visitor, other: Visitor
) -> None:
    """Reading somebody else's message is refused, and its updates are not delivered, existing or to come."""
    async with socket(directus_server, visitor.token) as connection:
        await connection.send(subscription(other.question, "foreign", event=None))
        refused = await hear(connection)
        assert (refused["status"], refused["error"]["code"]) == ("error", "FORBIDDEN")
        for item in (other.question, other.answer):
            await connection.send(subscription(item, item))
            assert (await hear(connection))["event"] == "init"
        body = {"id": other.answer, "conversation_id": other.conversation, "role": "assistant"}
        await asyncio.to_thread(service.data, "POST", "/items/messages", json=body)
        secret = [{"id": item, "messageText": "not for you", "seq": 1} for item in (other.question, other.answer)]
        await asyncio.to_thread(service.data, "PATCH", "/items/messages", json=secret)
        late = await everything_heard(connection, within_s=1)
        assert all(heard.get("event") != "update" and "not for you" not in json.dumps(heard) for heard in late)

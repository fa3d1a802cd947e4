"""The Flows of a real Directus call the receiver: with what, and with which secret."""

from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.e2e.directus_server import DirectusServer, Rest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

PATIENCE_S = 10


class Receiver:
    """Listens where the Flows call and hands out the calls one by one."""

    def __init__(self, port: int) -> None:
        calls: queue.Queue[tuple[str, str | None, Any]] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            inbox: ClassVar = calls

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.inbox.put((self.path, self.headers["X-Erleah-Secret"], json.loads(body)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: the secret is in the headers."""

        self._calls = calls
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def next(self) -> tuple[str, str | None, Any]:
        """The next call: path, secret, body."""
        return self._calls.get(timeout=PATIENCE_S)

    def nothing_within(self, seconds: float) -> bool:
        """Whether no call comes in that time."""
        try:
            self._calls.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver(directus_server: DirectusServer) -> Iterator[Receiver]:
    listening = Receiver(directus_server.receiver_port)
    yield listening
    listening.close()


@pytest.fixture
def service(directus_server: DirectusServer) -> Iterator[Rest]:
    with Rest(directus_server.url, directus_server.service_token) as rest:
        yield rest


def test_a_new_message_is_told_once_with_the_secret(
    directus_server: DirectusServer, receiver: Receiver, service: Rest
) -> None:
    """The receiver gets the message's id and the payload as an object, quotes and newlines intact."""
    conversation = service.data("POST", "/items/conversations", json={})["id"]
    text = 'Who said "hello\nworld"? {{$env.SECRET}}'
    body = {"conversation_id": conversation, "role": "user", "messageText": text}
    message = service.data("POST", "/items/messages", json=body)["id"]

    path, secret, told = receiver.next()

    assert path == "/hooks/message-created"
    assert secret == directus_server.webhook_secret
    assert told == {"event": "messages.items.create", "payload": body, "key": message, "collection": "messages"}
    assert receiver.nothing_within(0.5)


def test_writing_an_answer_calls_nobody(receiver: Receiver, service: Rest) -> None:
    """Neither an answer's row nor the many writes of its growing text are told."""
    conversation = service.data("POST", "/items/conversations", json={})["id"]
    body = {"conversation_id": conversation, "role": "assistant", "status": "streaming"}
    message = service.data("POST", "/items/messages", json=body)["id"]
    service.data("PATCH", "/items/messages", json=[{"id": message, "messageText": "a piece", "seq": 1}])
    assert receiver.nothing_within(0.5)


@pytest.mark.parametrize("role", [{}, {"role": None}, {"role": "system"}])
def test_what_is_not_called_an_answer_is_told(receiver: Receiver, service: Rest, role: dict[str, Any]) -> None:
    """A row without a role, or with one that nobody knows: the receiver decides."""
    conversation = service.data("POST", "/items/conversations", json={})["id"]
    message = service.data("POST", "/items/messages", json={"conversation_id": conversation} | role)["id"]
    assert receiver.next()[2]["key"] == message


def test_every_change_of_content_is_told(directus_server: DirectusServer, receiver: Receiver, service: Rest) -> None:
    """Create, update and delete of content, and of who speaks where, reach the receiver."""
    events = []

    def told() -> dict[str, Any]:
        path, secret, body = receiver.next()
        assert (path, secret) == ("/hooks/content-changed", directus_server.webhook_secret)
        events.append(body["event"])
        assert isinstance(body, dict)
        return body

    speaker = service.data("POST", "/items/speakers", json={"name": "Grace"})["id"]
    assert told()["key"] == speaker
    session = service.data("POST", "/items/sessions", json={"title": "Compilers"})["id"]
    assert told()["key"] == session
    service.data("PATCH", f"/items/sessions/{session}", json={"title": "Compilers, again"})
    assert told()["keys"] == [session]
    link = service.data("POST", "/items/sessions_speakers", json={"sessions_id": session, "speakers_id": speaker})["id"]
    assert told()["payload"] == {"sessions_id": session, "speakers_id": speaker}
    service.data("DELETE", f"/items/sessions_speakers/{link}")
    assert told()["payload"] == [link]
    exhibitor = service.data("POST", "/items/exhibitors", json={"name": "Acme"})["id"]
    assert told()["key"] == exhibitor
    with Rest(directus_server.url, directus_server.admin_token) as admin:
        admin.data("DELETE", f"/items/exhibitors/{exhibitor}")
    assert told()["payload"] == [exhibitor]
    conference = service.data("POST", "/items/conferences", json={"name": "A conference"})["id"]
    assert told()["key"] == conference

    assert events == [
        "speakers.items.create",
        "sessions.items.create",
        "sessions.items.update",
        "sessions_speakers.items.create",
        "sessions_speakers.items.delete",
        "exhibitors.items.create",
        "exhibitors.items.delete",
        "conferences.items.create",
    ]


def test_the_secret_lies_nowhere_in_the_database(
    directus_server: DirectusServer, receiver: Receiver, service: Rest
) -> None:
    """With the secret in Directus's environment neither the Flow nor a revision of it holds it."""
    service.data("POST", "/items/speakers", json={"name": "Edsger"})
    receiver.next()
    secret = directus_server.webhook_secret.encode()
    files = [directus_server.process.database_path, directus_server.process.log_path]
    assert all(secret not in file.read_bytes() for file in files)

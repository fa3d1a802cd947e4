"""A receiver that is full lets go of those it waits for, and serves who comes: on the wire, with a small receiver."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from tests.webhook.raw_client import RawClient
from webhook import server
from webhook.room import Room
from webhook.server import listen, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.thorough

AT_MOST = 8
LARGE = 32 * 1024 * 1024
"""More than both ends' sockets hold, so that who doesn't read is waited for."""
GET = b"GET %b HTTP/1.1\r\nHost: door\r\n\r\n"
HALF = b"GET /ok HTTP/1.1\r\nHost: door\r\nX-Half"
BODY_TO_COME = b"POST /body HTTP/1.1\r\nHost: door\r\nContent-Length: 6\r\n\r\n"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for a few; nobody's time is up before the test's is."""
    monkeypatch.setattr("webhook.server.MAX_CONNECTIONS", AT_MOST)
    monkeypatch.setattr("webhook.connection.HEAD_TIMEOUT_S", 60)
    monkeypatch.setattr("webhook.room.PATIENCE_S", 0.05)


class Client(RawClient):
    """It asks and hears, or sees that it was let go."""

    async def asks(self, path: bytes = b"/ok") -> bytes:
        """The status of the answer; b"" if the connection ended instead."""
        with contextlib.suppress(ConnectionError):
            await self.say(GET % path)
        return await self.hears()

    async def hears(self) -> bytes:
        try:
            head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 5)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        return head.split()[1]

    async def is_let_go(self) -> bool:
        """Whether the server has ended it, as far as can be seen at this moment."""
        try:
            await asyncio.wait_for(self._reader.read(), 0.1)
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True


class SmallReceiver:
    """A receiver with room for AT_MOST; ``go_on`` lets it answer what is slow."""

    def __init__(self, port: int) -> None:
        self.go_on = asyncio.Event()
        self._port = port
        self._clients: list[Client] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """/ok answers at once, /slow when it may go on, /large with a lot, /body when it was sent all of it."""
        length = 2
        if scope["path"] == "/slow":
            await self.go_on.wait()
        elif scope["path"] == "/large":
            length = LARGE
        elif scope["path"] == "/body":
            while (await receive()).get("more_body"):
                pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % length)]})
        for sent in range(0, length, 65536):
            part = b"o" * min(length - sent, 65536)
            await send({"type": "http.response.body", "body": part, "more_body": sent + len(part) < length})

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self._port, limit=2**16))
        self._clients.append(client)
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


@pytest.fixture
async def receiver() -> AsyncIterator[SmallReceiver]:
    stop = asyncio.Event()
    listener = listen("127.0.0.1", 0)
    made = SmallReceiver(listener.getsockname()[1])
    serving = asyncio.create_task(serve(made, listener, stop=stop))
    yield made
    await made.close()
    made.go_on.set()
    stop.set()
    await asyncio.wait_for(serving, 10)


async def nothing(_client: Client) -> None:
    """Connect, and say no more."""


async def half_a_head(client: Client) -> None:
    await client.say(HALF)


async def no_body(client: Client) -> None:
    await client.say(BODY_TO_COME)


async def no_reading(client: Client) -> None:
    await client.say(GET % b"/large")


async def no_more_questions(client: Client) -> None:
    assert await client.asks() == b"200"


@pytest.mark.parametrize("hold", [nothing, half_a_head, no_body, no_reading, no_more_questions])
async def test_who_fills_the_receiver_keeps_nobody_from_being_served(
    receiver: SmallReceiver, hold: Callable[[Client], Awaitable[None]]
) -> None:
    """However a client holds its connections, and more of them than there is room for: others are answered."""
    for number in range(3 * AT_MOST):
        await hold(await receiver.connect())
        if number % AT_MOST == AT_MOST - 1:
            await asyncio.sleep(0.1)
            assert await (await receiver.connect()).asks() == b"200"


async def test_who_is_being_served_is_not_cut_off(receiver: SmallReceiver) -> None:
    """Where all are, the next one is told so with a 503; and there is room again when they are done."""
    slow = [await receiver.connect() for _ in range(AT_MOST - 1)]
    for each in slow:
        await each.say(GET % b"/slow")
    await asyncio.sleep(0.2)
    assert await (await receiver.connect()).asks() == b"503"
    receiver.go_on.set()
    assert [await each.hears() for each in slow] == [b"200"] * len(slow)
    assert await (await receiver.connect()).asks() == b"200"


async def test_who_has_kept_us_waiting_goes_first_and_then_who_was_idle_longest(receiver: SmallReceiver) -> None:
    """The oldest of each; a connection that was kept is worth more to its client than one that never spoke."""
    idle, silent = [await receiver.connect() for _ in range(4)], [await receiver.connect() for _ in range(2)]
    for each in idle:
        assert await each.asks() == b"200"
    await asyncio.sleep(0.1)
    newer = [await receiver.connect() for _ in range(4)]
    for each in newer:
        assert await each.asks() == b"200"
    assert [await each.is_let_go() for each in silent] == [True, True]
    assert [await each.is_let_go() for each in idle] == [True, False, False, False]
    assert [await each.is_let_go() for each in newer] == [False] * 4


async def test_who_has_only_just_come_goes_after_who_was_idle(
    receiver: SmallReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head takes a round trip: nobody loses his connection for that while others have theirs for nothing."""
    monkeypatch.setattr("webhook.room.PATIENCE_S", 5)
    coming = await receiver.connect()
    for _ in range(2 * AT_MOST):
        assert await (await receiver.connect()).asks() == b"200"
    assert await coming.asks() == b"200"


async def test_a_full_receiver_is_told_of_in_the_log_once_a_minute(receiver: SmallReceiver) -> None:
    with capture_logs() as lines:
        for _ in range(3 * AT_MOST):
            await receiver.connect()
        await asyncio.sleep(0.1)
    (line,) = [line for line in lines if line["event"] == "receiver.crowded"]
    assert (line["log_level"], line["at_most"]) == ("warning", AT_MOST)


def test_who_is_gone_is_forgotten() -> None:
    """Nothing is kept of a client that was let go, or went by itself."""

    class Gone:
        ended = 0

        def abort(self) -> None:
            self.ended += 1

    room, clients = Room(2), [Gone(), Gone(), Gone()]
    for each in clients[:2]:
        room.owes(each)
    room.idles(clients[2])
    room.is_served(clients[1])
    connections = set(clients)
    room.make(connections)
    assert [each.ended for each in clients] == [1, 0, 1]
    assert connections == {clients[1]}
    assert not room._owing
    assert not room._idle


@pytest.mark.parametrize(
    ("limits", "at_most", "raised_to"),
    [
        ((1024, 4096), 2000, 2200),
        ((1024, 1024), 824, 1024),
        ((1024, resource.RLIM_INFINITY), 2000, 2200),
        ((65536, 65536), 2000, 65536),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 2000, resource.RLIM_INFINITY),
        ((100, 100), 1, 100),
    ],
)
def test_no_more_connections_are_taken_than_files_may_be_open(
    limits: tuple[int, int], at_most: int, raised_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is raised as far as it may be; the kernel would refuse the others before anybody is let go."""
    now = [limits]
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2000)
    monkeypatch.setattr(resource, "getrlimit", lambda _: now[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: now.append(wanted))
    assert server._connections_at_most() == at_most
    assert now[-1] == (raised_to, limits[1])

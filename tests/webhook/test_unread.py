"""A client that reads nothing of its answer is cut off, one that reads slowly is not: on the wire, with short looks."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest
import uvloop

from webhook.server import listen, serve
from webhook.unread import Unread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.thorough

LOOK_S = 0.1
LONG_S = 10 * LOOK_S
LARGE = 32 * 1024 * 1024
"""More than both ends' sockets hold."""
PART = 65_536
GET = b"GET %b HTTP/1.1\r\nHost: door\r\n\r\n"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.unread.LOOK_S", LOOK_S)


async def app(scope: Scope, _receive: Receive, send: Send) -> None:
    """/large streams, /block sends as much at once, /file 50 KB, /events a line now and then for LONG_S."""
    lengths = {"/large": LARGE, "/block": LARGE, "/file": 50_000, "/events": 5 * 20}
    length = lengths[scope["path"]]
    size = {"/large": PART, "/events": 20}.get(scope["path"], length)
    headers = [(b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for sent in range(0, length, size):
        part = b"o" * min(length - sent, size)
        await send({"type": "http.response.body", "body": part, "more_body": sent + len(part) < length})
        if scope["path"] == "/events":
            await asyncio.sleep(LONG_S / 5)


class Client:
    """A socket with little room that reads only when it is told to."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.read = 0

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def reads(self, most: int) -> int:
        got = len(await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._socket, most), 5))
        self.read += got
        return got

    def is_cut_off(self) -> bool:
        """Whether the other end has reset the connection; nothing is read to find it out."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    async def is_cut_off_within(self, seconds: float) -> bool:
        for _ in range(20):
            if self.is_cut_off():
                return True
            await asyncio.sleep(seconds / 20)
        return False


@asynccontextmanager
async def connected() -> AsyncIterator[Client]:
    """A client of a receiver of its own."""
    stop = asyncio.Event()
    listener = listen("127.0.0.1", 0)
    serving = asyncio.create_task(serve(app, listener, stop=stop))
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)  # noqa: FBT003 - socket's own
        await asyncio.get_running_loop().sock_connect(connection, listener.getsockname())
        yield Client(connection)
    stop.set()
    await asyncio.wait_for(serving, 15)


ASKED = [
    pytest.param(GET % b"/large", id="a stream"),
    pytest.param(GET % b"/block", id="an answer in one piece"),
    pytest.param(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"/block", id="one that closes"),
    pytest.param(GET % b"/file" * 200, id="many answers"),
]


@pytest.mark.parametrize("asked", ASKED)
async def test_who_reads_nothing_of_an_answer_is_cut_off(asked: bytes) -> None:
    async with connected() as client:
        await client.say(asked)
        assert await client.is_cut_off_within(LONG_S)


async def test_who_read_some_and_stops_is_cut_off() -> None:
    async with connected() as client:
        await client.say(GET % b"/large")
        while client.read < 4 * 1024 * 1024:
            await client.reads(PART)
        assert await client.is_cut_off_within(LONG_S)


@pytest.mark.parametrize("asked", ASKED)
async def test_who_reads_slowly_is_served_for_as_long_as_it_reads(asked: bytes) -> None:
    """By a few kilobytes a look: far less than moves anything in the receiver itself."""
    async with connected() as client:
        await client.say(asked)
        for _ in range(16):
            await asyncio.sleep(LOOK_S / 4)
            assert await client.reads(4096)
            assert not client.is_cut_off()
        assert client.read <= 16 * 4096
        assert await client.is_cut_off_within(LONG_S)


async def test_an_answer_that_takes_its_time_is_nobodys_fault() -> None:
    async with connected() as client:
        await client.say(GET % b"/events")
        await asyncio.sleep(LONG_S)
        assert not client.is_cut_off()
        while client.read < 100:
            await client.reads(4096)


async def test_who_has_read_everything_may_stay() -> None:
    async with connected() as client:
        for _ in range(2):
            await client.say(GET % b"/file")
            wanted = client.read + 50_000
            while client.read < wanted:
                await client.reads(PART)
            await asyncio.sleep(4 * LOOK_S)
            assert not client.is_cut_off()


def test_it_is_so_on_the_loop_of_the_receiver() -> None:
    async def all_of_it() -> None:
        for asked in ASKED[:2]:
            await test_who_reads_nothing_of_an_answer_is_cut_off(cast("bytes", asked.values[0]))
        await test_who_reads_slowly_is_served_for_as_long_as_it_reads(GET % b"/large")
        await test_who_has_read_everything_may_stay()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_it())


class Growing:
    """A transport whose buffer grows, since more is written than is read."""

    size = 1

    def get_write_buffer_size(self) -> int:
        self.size += 1
        return self.size

    def get_extra_info(self, _name: str) -> socket.socket:
        gone = socket.socket()
        gone.close()
        return gone


@pytest.mark.parametrize("is_written", [True, False], ids=["written", "not written"])
async def test_what_grows_while_it_is_written_is_no_sign_of_a_client_that_does_not_read(*, is_written: bool) -> None:
    ended = asyncio.Event()
    transport = cast("asyncio.Transport", Growing())
    loop = asyncio.get_running_loop()
    unread = Unread(transport, loop, may_grow=lambda: is_written, abort=ended.set)
    unread.watch()
    await asyncio.sleep(4 * LOOK_S)
    assert ended.is_set() is not is_written
    unread.stop()

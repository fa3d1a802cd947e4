"""How long a client may take over the head of a request, on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import uvloop

from tests.webhook.raw_client import RawClient
from webhook.connection import Connection
from webhook.server import listen, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.thorough

TIMEOUT_S = 0.2
LONG_S = 3 * TIMEOUT_S
HALF = b"GET /ok HTTP/1.1\r\nHost: door\r\nX-Half"
WHOLE = b"GET /ok HTTP/1.1\r\nHost: door\r\n\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: door\r\nContent-Length: 6\r\n\r\n"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.connection.HEAD_TIMEOUT_S", TIMEOUT_S)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """/ok answers at once, /slow after LONG_S, /stream speaks for LONG_S, /body gives back what it was sent."""
    parts = [b"ok"]
    if scope["path"] == "/slow":
        await asyncio.sleep(LONG_S)
    elif scope["path"] == "/stream":
        parts = [b"a part\n"] * 6
    elif scope["path"] == "/body":
        parts = [b""]
        more = True
        while more:
            message = await receive()
            parts[0] += message["body"]
            more = message["more_body"]
    length = str(sum(map(len, parts))).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    for number, part in enumerate(parts, 1):
        await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})
        if len(parts) > 1:
            await asyncio.sleep(LONG_S / len(parts))


class Client(RawClient):
    """It takes its time, and measures how long the server does."""

    async def drip(self, data: bytes, pause_s: float = TIMEOUT_S / 4) -> None:
        """Say it byte by byte, until the server has had enough."""
        with contextlib.suppress(ConnectionError):
            for byte in data:
                await self.say(bytes([byte]))
                await asyncio.sleep(pause_s)

    async def hear(self, end: bytes = b"\r\n\r\nok") -> bytes:
        return await asyncio.wait_for(self._reader.readuntil(end), 5)

    async def closed_after_s(self) -> float:
        """How long the server takes from now to close, seconds; it says nothing before."""
        begun = time.monotonic()
        with contextlib.suppress(ConnectionResetError):  # as a close arrives that leaves something unread
            assert await asyncio.wait_for(self._reader.read(), 5) == b""
        return time.monotonic() - begun


@asynccontextmanager
async def connected() -> AsyncIterator[Client]:
    """A client of a receiver of its own."""
    stop = asyncio.Event()
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    serving = asyncio.create_task(serve(app, listener, stop=stop))
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield client
    finally:
        await client.close()
        stop.set()
        await asyncio.wait_for(serving, 10)


@pytest.mark.parametrize("said", [pytest.param(b"", id="nothing"), pytest.param(HALF, id="half a head")])
async def test_who_says_nothing_or_half_a_head_is_cut_off(said: bytes) -> None:
    async with connected() as client:
        await client.say(said)
        assert await client.closed_after_s() > TIMEOUT_S / 2


async def test_a_head_that_drips_is_cut_off_too() -> None:
    async with connected() as client:
        begun = time.monotonic()
        dripping = asyncio.create_task(client.drip(HALF))
        await client.closed_after_s()
        assert time.monotonic() - begun < len(HALF) * TIMEOUT_S / 8
        await dripping


async def test_a_body_may_take_longer() -> None:
    async with connected() as client:
        await client.say(POST % b"/body")
        await client.drip(b"abcdef")
        assert (await client.hear(b"abcdef")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("path", "end"), [("/slow", b"\r\n\r\nok"), ("/stream", b"a part\n" * 6)], ids=["late", "streamed"]
)
async def test_an_answer_may_take_longer(path: str, end: bytes) -> None:
    async with connected() as client:
        await client.say(WHOLE.replace(b"/ok", path.encode()))
        assert (await client.hear(end)).startswith(b"HTTP/1.1 200")
        await client.say(WHOLE)
        assert (await client.hear()).startswith(b"HTTP/1.1 200")


async def test_a_connection_is_kept_between_requests() -> None:
    async with connected() as client:
        for _ in range(2):
            await client.say(WHOLE)
            assert (await client.hear()).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(LONG_S)
        await client.say(WHOLE)
        assert (await client.hear()).startswith(b"HTTP/1.1 200")


async def test_half_a_head_on_a_connection_that_was_kept_is_cut_off() -> None:
    async with connected() as client:
        await client.say(WHOLE)
        await client.hear()
        await asyncio.sleep(LONG_S)
        await client.say(HALF)
        assert await client.closed_after_s() > TIMEOUT_S / 2


async def test_half_a_head_that_came_while_a_request_ran_has_its_time_after_the_answer() -> None:
    async with connected() as client:
        await client.say(WHOLE.replace(b"/ok", b"/slow") + HALF)
        await client.hear()
        assert await client.closed_after_s() > TIMEOUT_S / 2


async def test_a_head_in_two_pieces_is_served() -> None:
    async with connected() as client:
        for _ in range(2):
            await client.say(HALF)
            await asyncio.sleep(TIMEOUT_S / 6)
            await client.say(b": whole\r\n\r\n")
            assert (await client.hear()).startswith(b"HTTP/1.1 200")


async def test_what_is_left_of_an_answered_body_is_not_waited_for() -> None:
    async with connected() as client:
        await client.say(POST % b"/ok")
        await client.hear()
        await client.say(b"a")
        assert await client.closed_after_s() < 2


async def test_a_body_that_ends_after_its_answer_leaves_the_connection_as_idle_as_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhook.server.KEEP_ALIVE_S", LONG_S)
    async with connected() as client:
        await client.say(POST % b"/ok")
        await client.hear()
        await client.say(b"abcdef")
        assert await client.closed_after_s() > LONG_S - TIMEOUT_S / 2


async def test_a_client_that_went_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up: list[Connection] = []
    monkeypatch.setattr(Connection, "_give_up", given_up.append)
    async with connected() as client:
        await client.say(HALF)
        await client.close()
        await asyncio.sleep(LONG_S)
    assert given_up == []


def test_it_is_so_on_the_loop_of_the_receiver() -> None:
    async def half_and_streamed() -> None:
        async with connected() as client:
            await client.say(WHOLE.replace(b"/ok", b"/stream"))
            await client.hear(b"a part\n" * 6)
            await client.say(HALF)
            assert await client.closed_after_s() > TIMEOUT_S / 2
        async with connected() as client:
            await client.closed_after_s()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(half_and_streamed())

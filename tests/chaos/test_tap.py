"""A tap hands on every byte, and lets a fault act at its exact moment."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from standins.tap import Tap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Echo:
    """A server that keeps what it hears and says it back."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            self.heard.append(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, Tap]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    tap = Tap(server.sockets[0].getsockname()[1])
    await tap.start()
    yield echo, tap
    await tap.stop()
    server.close()
    await asyncio.sleep(0.01)


async def test_bytes_pass_both_ways(echo: tuple[Echo, Tap]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", echo[1].port)
    writer.write(b"x" * 300_000)
    assert await asyncio.wait_for(reader.readexactly(300_000), 5) == b"x" * 300_000
    writer.close()


async def test_a_held_write_reaches_the_server_only_when_it_is_released(echo: tuple[Echo, Tap]) -> None:
    server, tap = echo
    released = asyncio.Event()
    seen: list[tuple[bytes, bytes]] = []

    async def hold(chunk: bytes) -> None:
        if chunk == b"held":
            await released.wait()

    tap.before = hold
    tap.reply = lambda asked, reply: seen.append((asked, reply))
    reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
    writer.write(b"held")
    await asyncio.sleep(0.05)
    assert server.heard == []
    released.set()
    assert await asyncio.wait_for(reader.readexactly(4), 5) == b"held"
    assert seen == [(b"held", b"held")]
    writer.close()


async def test_a_chunk_that_is_answered_in_the_servers_place_never_reaches_it(echo: tuple[Echo, Tap]) -> None:
    server, tap = echo
    tap.answer = lambda chunk: b"no" if chunk == b"refused" else None
    reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
    writer.write(b"refused")
    assert await asyncio.wait_for(reader.readexactly(2), 5) == b"no"
    writer.write(b"taken")
    assert await asyncio.wait_for(reader.readexactly(5), 5) == b"taken"
    tap.let_go()
    writer.write(b"refused")
    assert await asyncio.wait_for(reader.readexactly(7), 5) == b"refused"
    assert b"".join(server.heard) == b"takenrefused"
    writer.close()


async def test_a_server_that_is_away_is_away_behind_the_tap_too() -> None:
    probe = await asyncio.start_server(Echo().serve, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    tap = Tap(port)
    await tap.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    writer.close()
    await tap.stop()


async def test_a_cut_breaks_what_is_open_and_refuses_what_comes(echo: tuple[Echo, Tap]) -> None:
    server, tap = echo
    reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
    writer.write(b"before")
    assert await asyncio.wait_for(reader.readexactly(6), 5) == b"before"
    tap.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    late_reader, late = await asyncio.open_connection("127.0.0.1", tap.port)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(late_reader.readexactly(1), 5)
    tap.join()
    again_reader, again = await asyncio.open_connection("127.0.0.1", tap.port)
    again.write(b"after")
    assert await asyncio.wait_for(again_reader.readexactly(5), 5) == b"after"
    assert server.heard == [b"before", b"after"]
    for each in (writer, late, again):
        each.close()


async def test_what_is_said_into_a_silence_arrives_behind_it(echo: tuple[Echo, Tap]) -> None:
    server, tap = echo
    reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
    tap.cut(silently=True)
    writer.write(b"hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readexactly(5), 0.1)
    assert server.heard == []
    tap.join()
    assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"
    writer.close()


class Impatient(Echo):
    """It closes a connection that says nothing for a moment, as Node does after 5 s."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                chunk = await asyncio.wait_for(reader.read(65536), 0.1)
            except TimeoutError:
                break
            if not chunk:
                break
            self.heard.append(chunk)
            writer.write(b"done")
        writer.close()


async def test_a_write_that_is_held_longer_than_its_connection_lives_arrives_whole() -> None:
    """Head and body, though they came in two pieces, and the answer to it comes back."""
    impatient = Impatient()
    server = await asyncio.start_server(impatient.serve, "127.0.0.1", 0)
    tap = Tap(server.sockets[0].getsockname()[1])
    await tap.start()
    held: list[bytes] = []

    async def hold(chunk: bytes) -> None:
        held.append(chunk)
        await asyncio.sleep(0.3)

    tap.before = hold
    reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
    head, body = b"PATCH /items/messages HTTP/1.1\r\nContent-Length: 4\r\n\r\n", b"[{}]"
    writer.write(head)
    await asyncio.sleep(0.02)
    writer.write(body)
    assert await asyncio.wait_for(reader.readexactly(4), 5) == b"done"
    assert held == [head + body]
    assert b"".join(impatient.heard) == head + body
    writer.close()
    await tap.stop()
    server.close()
    await asyncio.sleep(0.15)  # the server's own ends close


async def test_a_connection_that_its_server_closes_is_closed_behind_the_tap_too() -> None:
    server = await asyncio.start_server(Impatient().serve, "127.0.0.1", 0)
    tap = Tap(server.sockets[0].getsockname()[1])
    await tap.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    await tap.stop()
    server.close()
    await asyncio.sleep(0.05)  # both ends of the server's connection are gone by then

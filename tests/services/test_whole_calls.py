"""A call that nobody waits for any more costs its client no connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from services.directus import wire
from services.directus.client import Directus
from services.errors import ServiceUnavailableError
from services.whole_calls import WholeCalls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CONNECTIONS = 4
_AT_ONCE = 3 * _CONNECTIONS
"""Three times as many calls as the client has connections."""


@pytest_asyncio.fixture
async def slow_server() -> AsyncIterator[str]:
    """An HTTP server that takes its time for every answer."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(0.01)
                body = b'{"data": []}'
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await asyncio.wait_for(asyncio.gather(*serving), 10)


async def test_calls_that_were_given_up_leave_their_connections_behind(
    slow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many readers gave up while the pool was full, after whatever step, the next one is served."""
    monkeypatch.setattr(wire, "_LIMITS", httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=4.0))
    monkeypatch.setattr(wire, "_READS_AT_ONCE", _AT_ONCE)
    async with Directus(slow_server, "token") as directus:
        for steps in range(60):
            reads = [asyncio.create_task(directus.read_items("messages")) for _ in range(_AT_ONCE)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for read in reads:
                read.cancel()
            await asyncio.gather(*reads, return_exceptions=True)
        async with asyncio.timeout(10):
            assert await directus.read_items("messages") == []


async def test_calls_wait_in_line_and_one_that_is_given_up_there_never_begins() -> None:
    """Two at a time; what goes past the line does; whoever waited behind the one that left gets his turn."""
    calls = WholeCalls(at_once=2, patience_s=5)
    begun: list[str] = []
    go_on = asyncio.Event()

    async def call(name: str) -> str:
        begun.append(name)
        await go_on.wait()
        return name

    waiting = [asyncio.create_task(calls.run(call(name))) for name in ("a", "b", "given up", "d")]
    hasty = asyncio.create_task(calls.run(call("writer"), waits=False))
    await asyncio.sleep(0.01)
    assert begun == ["a", "b", "writer"]
    waiting[2].cancel()
    await asyncio.sleep(0.01)
    go_on.set()
    assert list(await asyncio.gather(waiting[0], waiting[1], waiting[3], hasty)) == ["a", "b", "d", "writer"]
    assert "given up" not in begun


async def test_a_wait_in_line_has_an_end() -> None:
    """Whoever gets no slot in time is told so as by a full pool, and his call never begins."""
    calls = WholeCalls(at_once=1, patience_s=0.01)
    go_on = asyncio.Event()
    first = asyncio.create_task(calls.run(go_on.wait()))
    await asyncio.sleep(0)
    with pytest.raises(httpx.PoolTimeout):
        await calls.run(go_on.wait())
    go_on.set()
    assert await first


async def test_a_failure_that_nobody_waits_for_is_no_ones_trouble() -> None:
    """It is not reported by the event loop as lost (warnings are errors here)."""
    calls = WholeCalls(at_once=1, patience_s=5)

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise httpx.ReadTimeout("too slow")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await calls.run(fail())
    await asyncio.sleep(0.05)
    with pytest.raises(httpx.ReadTimeout):
        await calls.run(fail())


async def test_what_still_runs_ends_with_the_client() -> None:
    """Closing waits for no one; who waited for a call hears it as an outage, for nobody has cancelled him."""
    calls = WholeCalls(at_once=1, patience_s=5)
    waiting = asyncio.create_task(calls.run(asyncio.sleep(60)))
    hasty = asyncio.create_task(calls.run(asyncio.sleep(60), waits=False))
    await asyncio.sleep(0)
    await calls.aclose()
    for each in (waiting, hasty):
        with pytest.raises(httpx.PoolTimeout):
            await each


async def test_nothing_begins_on_a_client_that_is_being_closed() -> None:
    """Who is woken in line by the end of the last calls, or comes later, is told; his call never begins."""
    calls = WholeCalls(at_once=2, patience_s=5)
    begun: list[str] = []

    async def call(name: str) -> None:
        begun.append(name)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)  # as a connection that says good-bye

    callers = [asyncio.create_task(calls.run(call(name))) for name in "abcdef"]
    await asyncio.sleep(0.01)
    await calls.aclose()
    ends = await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), 1)
    assert [type(end) for end in ends] == [httpx.PoolTimeout] * 6
    assert begun == ["a", "b"]
    for waits in (True, False):
        with pytest.raises(httpx.PoolTimeout):
            await calls.run(call("later"), waits=waits)
    assert begun == ["a", "b"]
    await calls.aclose()


async def test_who_is_cancelled_while_the_client_is_closed_is_cancelled() -> None:
    """A stop is not turned into an outage that its caller would try again after."""
    calls = WholeCalls(at_once=1, patience_s=5)
    caller = asyncio.create_task(calls.run(asyncio.sleep(60)))
    await asyncio.sleep(0)
    caller.cancel()
    await calls.aclose()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_a_client_that_is_closed_in_mid_read_says_that_directus_is_away(slow_server: str) -> None:
    """Its callers know what to do about an outage, and nothing about a cancellation that nobody asked for."""
    directus = Directus(slow_server, "token", retry_for_s=0)
    reads = [asyncio.create_task(directus.read_items("messages")) for _ in range(30)]
    await asyncio.sleep(0.005)
    await directus.aclose()
    ends = await asyncio.wait_for(asyncio.gather(*reads, return_exceptions=True), 5)
    assert {type(end) for end in ends} == {ServiceUnavailableError}

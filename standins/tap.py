"""A tap: a TCP proxy between a process and one of its servers, where a fault acts at an exact moment.

What a worker asks passes here before its server sees it, so "between the fencing check and the write" is a
place in the code of a fault, not a matter of luck.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Tap"]

_CHUNK = 1 << 18
_LAST_WORD_S = 5.0
_WITH_BODY = (b"PATCH ", b"POST ", b"SEARCH ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class _Line:
    """One connection through the tap: to whoever connected, and to and from the server, which may be opened anew."""

    client: asyncio.StreamWriter
    said: asyncio.StreamReader
    server: asyncio.StreamWriter
    asked: bytes = b""
    holding: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Taken while ``before`` has a chunk: the server's hanging up meanwhile is not the end of it."""

    @property
    def is_hung_up(self) -> bool:
        """Whether the server has closed its end."""
        return self.said.at_eof() or self.said.exception() is not None


class Tap:
    """Hands bytes on between whoever connects and ``127.0.0.1:target``.

    ``before(chunk)`` is awaited before a chunk reaches the server, and may hold it; ``after(chunk)`` is called when
    it has been handed on; ``reply(asked, chunk)`` before what the server says to the last chunk is handed back.
    A write over HTTP (PATCH, POST), or a SEARCH, is one chunk, head and body, and ``asked`` is the very object
    ``before`` was given.

    ``answer(chunk)`` may answer in the server's place, once ``before`` has let the chunk go: what it returns goes back
    to whoever connected, and the server never sees the chunk; with None the chunk is handed on. ``after`` and
    ``reply`` are not told of a chunk that was answered so. It is meant for protocols in which one chunk is one
    request, and the next follows its answer, as writes over HTTP are.

    A server may close a connection on which a chunk is held, as Node does after 5 s: then the chunk goes over a new
    one when it is let go, as it would behind a proxy. Nothing that was held is lost.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._flows = asyncio.Event()
        self._flows.set()
        self.before: Callable[[bytes], Awaitable[None]] | None = None
        self.after: Callable[[bytes], None] | None = None
        self.reply: Callable[[bytes, bytes], None] | None = None
        self.answer: Callable[[bytes], bytes | None] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._server is None:
            raise RuntimeError("the tap is not open")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen on a free loopback port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    def let_go(self) -> None:
        """Only hand on from here."""
        self.before = self.after = self.reply = self.answer = None
        self.join()

    def cut(self, *, silently: bool = False) -> None:
        """No server behind it: connections break and new ones are refused; ``silently``: they hang instead.

        What was said into the silence arrives when it ends, as with a network that was away.
        """
        if silently:
            self._flows.clear()
            return
        self._is_cut = True
        for writer in list(self._open):
            writer.transport.abort()

    def join(self) -> None:
        """The server is there again."""
        self._is_cut = False
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            line = _Line(writer, *await asyncio.open_connection("127.0.0.1", self._target))
        except OSError:
            writer.transport.abort()  # as the server itself would refuse
            return
        self._open |= {writer, line.server}
        up, down = asyncio.ensure_future(self._up(reader, line)), asyncio.ensure_future(self._down(line))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            # Who died behind his last word has said it all the same: the server hears it, and what it does is done.
            await asyncio.wait({down}, timeout=_LAST_WORD_S)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            for end in (writer, line.server):
                self._open.discard(end)
                end.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, line: _Line) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                line.asked = chunk = await _whole(chunk, reader)
                if self.before is not None:
                    async with line.holding:
                        await self.before(chunk)
                        if line.is_hung_up:
                            await self._reopen(line)
                await self._flows.wait()
                if self.answer is not None and (answer := self.answer(chunk)) is not None:
                    line.client.write(answer)
                    await line.client.drain()
                    continue
                line.server.write(chunk)
                await line.server.drain()
                if self.after is not None:
                    self.after(chunk)
            line.server.write_eof()

    async def _reopen(self, line: _Line) -> None:
        self._open.discard(line.server)
        line.server.transport.abort()
        line.said, line.server = await asyncio.open_connection("127.0.0.1", self._target)
        self._open.add(line.server)

    async def _down(self, line: _Line) -> None:
        said = None
        while said is not line.said:
            said = line.said
            with contextlib.suppress(OSError):
                while chunk := await said.read(_CHUNK):
                    if self.reply is not None:
                        self.reply(line.asked, chunk)
                    await self._flows.wait()
                    line.client.write(chunk)
                    await line.client.drain()
            async with line.holding:
                pass  # what is held may go over a connection of its own, and be answered there


async def _whole(chunk: bytes, reader: asyncio.StreamReader) -> bytes:
    """The request with a body that begins with a chunk, to its last byte; any other chunk as it is."""
    head, _, body = chunk.partition(b"\r\n\r\n")
    if not chunk.startswith(_WITH_BODY) or (length := _LENGTH.search(head)) is None:
        return chunk
    missing = int(length[1]) - len(body)
    while missing > 0 and (more := await reader.read(missing)):
        chunk += more
        missing -= len(more)
    return chunk

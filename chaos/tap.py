"""A tap: a TCP proxy between one worker and one of its servers, where a fault can act at an exact moment.

What a worker asks passes here before its server sees it, so "between the fencing check and the write" is a
place in the code of a fault, not a matter of luck.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Tap"]

_CHUNK = 1 << 18


class Tap:
    """Hands bytes on between whoever connects and ``127.0.0.1:target``.

    ``before(chunk)`` is awaited before a chunk reaches the server, and may hold it; ``after(chunk)`` is called when
    it has been handed on; ``reply(asked, chunk)`` before what the server says to the last chunk is handed back.
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
        self.before = self.after = self.reply = None
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
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()  # as the server itself would refuse
            return
        self._open |= {writer, upstream}
        asked = [b""]
        both = [
            asyncio.ensure_future(self._up(reader, upstream, asked)),
            asyncio.ensure_future(self._down(upstream_reader, writer, asked)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            for end in (writer, upstream):
                self._open.discard(end)
                end.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, asked: list[bytes]) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                asked[0] = chunk
                if self.before is not None:
                    await self.before(chunk)
                await self._flows.wait()
                upstream.write(chunk)
                await upstream.drain()
                if self.after is not None:
                    self.after(chunk)

    async def _down(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[bytes]) -> None:
        with contextlib.suppress(OSError):
            while chunk := await upstream.read(_CHUNK):
                if self.reply is not None:
                    self.reply(asked[0], chunk)
                await self._flows.wait()
                writer.write(chunk)
                await writer.drain()

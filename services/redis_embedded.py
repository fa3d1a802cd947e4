"""Redis inside the process: fakeredis, for the demo and for tests.

One ``EmbeddedRedis`` serves this process directly (no socket, no threads) and, when asked to listen,
other processes over TCP on the loopback interface, with an ordinary ``redis://`` URL.
"""

from __future__ import annotations

import select
import threading
from typing import TYPE_CHECKING, Self

from fakeredis import FakeAsyncRedis, FakeServer, TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from redis.asyncio import ConnectionPool

__all__ = ["EmbeddedRedis", "embedded_server"]

_WRITE_TIMEOUT_S = 10.0
"""A client that reads nothing for this long is let go of."""


class EmbeddedRedis:
    """A Redis of this process. Nothing is kept on disk; it ends with the process or with ``close()``."""

    def __init__(self, server: FakeServer | None = None) -> None:
        self._server = server or FakeServer()
        self._listener: TcpFakeServer | None = None

    def pool(self) -> ConnectionPool:
        """Give connections to the server, without a socket."""
        return FakeAsyncRedis(server=self._server).connection_pool

    def listen(self, port: int = 0) -> str:
        """Listen on a loopback port (0: a free one) and return the URL; again: the same URL.

        Raises OSError when the port is taken.
        """
        if self._listener is None:
            listener = TcpFakeServer(("127.0.0.1", port))
            listener.fake_server = self._server
            listener.RequestHandlerClass = _PromptHandler
            listener.daemon_threads = True  # a connected terminal must not keep Ctrl-C from ending the process
            threading.Thread(target=listener.serve_forever, name="embedded-redis", daemon=True).start()
            self._listener = listener
        return f"redis://127.0.0.1:{self._listener.server_address[1]}/0"

    def close(self) -> None:
        """Stop listening; clients in this process go on."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._listener = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()


def embedded_server(name: str) -> EmbeddedRedis:
    """Give the server that ``embedded://NAME`` means in this process; no name: a new one of the caller's own."""
    return EmbeddedRedis(FakeServer.get_server(f"erleah:{name}", (7,), "redis") if name else None)


class _PromptHandler(TCPFakeRequestHandler):
    """fakeredis's TCP side without two faults: Nagle's delay and replies that do not fit a socket's buffer.

    With Nagle's algorithm on, each pipeline waits for the client's delayed acknowledgement: 44 ms where
    it takes 0.4 ms without (fakeredis 2.40, loopback).
    """

    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.writer.writer = _WholeWriter(self.connection)  # type: ignore[assignment]  # it is only written to and flushed


class _WholeWriter:
    """Writes all of a reply to a non-blocking socket; fakeredis's own drops the client when it is full."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._connection.send(view) :]
            except BlockingIOError:
                _, writable, _ = select.select([], [self._connection], [], _WRITE_TIMEOUT_S)
                if not writable:
                    raise ConnectionError("the client has stopped reading") from None

    def flush(self) -> None:
        """Nothing waits here."""

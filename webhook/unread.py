"""What a client has been sent and does not read: looked at now and then, and ended where it reads nothing at all.

A client that asks and reads nothing would hold its connection, and the answer in it, for as long as it likes: neither
a write nor a close() ever gives up. One that reads slowly is no offender, however slow it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["LOOK_S", "Unread"]

LOOK_S: Final = 15.0
"""From one look to the next, so who reads nothing is ended 15 to 30 s later. Between two a client on the slowest line
reads something (TCP tries a lost packet again after 0.2, 0.6, 1.4, 3, 6.2 and 12.6 s)."""


class Unread:
    """Looks at one connection's buffers, while there is something in them, and ends it if nothing was read of them."""

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        may_grow: Callable[[], bool],
        abort: Callable[[], None],
    ) -> None:
        """``may_grow`` says whether an answer is being written just now, so that more bytes are no sign of a pause."""
        self._transport = transport
        self._loop = loop
        self._may_grow = may_grow
        self._abort = abort
        self._clock: asyncio.TimerHandle | None = None
        self._before: int | None = None

    def has_changed(self) -> None:
        """Look anew: something was written, or read."""
        self._before = None
        self.watch()

    def watch(self) -> None:
        """Look from now on, if there is anything to be read."""
        if self._clock is None and self._transport.get_write_buffer_size():
            self._clock = self._loop.call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _look(self) -> None:
        self._clock = None
        if not self._transport.get_write_buffer_size():
            return
        before, self._before = self._before, None if self._may_grow() else self._bytes()
        if before is not None and self._before is not None and self._before >= before:
            self._end()
        else:
            self._clock = self._loop.call_later(LOOK_S, self._look)

    def _end(self) -> None:
        # With a reset: else the system keeps what it has for the client, and tries to send it, for minutes more.
        with contextlib.suppress(OSError, ValueError):
            at_once = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._abort()

    def _bytes(self) -> int:
        # The system takes ours in larger pieces than a slow client reads in LOOK_S, so what waits there counts too.
        waiting = self._transport.get_write_buffer_size()
        with contextlib.suppress(OSError, ValueError):  # a system that does not tell, or a socket that is gone
            descriptor = self._transport.get_extra_info("socket").fileno()
            (in_system,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
            waiting += in_system
        return waiting

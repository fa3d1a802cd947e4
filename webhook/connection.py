"""One client's connection: uvicorn's, which ends when the head of a request does not come.

uvicorn bounds the time between two requests, and nothing else. A client that says nothing, or half a
head, holds its connection for as long as it likes, and each counts among those the receiver may have. Where these are
all taken, the ones that wait for their clients are ended for new ones (webhook/room.py). One that is sent something and
reads nothing of it is ended by webhook/unread.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from webhook.unread import Unread

if TYPE_CHECKING:
    import asyncio

    from uvicorn import Config
    from uvicorn.server import ServerState

    from webhook.room import Room

__all__ = ["HEAD_TIMEOUT_S", "Connection"]

HEAD_TIMEOUT_S: Final = 10.0
"""From the connection, or from the first byte of a later request, to the end of the request's headers;
what is left of a body whose request has been answered gets as long. Clients send a head in one piece."""


class Connection(H11Protocol):
    """uvicorn's connection with one more clock, which runs only while no request does.

    A request that runs bounds itself: its body in webhook/body.py, a stream where it is made.
    """

    _clock: asyncio.TimerHandle | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        room: Room,
    ) -> None:
        """``room`` is the server's; the rest is uvicorn's."""
        super().__init__(config, server_state, app_state, _loop)
        self._room = room

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a client, who has HEAD_TIMEOUT_S from now."""
        super().connection_made(transport)
        self._unread = Unread(transport, self.loop, may_grow=self._is_writing, abort=self.abort)
        self._room.make(self.connections)
        self._set_clock()

    def data_received(self, data: bytes) -> None:
        """Take what a client sent; a clock that runs is not set back by it, or a byte a second would do."""
        super().data_received(data)
        self._unread.watch()
        self._set_clock()

    def on_response_complete(self) -> None:
        """Go on to the next request, of which a part may have come while this one ran."""
        super().on_response_complete()
        self._unread.has_changed()
        self._set_clock()

    def pause_writing(self) -> None:
        """Wait until the client has read some of its answer."""
        super().pause_writing()
        self._unread.has_changed()
        self._set_clock()

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        self._unread.has_changed()
        self._set_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client and the clock."""
        super().connection_lost(exc)
        self._stop_clock()
        self._unread.stop()
        self._room.is_served(self)

    def abort(self) -> None:
        """End the connection, whatever was still to be read or written."""
        # Without a 408: a browser that opened a connection ahead of need would take it for the answer to
        # its next request. And not by close(), which waits until the client has read what it was sent.
        self.transport.abort()

    def _set_clock(self) -> None:
        """Let the clock run if the client owes a head, from when it began to; say in the room what it is at."""
        running = self.cycle is not None and not self.cycle.response_complete
        is_served = running and not (self.cycle.more_body or self.flow.write_paused)
        if is_served or self not in self.connections:
            self._room.is_served(self)
        elif not running and self._is_between_requests() and not self.transport.is_closing():
            self._room.idles(self)
        else:
            self._room.owes(self)
        if running or self.transport.is_closing():
            self._stop_clock()
        elif self._is_between_requests():
            self._stop_clock()
            # uvicorn stops its own clock at any byte, and doesn't start it again where that was the end
            # of a body that came after its answer: such a connection would stay for ever.
            if self.timeout_keep_alive_task is None:
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
        elif self._clock is None:
            self._clock = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _is_writing(self) -> bool:
        """Whether an answer may be written just now: one is made, and nothing holds it back."""
        return self.cycle is not None and not self.cycle.response_complete and not self.flow.write_paused

    def _is_between_requests(self) -> bool:
        """Whether a request was served and nothing of the next has come: uvicorn's own time-out is for that."""
        # Once the answer is out, both sides stand at the same point only when its request has ended too.
        served = self.cycle is not None and self.conn.our_state is self.conn.their_state
        return served and not self.conn.trailing_data[0]

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _give_up(self) -> None:
        self._clock = None
        if not self.transport.is_closing():
            self.abort()

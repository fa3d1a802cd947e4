"""Room for one more client: where a receiver has none left, who waits for nothing is let go.

One client can open connections faster than a time-out ends them: 2,000 every 10 s would fill the receiver for good,
and every request would be answered with a 503. A bound per address would not help against many addresses, and would
take a proxy, behind which all visitors are one, for an attacker. So the connections are ended that the receiver loses
nothing by, the longest first: clients send what they owe at once, and who held out for long was no client.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import MutableSet

__all__ = ["Client", "Room"]

PATIENCE_S: Final = 1.0
"""A head, the rest of a body or the reading of an answer takes a client one round trip, three where packets are lost;
who is idle is let go before one who has been slow for less."""

SAY_EVERY_S: Final = 60.0
"""The log of a receiver that is being filled must not be filled too."""

_log = get_logger(__name__)


class Client(Protocol):
    """A connection as far as it can be ended."""

    def abort(self) -> None:
        """End it at once."""


class Room:
    """Who of a server's clients it waits for, since when, and who of them goes when it is full."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._owing: dict[Client, float] = {}
        self._idle: dict[Client, None] = {}
        self._ended = 0
        self._say_at = 0.0

    def owes(self, client: Client) -> None:
        """The client has something to send or to read, as it had if this was said before."""
        self._idle.pop(client, None)
        self._owing.setdefault(client, time.monotonic())

    def idles(self, client: Client) -> None:
        """The client has been served and may ask again."""
        self._owing.pop(client, None)
        self._idle.setdefault(client)

    def is_served(self, client: Client) -> None:
        """The client has done its part, and waits for us; also if it is gone."""
        self._owing.pop(client, None)
        self._idle.pop(client, None)

    def make(self, connections: MutableSet[Any]) -> None:
        """End clients out of ``connections`` until there is room, or only such are left as are being served."""
        while len(connections) >= self._at_most and (client := self._next()) is not None:
            self.is_served(client)
            connections.discard(client)
            client.abort()
            self._ended += 1
        now = time.monotonic()
        if self._ended and now >= self._say_at:
            _log.warning("receiver.crowded", at_most=self._at_most, let_go=self._ended)
            self._ended, self._say_at = 0, now + SAY_EVERY_S

    def _next(self) -> Client | None:
        slowest = next(iter(self._owing), None)
        if slowest is not None and self._owing[slowest] <= time.monotonic() - PATIENCE_S:
            return slowest
        return next(iter(self._idle), slowest)

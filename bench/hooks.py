"""The calls that Directus's Flows make to the receiver, timed at the receiver's door."""

from __future__ import annotations

import time
from statistics import quantiles

__all__ = ["Hooks"]

_ACCEPTED = (b"HTTP/1.1 200", b"HTTP/1.1 202")
"""200: a message that nobody has to answer, as each answer's own row is."""


class Hooks:
    """What a tap before the receiver saw: from the last byte of a call to the first of its answer.

    ``times_ms`` has the milliseconds of each call, ``refused`` how many were not accepted.
    """

    def __init__(self) -> None:
        self.times_ms: list[float] = []
        self.refused = 0
        self._asked_at: dict[int, float] = {}

    async def asked(self, chunk: bytes) -> None:
        """A call, or the rest of one, is about to reach the receiver."""
        self._asked_at[id(chunk)] = time.monotonic()  # the tap keeps the chunk until its connection's next

    def answered(self, asked: bytes, reply: bytes) -> None:
        """The receiver answers what came last on that connection."""
        at = self._asked_at.pop(id(asked), None)
        if at is not None:
            self.times_ms.append((time.monotonic() - at) * 1000)
            self.refused += not reply.startswith(_ACCEPTED)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile. Raises RuntimeError for fewer than a hundred calls."""
        if len(self.times_ms) < 100:
            raise RuntimeError(f"only {len(self.times_ms)} calls reached the receiver")
        return quantiles(self.times_ms, n=100, method="inclusive")[98]

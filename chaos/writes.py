"""Writes of answers, seen in a worker's tap on their way to Directus: through the Flow, or as a PATCH."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.directus_names import ANSWERS_FLOW_ID, MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from standins.tap import Tap

__all__ = ["PassingWrites", "Write", "is_write", "rows_in", "status_of"]

_FLOW = f"POST /flows/trigger/{ANSWERS_FLOW_ID} ".encode()
_PATCH = f"PATCH /items/{MESSAGES}".encode()


def is_write(request: bytes) -> bool:
    """Whether that is a write of answers' rows, which are there already."""
    return request.startswith((_FLOW, _PATCH))


def rows_in(request: bytes) -> list[dict[str, Any]]:
    """The rows that a write carries; none where its body is something else."""
    rows = json.loads(request.partition(b"\r\n\r\n")[2] or b"null")
    return rows if isinstance(rows, list) else []


def status_of(reply: bytes) -> int:
    """The HTTP status with which a reply begins."""
    return int(reply.split(b" ", 2)[1])


@dataclass(slots=True, eq=False)
class Write:
    """One write; times on the monotonic clock. ``status`` is None when its worker heard nothing."""

    request: bytes
    sent_at: float
    status: int | None = None

    @property
    def is_by_flow(self) -> bool:
        """Whether it went through the Flow."""
        return self.request.startswith(_FLOW)

    @property
    def rows(self) -> int:
        """How many rows it carries, marks of questions among them."""
        return len(rows_in(self.request))

    @property
    def seqs(self) -> dict[str, int]:
        """The ``seq`` of each answer in it, by id."""
        return {row["id"]: row["seq"] for row in rows_in(self.request) if "seq" in row}


class PassingWrites:
    """All writes of answers that pass these taps from now on, until they are let go."""

    def __init__(self, taps: Iterable[Tap]) -> None:
        self.seen: list[Write] = []
        self._sent_one = asyncio.Event()
        for tap in taps:
            tap.after, tap.reply = self._sent, self._answered

    def between(self, since: float, until: float = float("inf")) -> list[Write]:
        """Those that were sent then, by the monotonic clock."""
        return [write for write in self.seen if since <= write.sent_at < until]

    async def next(self) -> Write:
        """The next one, as soon as it was handed on to Directus."""
        self._sent_one.clear()
        await self._sent_one.wait()
        return self.seen[-1]

    def _sent(self, request: bytes) -> None:
        if is_write(request):
            self.seen.append(Write(request, time.monotonic()))
            self._sent_one.set()

    def _answered(self, asked: bytes, reply: bytes) -> None:
        for write in reversed(self.seen):
            if write.request is asked:
                if write.status is None:
                    write.status = status_of(reply)
                return

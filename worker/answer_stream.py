"""One answer's growing text on its way to Directus.

A step shows the newest whole text and goes on at once; the pump takes it from here when the next
write is due. Only the last write is waited for.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.turn_leases import Claim
    from worker.signals import Signal

__all__ = ["AnswerStream"]

SEQ_GAP_AFTER_TAKEOVER = 1000
"""A taken-up answer goes on this far behind the last ``seq`` seen, so that no late write of the
worker before can outrank it (one writes ten times a second and loses its lease within seconds)."""


class AnswerStream:
    """The text of one answer: shown by a step, written by the pump.

    ``row`` holds the fields with which the answer's row is created.
    """

    def __init__(
        self,
        claim: Claim,
        answer_id: str,
        row: dict[str, Any],
        *,
        wake: Callable[[], None],
        interrupt: Callable[[Signal], None],
    ) -> None:
        self.claim = claim
        self.answer_id = answer_id
        self.row = row
        self._text = ""
        self._draft: tuple[str, Callable[[str], str]] | None = None
        self.seq = (claim.attempt - 1) * SEQ_GAP_AFTER_TAKEOVER
        """Ahead of attempts before this one also where their writes are still on their way, and the row knows none."""
        self.exists = False
        """Whether the row is known to be in Directus."""
        self.wanted = False
        """Whether the row is to be created (nothing is written for a turn that shows nothing)."""
        self.final: dict[str, Any] | None = None
        """The fields of the last write, once the answer is whole."""
        self.marks: list[dict[str, Any]] = []
        """Rows of other messages to be written with the last write (answered, superseded)."""
        self.written_text: str | None = None
        self.previous: list[dict[str, Any]] = []
        """Texts of this answer before it was asked for anew."""
        self.last_row: dict[str, Any] | None = None
        """The last write, once it is in Directus."""
        self.is_taken_up = False
        """Whether an earlier attempt made the row."""
        self.first_shown_at: float | None = None
        self.last_seen_at = 0.0
        """When the row's status was last read or written, on the monotonic clock."""
        self.last_looked_at = 0.0
        """When the row was last read, before a write, on the monotonic clock."""
        self.writes = 0
        self.is_confirmed = True
        """Whether Redis said, when it was last asked, that the answer is ours; False while it is silent."""
        self.was_unconfirmed = False
        """Whether something was written that nobody has confirmed since."""
        self.breaks = 0
        """How many calls with this row Directus has broken at since the last one that it took."""
        self._broken_since = 0.0
        self._on_screen = 0
        self._wake = wake
        self._interrupt = interrupt
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def text(self) -> str:
        """The newest whole text, made fit to be shown.

        After a take-over the visitor still sees the text of the worker before; it gives way only
        to a text at least as long, so an answer never shrinks on the screen.
        """
        if self._draft is not None:
            draft, fit = self._draft
            self._draft = None
            text = fit(draft)
            if len(text) >= self._on_screen:
                self._text = text
        return self._text

    @property
    def trace_id(self) -> str:
        """The question's trace: whoever writes the row does so outside the turn's task."""
        return str(self.row["metadata"]["trace_id"])

    @property
    def broken_for_s(self) -> float:
        """For how long Directus has been breaking at calls with this row, in seconds."""
        return time.monotonic() - self._broken_since if self.breaks else 0.0

    @property
    def is_dirty(self) -> bool:
        """Whether the row lacks something that has been shown."""
        if self._done.done() or not self.wanted:
            return False
        return not self.exists or self.final is not None or self.text != self.written_text

    @property
    def is_live(self) -> bool:
        """Whether the answer is still being written."""
        return not self._done.done()

    @property
    def unkept_characters(self) -> int:
        """How much of the text came after the last write of it."""
        return max(len(self.text) - len(self.written_text or ""), 0)

    def show(self, text: str, fit: Callable[[str], str] = str) -> None:
        """Put the newest whole text on its way; ``fit`` makes it fit to be shown, once a write is due.

        A model writes sixty pieces a second where the pump takes ten: looking through each whole text
        for links was 40 % of the work of a process with fifty answers.
        """
        self._draft = (text, fit)
        if self.first_shown_at is None:
            if not self.text:
                return  # all of it is held back as yet: a row that shows nothing would only bind the turn
            self.first_shown_at = time.time()
        self.wanted = True
        self._wake()

    async def finish(self, text: str, final: dict[str, Any], marks: list[dict[str, Any]] | None = None) -> None:
        """Write the whole text with the answer's last fields, and wait until it is in Directus.

        Returns also when a signal ended the answer before. Cancelling the wait does not take the write back.
        """
        self._text, self._draft = text, None
        self.final = final
        self.marks = marks or []
        self.wanted = True
        self._wake()
        await asyncio.shield(self._done)

    async def settled(self, timeout_s: float) -> None:
        """Wait until nothing more is to be written, ``timeout_s`` at most."""
        await asyncio.wait({self._done}, timeout=timeout_s)

    def next_row(self) -> dict[str, Any]:
        """The row as it is to be written now."""
        self.seq += 1
        row: dict[str, Any] = {"id": self.answer_id, "messageText": self.text, "seq": self.seq}
        if self.final is not None:
            row |= self.final
            if self.previous:
                row["metadata"] = row["metadata"] | {"previous": self.previous}
        return row

    def found(self, seq: int, text: str, previous: list[dict[str, Any]]) -> None:
        """Note that the row is there already, from an earlier attempt or answer."""
        self.exists = True
        self.is_taken_up = True
        self.previous = previous
        self.seq = max(self.seq, (seq or 0) + SEQ_GAP_AFTER_TAKEOVER)
        self._on_screen = len(text)
        if self.final is None and len(self.text) < len(text):
            self._text = text
        self.written_text = text

    def created(self, *, at: float) -> None:
        """Note that the row is made, still empty; ``at`` on the monotonic clock."""
        self.exists = True
        self.written_text = ""
        self.last_seen_at = at
        self.breaks = 0

    def looked_at(self, *, at: float) -> None:
        """Note that the row was read."""
        self.last_looked_at = self.last_seen_at = at

    def outrank(self, seq: int) -> None:
        """Go on behind a ``seq`` that another attempt has written."""
        if seq > self.seq:
            self.seq = seq + SEQ_GAP_AFTER_TAKEOVER

    def note_break(self) -> None:
        """Note that Directus broke at a call with this row."""
        if not self.breaks:
            self._broken_since = time.monotonic()
        self.breaks += 1

    def written(self, row: dict[str, Any], *, at: float) -> None:
        """Note what is now in Directus; the wait for the last write ends here."""
        self.exists = True
        self.written_text = row.get("messageText", "")
        self.last_seen_at = at
        self.writes += 1
        self.breaks = 0
        if "status" in row and row["status"] != "streaming" and not self._done.done():
            self.last_row = row
            self._done.set_result(None)

    def interrupt(self, signal: Signal) -> None:
        """Stop: no later write follows, and the turn's task is told why."""
        if not self._done.done():
            self._done.set_result(None)
        self._interrupt(signal)

    def close(self) -> None:
        """Write nothing more for this answer."""
        if not self._done.done():
            self._done.set_result(None)

"""The pump: the one writer of a process's answers.

It takes the newest text of every live answer stream and sends them in one array PATCH, one such
write in flight at a time, at most one each STREAM_INTERVAL_MS. Measured on SQLite and two cores,
one array PATCH carries 499 rows/s at ten rows and 864 at fifty, where single writes stop at 150 to
270; and a provider's loop never waits for Directus.

Each write holds whole texts and a growing ``seq``: Directus's events may come twice, late or out of
order. A write never says ``streaming`` of a row that exists, so it can't revive an answer that
someone cancelled; what Directus answers tells the status at no extra cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from services.errors import AccessDeniedError, ConflictError, ErleahError, ServiceRejectedError, ServiceUnavailableError
from services.logging import get_logger
from services.redis_keys import TURN_LEASE_TTL_S
from worker.answer_stream import AnswerStream
from worker.signals import LeaseLost, RowGone, Stopped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from services.directus.client import Directus
    from services.metrics import Metrics
    from worker.late_writes import LateWrites
    from worker.signals import Signal
    from worker.turn_store import Claim

__all__ = ["AnswerPump"]

log = get_logger(__name__)

MESSAGES = "messages"
STATUS_CHECK_S = 0.4
"""An answer whose model is silent is looked at this often, so that a stop is seen within a second."""
CHECK_HOLDS_S = 0.5
"""How old the answer "still ours" may be when a write is sent; leases last 3 s at least."""
MAX_BATCH_BYTES = 512 * 1024
"""Directus takes bodies of 1 MB by default (MAX_PAYLOAD_SIZE); half of it leaves room for escapes."""


class AnswerPump:
    """Writes all live answer streams of this process.

    ``still_ours`` says of many claims which still hold; an answer whose claim is lost is dropped
    before the write, not after it.
    """

    def __init__(
        self,
        directus: Directus,
        *,
        interval_s: float,
        still_ours: Callable[[Iterable[Claim]], Awaitable[dict[str, bool]]],
        metrics: Metrics,
        late_writes: LateWrites | None = None,
    ) -> None:
        self._directus = directus
        self._late_writes = late_writes
        self._interval_s = interval_s
        self._still_ours = still_ours
        self._streams: dict[str, AnswerStream] = {}
        self._metrics = metrics
        self._dirty = asyncio.Event()
        self._round = asyncio.Lock()

    def open(
        self, claim: Claim, answer_id: str, row: dict[str, Any], interrupt: Callable[[Signal], None]
    ) -> AnswerStream:
        """Start an answer stream; nothing is written until it shows something."""
        stream = AnswerStream(claim, answer_id, row, wake=self._dirty.set, interrupt=interrupt)
        self._streams[answer_id] = stream
        return stream

    def forget(self, stream: AnswerStream) -> None:
        """Let a stream go; it writes nothing more."""
        stream.close()
        if self._streams.get(stream.answer_id) is stream:
            del self._streams[stream.answer_id]

    async def at_rest(self) -> None:
        """Wait until no write is in flight: one that was sent must not arrive behind what follows."""
        async with self._round:
            pass

    async def run(self) -> None:
        """Write until cancelled. An outage of Directus is waited out with the newest texts."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(ServiceUnavailableError),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            before_sleep=lambda state: log.warning("pump.waiting", attempt=state.attempt_number),
        )
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dirty.wait(), STATUS_CHECK_S)
            started = time.monotonic()
            self._dirty.clear()
            try:
                await retrying(self.write_once)
            except Exception:  # the loop serves every answer of the process and must outlive any one
                log.exception("pump.round_failed")
            spent = time.monotonic() - started
            await asyncio.sleep(max(self._interval_s - spent, 0))

    async def write_once(self) -> None:
        """One round: create missing rows, write the newest texts, look at silent rows.

        Raises ServiceUnavailableError when Directus is away; nothing is lost, call again.
        """
        async with self._round:
            await self._write_round()

    async def _write_round(self) -> None:
        dirty = await self._ours([stream for stream in self._streams.values() if stream.is_dirty])
        checked_at = time.monotonic()
        await self._create([stream for stream in dirty if not stream.exists])
        batch = [stream for stream in dirty if stream.exists and stream.is_dirty]
        unsure = [stream for stream in batch if stream.final is not None or _not_seen_for_long(stream)]
        if unsure:
            await self._look_at(unsure)
        if time.monotonic() - checked_at > CHECK_HOLDS_S:
            batch = await self._ours([stream for stream in batch if stream.is_live])
        try:
            for part in _parts([stream for stream in batch if stream.is_live]):
                await self._write(part)
        finally:
            await self._suspect_lost(batch)
        now = time.monotonic()
        silent = [
            stream
            for stream in self._streams.values()
            if stream.exists and stream.is_live and now - stream.last_seen_at >= STATUS_CHECK_S
        ]
        if silent:
            await self._look_at(silent)

    async def _ours(self, streams: Sequence[AnswerStream]) -> list[AnswerStream]:
        if not streams:
            return []
        held = await self._still_ours([stream.claim for stream in streams])
        for stream in streams:
            if not held[stream.claim.message_id]:
                stream.interrupt(LeaseLost())
        return [stream for stream in streams if held[stream.claim.message_id]]

    async def _suspect_lost(self, streams: Sequence[AnswerStream]) -> None:
        """Name the rows that a write may have reached although another worker had the turn by then."""
        if not streams or self._late_writes is None:
            return
        held = await self._still_ours([stream.claim for stream in streams])
        for stream in streams:
            if not held[stream.claim.message_id]:
                self._late_writes.suspect(stream.claim.message_id, stream.answer_id)
                stream.interrupt(LeaseLost())

    async def _create(self, streams: Sequence[AnswerStream]) -> None:
        rows = [
            # Empty at first: its visitor subscribes to updates, and the text follows in this same round.
            stream.row | {"id": stream.answer_id, "status": "streaming", "messageText": "", "seq": 0}
            for stream in streams
        ]
        if not rows:
            return
        self._metrics.count("erleah_answer_writes")
        try:
            await self._directus.create_items(MESSAGES, rows)
        except (ServiceRejectedError, AccessDeniedError) as refusal:
            if len(streams) > 1:
                for stream in streams:
                    await self._create([stream])
                return
            await self._adopt_or_fail(streams[0], refusal)
            return
        now = time.monotonic()
        for stream, row in zip(streams, rows, strict=True):
            stream.exists = True
            stream.written_text = row["messageText"]
            stream.last_seen_at = now
        self._metrics.count("erleah_answer_rows", len(rows))

    async def _adopt_or_fail(self, stream: AnswerStream, refusal: ErleahError) -> None:
        """Go on with a row that an earlier attempt made."""
        if not isinstance(refusal, ConflictError):
            log.error("pump.create_refused", answer_id=stream.answer_id, reason=str(refusal))
            stream.fail(refusal)
            return
        found = await self._directus.read_items(
            MESSAGES,
            filter={"id": {"_eq": stream.answer_id}},
            fields=["id", "status", "seq", "messageText", "metadata"],
            limit=1,
        )
        if not found:
            # It was there when we wrote and is gone when we look: somebody deleted it.
            stream.interrupt(RowGone())
        elif found[0]["status"] == "streaming":
            previous = (found[0]["metadata"] or {}).get("previous", [])
            stream.found(found[0]["seq"], found[0]["messageText"] or "", previous)
        else:
            self._note_status(stream, found[0]["status"])

    async def _write(self, streams: Sequence[AnswerStream]) -> None:
        streams = [stream for stream in streams if stream.is_live]  # one may have been stopped during the write before
        if not streams:
            return
        rows = [stream.next_row() for stream in streams]
        marks = [mark for stream in streams if stream.final is not None for mark in stream.marks]
        self._metrics.count("erleah_answer_writes")
        try:
            written = await self._directus.update_items(MESSAGES, [*rows, *marks], fields=("id", "status"), retry=False)
        except (ServiceRejectedError, AccessDeniedError) as refusal:
            if len(streams) > 1:
                for stream in streams:
                    await self._write([stream])
            elif marks:
                # A message that was deleted meanwhile must cost neither this last write nor the others their marks.
                left = await self._still_there(marks)
                streams[0].marks = left if len(left) < len(marks) else []
                log.warning("pump.marks_dropped", answer_id=streams[0].answer_id, reason=str(refusal), left=len(left))
                await self._write(streams)
            else:
                log.warning("pump.row_refused", answer_id=streams[0].answer_id, reason=str(refusal))
                streams[0].fail(refusal)
            return
        self._metrics.count("erleah_answer_rows", len(rows))
        now = time.monotonic()
        statuses = {row["id"]: row["status"] for row in written}
        for stream, row in zip(streams, rows, strict=True):
            stream.written(row, at=now)
            if stream.is_live:
                self._note_status(stream, statuses.get(stream.answer_id, "streaming"))

    async def _still_there(self, marks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        ids = [mark["id"] for mark in marks]
        found = await self._directus.read_items(MESSAGES, filter={"id": {"_in": ids}}, fields=["id"], limit=len(ids))
        there = {row["id"] for row in found}
        return [mark for mark in marks if mark["id"] in there]

    async def _look_at(self, streams: Sequence[AnswerStream]) -> None:
        """Read the rows' statuses, and stop the streams that somebody ended."""
        found = await self._directus.read_items(
            MESSAGES,
            filter={"id": {"_in": [stream.answer_id for stream in streams]}},
            fields=["id", "status"],
            limit=len(streams),
        )
        statuses = {row["id"]: row["status"] for row in found}
        now = time.monotonic()
        for stream in streams:
            stream.last_seen_at = now
            self._note_status(stream, statuses.get(stream.answer_id))

    def _note_status(self, stream: AnswerStream, status: str | None) -> None:
        if status == "cancelled":
            stream.interrupt(Stopped())
        elif status != "streaming":
            stream.interrupt(RowGone())


def _not_seen_for_long(stream: AnswerStream) -> bool:
    """Whether this process has stood still, maybe for longer than anybody remembers who had the turn since."""
    return time.monotonic() - stream.last_seen_at > TURN_LEASE_TTL_S


def _parts(streams: Sequence[AnswerStream]) -> list[list[AnswerStream]]:
    """Cut a round into writes that Directus takes."""
    parts: list[list[AnswerStream]] = []
    room = 0
    for stream in streams:
        size = len(stream.text.encode()) + 1024
        if not parts or size > room:
            parts.append([])
            room = MAX_BATCH_BYTES
        parts[-1].append(stream)
        room -= size
    return parts

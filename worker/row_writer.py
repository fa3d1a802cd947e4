"""The answers' rows in Directus: created and written many in one call, and looked at.

A call stands or falls as a whole, so one row that Directus refuses, or breaks at (status 500), would
keep all other answers of the process from being written. Then each is written alone, and the row to
blame is given up: its turn is told, the others go on.

A write of which nobody heard whether it was done may be done later yet, behind those that followed it.
Which answers have had one is remembered here; ``worker/late_writes.py`` looks after their rows.
"""

from __future__ import annotations

import contextlib
import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from services.directus_names import MESSAGES
from services.errors import AccessDeniedError, ConflictError, ServiceRejectedError, ServiceUnavailableError
from services.logging import get_logger
from worker.array_write import CALL_IS_OVER, ArrayWrite
from worker.signals import LeaseLost, Refused, RowGone, Stopped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from services.directus.client import Directus, Row
    from services.metrics import Metrics
    from worker.answer_stream import AnswerStream

__all__ = ["RowWriter", "blame"]

log = get_logger(__name__)

MAX_BATCH_BYTES = 512 * 1024
"""Directus takes bodies of 1 MB by default (MAX_PAYLOAD_SIZE); half of it leaves room for escapes."""
ROW_BYTES = 1024
"""Of a row beside its text and its last fields: ids, marks of other messages."""
BREAKS_TOGETHER = 2
"""So many calls may break with status 500 before rows are written one by one: most such faults pass by themselves."""
BREAKS_ALONE_S = 75.0
"""Where Directus breaks at every row, none is to blame and its return is waited for: longer than the outages that
turns outlast (60 s), and shorter than a job may take, which would only begin the same again."""
_AWAY = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)
_REFUSALS = (AccessDeniedError, ServiceRejectedError)

if TYPE_CHECKING:
    Call = Callable[[Sequence[AnswerStream]], Awaitable[None]]
    Broken = dict[AnswerStream, ServiceUnavailableError]


class RowWriter:
    """Creates, writes and looks at the rows of answer streams.

    All calls raise ServiceUnavailableError while Directus is away; nothing is lost, call again. The
    streams whose calls it broke at are returned, for ``blame``.
    """

    def __init__(self, directus: Directus, metrics: Metrics) -> None:
        self._directus = directus
        self._metrics = metrics
        self._array = ArrayWrite(directus)
        self._unheard: WeakKeyDictionary[AnswerStream, dict[int, Row]] = WeakKeyDictionary()
        """By ``seq``."""

    def unheard(self, stream: AnswerStream) -> Row | None:
        """The newest of a stream's writes of which nobody heard whether it was done: it may come behind later ones."""
        rows = self._unheard.get(stream)
        return rows[max(rows)] if rows else None

    async def create(self, streams: Sequence[AnswerStream]) -> Broken:
        """Make the rows; one that an earlier attempt made is gone on with."""
        return await self._together(streams, self._create)

    async def write(self, streams: Sequence[AnswerStream]) -> Broken:
        """Write the newest texts."""
        broken: Broken = {}
        for part in _parts(streams):
            broken |= await self._together(part, self._write)
        return broken

    async def look_at(self, streams: Sequence[AnswerStream]) -> None:
        """Read how the rows stand, and stop the streams that somebody ended or took."""
        try:
            found = await self._directus.read_items(
                MESSAGES,
                filter={"id": {"_in": [stream.answer_id for stream in streams]}},
                fields=["id", "status", "seq"],
                limit=len(streams),
            )
        except _REFUSALS as refusal:
            for stream in streams:
                _give_up(stream, refusal)
            return
        rows = {row["id"]: row for row in found}
        now = time.monotonic()
        for stream in streams:
            stream.looked_at(at=now)
            row = rows.get(stream.answer_id)
            sent = self._unheard.get(stream, {})
            if row is None:
                stream.interrupt(RowGone())
            elif row["seq"] in sent and sent[max(sent)].get("status") == row["status"]:
                # A try of the last write was done, unheard (and maybe a text behind it): nobody else has ended this.
                stream.written(sent[max(sent)], at=now)
            else:
                _note(stream, row["status"], row["seq"] or 0)

    async def _together(self, streams: Sequence[AnswerStream], call: Call) -> Broken:
        """Make one call for all; one for each if Directus refuses it, or breaks at it again and again."""
        streams = [stream for stream in streams if stream.is_live]  # one may have been stopped during the call before
        if not streams:
            return {}
        try:
            await call(streams)
        except _REFUSALS as refusal:
            if len(streams) == 1:
                return await self._refused(streams[0], refusal)
        except ServiceUnavailableError as outage:
            if not _is_break(outage):
                raise
            waiting = await self._after_break(streams, outage)
            if waiting is not None:
                return waiting
        else:
            return {}
        broken: Broken = {}
        for stream in streams:
            broken |= await self._together([stream], call)
        return broken

    async def _after_break(self, streams: Sequence[AnswerStream], outage: ServiceUnavailableError) -> Broken | None:
        """What has to wait for the next try; None where each row is to be tried alone now."""
        for stream in streams:
            stream.note_break()
        breaks = max(stream.breaks for stream in streams)
        last = streams[-1]
        if len(streams) == 1 and last.exists and last.marks and breaks >= BREAKS_TOGETHER:
            return await self._without_marks(last, outage)
        return dict.fromkeys(streams, outage) if len(streams) == 1 or breaks < BREAKS_TOGETHER else None

    async def _create(self, streams: Sequence[AnswerStream]) -> None:
        rows = [
            # Empty at first: its visitor subscribes to updates, and the text follows in this same round.
            stream.row | {"id": stream.answer_id, "status": "streaming", "messageText": "", "seq": 0}
            for stream in streams
        ]
        self._metrics.count("erleah_answer_writes")
        sent_at = time.monotonic()  # from then on somebody may have stopped it
        await self._directus.create_items(MESSAGES, rows, retry=False)
        for stream in streams:
            stream.created(at=sent_at)
        self._metrics.count("erleah_answer_rows", len(rows))

    async def _write(self, streams: Sequence[AnswerStream]) -> None:
        sent = {stream: stream.next_row() for stream in streams}
        marks = [mark for stream in streams if stream.final is not None for mark in stream.marks]
        self._metrics.count("erleah_answer_writes")
        with self._listening(sent):
            statuses = await self._array.write([*sent.values(), *marks])
        self._metrics.count("erleah_answer_rows", len(sent))
        now = time.monotonic()
        for stream, row in sent.items():
            stream.written(row, at=now)
            if stream.is_live:
                _note(stream, statuses.get(stream.answer_id, "streaming"), stream.seq)

    @contextlib.contextmanager
    def _listening(self, sent: Mapping[AnswerStream, Row]) -> Iterator[None]:
        """Remember what was sent if nobody says what became of it."""
        try:
            yield
        except ServiceUnavailableError as outage:
            if outage.status not in CALL_IS_OVER:
                for stream, row in sent.items():
                    self._unheard.setdefault(stream, {})[row["seq"]] = row
            raise

    async def _refused(self, stream: AnswerStream, refusal: Exception) -> Broken:
        """Find out what the refusal of one row alone means, and act on it."""
        if isinstance(refusal, ConflictError) and not stream.exists:
            await self._adopt(stream)
        elif stream.exists and stream.final is not None and stream.marks:
            # A message that was deleted meanwhile must cost neither this last write nor the others their marks.
            marks = stream.marks
            left = await self._still_there([mark["id"] for mark in marks])
            stream.marks = [mark for mark in marks if mark["id"] in left] if len(left) < len(marks) else []
            log.warning("pump.marks_dropped", **_ids(stream), reason=str(refusal), left=len(stream.marks))
            return await self._together([stream], self._write)
        else:
            # Directus says FORBIDDEN of a row that isn't there as of one that may not be written.
            wanted = {stream.claim.message_id, *({stream.answer_id} if stream.exists else ())}
            if wanted <= await self._still_there(wanted):
                _give_up(stream, refusal)
            else:
                stream.interrupt(RowGone())
        return {}

    async def _without_marks(self, stream: AnswerStream, outage: ServiceUnavailableError) -> Broken:
        """Write the last row alone: where it is a mark that Directus breaks at, the answer is whole all the same.

        A Flow of somebody's own on user messages does that. The sweep makes the marks, at no model's cost; where
        Directus breaks at the row too, they go with the next try.
        """
        marks, stream.marks = stream.marks, []
        broken = await self._together([stream], self._write)
        if broken:
            stream.marks = marks
        else:
            log.warning("pump.marks_put_off", **_ids(stream), reason=str(outage))
        return broken

    async def _adopt(self, stream: AnswerStream) -> None:
        """Go on with a row that an earlier attempt made."""
        found = await self._directus.read_items(
            MESSAGES,
            filter={"id": {"_eq": stream.answer_id}},
            fields=["id", "status", "seq", "messageText", "metadata"],
            limit=1,
        )
        if not found:
            # It was there when we wrote and is gone when we look: somebody deleted it.
            stream.interrupt(RowGone())
        elif found[0]["status"] != "streaming":
            stream.interrupt(Stopped() if found[0]["status"] == "cancelled" else RowGone())
        elif found[0]["seq"] and not stream.is_confirmed:
            # While Redis is silent nobody can say whether that is an earlier attempt's row or a later one's.
            stream.interrupt(LeaseLost())
        else:
            previous = (found[0]["metadata"] or {}).get("previous", [])
            stream.found(found[0]["seq"], found[0]["messageText"] or "", previous)

    async def _still_there(self, ids: Sequence[str] | set[str]) -> set[str]:
        """Which of these messages there are; all of them when Directus won't say."""
        try:
            found = await self._directus.read_by_ids(MESSAGES, ids, fields=["id"])
        except _REFUSALS:
            return set(ids)
        return {row["id"] for row in found}


def blame(broken: Broken, *, takes_others: bool) -> None:
    """Give up the rows at which Directus broke alone, if it took others meanwhile; raise what is left to wait for."""
    for stream, outage in broken.items():
        if (takes_others and stream.breaks > BREAKS_TOGETHER) or stream.broken_for_s > BREAKS_ALONE_S:
            _give_up(stream, outage)
    for stream, outage in broken.items():
        if stream.is_live:
            raise outage


def _note(stream: AnswerStream, status: str | None, seq: int) -> None:
    """Stop a stream whose row was ended, or is being written, by somebody else; ``seq`` is the row's."""
    if status == "cancelled":
        stream.interrupt(Stopped())
    elif stream.is_confirmed and (status == "streaming" or (status == "completed" and stream.claim.attempt > 1)):
        # Whatever an attempt before this one still writes, also that it has completed: the last word is ours.
        stream.outrank(seq)
    elif seq > stream.seq:
        stream.interrupt(LeaseLost())
    elif status != "streaming":
        stream.interrupt(RowGone())


def _give_up(stream: AnswerStream, refusal: Exception) -> None:
    log.warning("pump.row_refused", **_ids(stream), reason=str(refusal))
    stream.interrupt(Refused(str(refusal)))


def _ids(stream: AnswerStream) -> dict[str, Any]:
    """What ties a log line to its turn: the pump is a task of the process, not of the turn."""
    return {"trace_id": stream.trace_id, "answer_id": stream.answer_id}


def _is_break(outage: ServiceUnavailableError) -> bool:
    """Whether Directus is there and failed at this very call."""
    return outage.status is not None and outage.status not in _AWAY


def _parts(streams: Sequence[AnswerStream]) -> list[list[AnswerStream]]:
    """Cut a round into writes that Directus takes."""
    parts: list[list[AnswerStream]] = []
    room = 0
    for stream in streams:
        size = len(stream.text.encode()) + ROW_BYTES + (len(json.dumps(stream.final)) if stream.final else 0)
        if not parts or size > room:
            parts.append([])
            room = MAX_BATCH_BYTES
        parts[-1].append(stream)
        room -= size
    return parts

"""The pump: the one writer of a process's answers.

It takes the newest text of every live answer stream and sends them in one call, one such
write in flight at a time, at most one each STREAM_INTERVAL_MS. Measured on SQLite and two cores,
one array PATCH carries 499 rows/s at ten rows and 864 at fifty, where single writes stop at 150 to
270, and ``RowWriter`` has a way that carries twice that; and a provider's loop never waits for Directus.

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

from services.errors import ServiceUnavailableError
from services.logging import get_logger
from services.redis_keys import TURN_LEASE_TTL_S
from worker.answer_stream import AnswerStream
from worker.row_writer import RowWriter, blame
from worker.signals import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from services.directus.client import Directus
    from services.metrics import Metrics
    from services.turn_leases import Claim
    from worker.late_writes import LateWrites
    from worker.signals import Signal

__all__ = ["AnswerPump"]

log = get_logger(__name__)

STATUS_CHECK_S = 0.4
"""An answer whose model is silent is looked at this often, so that a stop is seen within a second."""
CHECK_HOLDS_S = 0.5
"""How old the answer "still ours" may be when a write is sent; a turn's lease lasts 5 s, renewed each second."""
JUST_MADE_S = 0.02
"""A row made so recently is not looked at before its last write: a look's own answer is as old by then."""


class AnswerPump:
    """Writes all live answer streams of this process.

    ``still_ours`` says of many claims which still hold (None: nobody can tell, Redis is silent); an
    answer whose claim is lost is dropped before the write, not after it.
    """

    def __init__(
        self,
        directus: Directus,
        *,
        interval_s: float,
        still_ours: Callable[[Iterable[Claim]], Awaitable[dict[str, bool | None]]],
        metrics: Metrics,
        late_writes: LateWrites | None = None,
    ) -> None:
        self._rows = RowWriter(directus, metrics)
        self._late_writes = late_writes
        self._interval_s = interval_s
        self._still_ours = still_ours
        self._streams: dict[str, AnswerStream] = {}
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
        if stream.was_unconfirmed or self.unheard(stream) is not None:
            self._suspect(stream)
        if self._streams.get(stream.answer_id) is stream:
            del self._streams[stream.answer_id]

    def unheard(self, stream: AnswerStream) -> dict[str, Any] | None:
        """The stream's newest write of which nobody heard whether it was done, if there was one: it may come late."""
        return self._rows.unheard(stream)

    async def at_rest(self) -> None:
        """Wait until no write is waited for: one that was sent must not arrive behind what follows."""
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
                # Not wait_for: until Python 3.12 it may swallow a cancellation, and a stopping worker would never end.
                async with asyncio.timeout(STATUS_CHECK_S):
                    await self._dirty.wait()
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
        broken = await self._rows.create([stream for stream in dirty if not stream.exists])
        batch = [stream for stream in dirty if stream.exists and stream.is_dirty]
        unsure = [stream for stream in batch if _is_unsure(stream)]
        if unsure:
            await self._rows.look_at(unsure)
        if time.monotonic() - checked_at > CHECK_HOLDS_S:
            batch = await self._ours([stream for stream in batch if stream.is_live])
        try:
            broken |= await self._rows.write([stream for stream in batch if stream.is_live])
        finally:
            await self._confirm(batch)
        await self._look_at_silent()
        blame(broken, takes_others=any(stream not in broken for stream in dirty))

    async def _look_at_silent(self) -> None:
        now = time.monotonic()
        silent = await self._ours(
            [
                stream
                for stream in self._streams.values()
                if stream.exists and stream.is_live and now - stream.last_seen_at >= STATUS_CHECK_S
            ]
        )
        if silent:
            await self._rows.look_at(silent)

    async def _ours(self, streams: Sequence[AnswerStream]) -> list[AnswerStream]:
        """Those that may be written: all but those that another worker has."""
        if not streams:
            return []
        held = await self._still_ours([stream.claim for stream in streams])
        for stream in streams:
            ours = held[stream.claim.message_id]
            stream.is_confirmed = ours is True
            if ours:
                stream.was_unconfirmed = False
            elif ours is False:
                stream.interrupt(LeaseLost())
        return [stream for stream in streams if held[stream.claim.message_id] is not False]

    async def _confirm(self, streams: Sequence[AnswerStream]) -> None:
        """Name the rows that a write may have reached although another worker had the turn by then."""
        ours = await self._ours(streams)
        for stream in streams:
            if stream not in ours:
                self._suspect(stream)
            elif not stream.is_confirmed:
                stream.was_unconfirmed = True

    def _suspect(self, stream: AnswerStream) -> None:
        if self._late_writes is not None:
            is_unheard = self.unheard(stream) is not None
            self._late_writes.suspect(
                stream.claim.message_id,
                stream.answer_id,
                is_unheard=is_unheard,
                # Redis may have been silent when the turn ended.
                last_row=stream.last_row if is_unheard else None,
            )


def _is_unsure(stream: AnswerStream) -> bool:
    """Whether the row is to be looked at before it is written, since another may have ended or taken it.

    This process may have stood still, maybe for longer than anybody remembers who had the turn since. Or
    Redis is silent, maybe to this process alone: then what stands in the row says who else is at it.
    """
    now = time.monotonic()
    unseen_for = now - stream.last_seen_at
    is_just_made = not stream.writes and unseen_for <= JUST_MADE_S
    cut_off = not stream.is_confirmed and now - stream.last_looked_at >= STATUS_CHECK_S
    return (stream.final is not None and not is_just_made) or cut_off or unseen_for > TURN_LEASE_TTL_S

"""Late writes: what comes to Directus behind the write that was to be an answer's last, and how it is put right.

Directus has no conditional write, so between the check "is it still ours?" and the arrival of the write a process
may be paused for seconds (SIGSTOP, a virtual machine that is moved) or its request be held on its way; meanwhile
another worker takes the turn up and ends it. The write then puts a part of an old text over the whole answer. On a
visitor's screen it changes nothing (he keeps the highest ``seq``), in the row it would stand for good.

So does a worker's own write of which it never heard what became of it (a time-out, a connection that broke): it is
sent again with what is newest, while Directus, or a proxy before it, may still be at the old one.

And so does a turn's last write that comes when the answer has been opened anew: question and answer would count as
done, and nobody would write the new one. And a creation that comes when another answer covers the question: it has no
answer of its own.

So a worker asks again *after* each write, and who finds that the turn was taken, like who has taken one up or waited
for a write in vain, names the row here. How it has to stand is kept in Redis (``services/watched_rows.py``): by the
turn's winner, as he wrote it last, or by the receiver, as it opened it. The row is compared with that until it has
stood still; where the process that watches it ends, another goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.answer_ids import answer_id_of
from services.directus_names import MESSAGES
from services.errors import ErleahError, ServiceUnavailableError
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.directus.client import Directus, Row
    from services.metrics import Metrics
    from services.watched_rows import WatchedRows

__all__ = ["LateWrites"]

log = get_logger(__name__)

LOOK_S = 0.25
STILL_FOR_S = 5.0
"""A request that was held on its way arrives within this, or Directus's client has given it up: so long looks who has
lost a turn and heard of all his writes."""
UNHEARD_STILL_FOR_S = 60.0
"""Directus goes on with a request whose client has given up: for as long as it waits for a connection to its database,
say (60 s, knex's ``acquireConnectionTimeout``), and proxies hold one as long (nginx's ``proxy_read_timeout``). So long
looks who has given one up, and who has ended a turn that others began: of theirs he knows nothing."""
WATCHED_FOR_S = 300.0
"""Longer than a turn that was taken up may take to its end."""
TEND_S = 1.5
"""Between two words to Redis that this process is at its rows, and two looks for rows whose process is silent (5 s)."""
HAND_OVER_S = 1.0
"""A process that ends does not wait longer for Redis to take its rows: they are adopted all the same, seconds later."""


@dataclass(slots=True)
class _Suspect:
    """A row that a late write may have hit; times on the monotonic clock."""

    message_id: str
    answer_id: str
    still_for_s: float
    last_row: Row | None
    since: float = field(default_factory=time.monotonic)
    still_since: float | None = None
    expected_seq: int | None = None
    """Of the answer's row as it had to stand when it was looked at last."""
    tended_until: float | None = None
    """Until when Redis was told last that this process is at it (Unix s)."""
    is_noted: bool = False
    """Whether Redis has its last row, where this process alone knew it."""


class LateWrites:
    """Rows that may have been hit, until they are known to be right.

    ``at_most`` is how many it looks after at once: as many as the process may have turns, for all of them stand
    still together.
    """

    def __init__(self, directus: Directus, watched: WatchedRows, metrics: Metrics, *, at_most: int) -> None:
        self._at_most = at_most
        self._directus = directus
        self._watched = watched
        self._metrics = metrics
        self._suspects: dict[str, _Suspect] = {}
        self._named = asyncio.Event()
        self._untended = asyncio.Event()

    def __len__(self) -> int:
        return len(self._suspects)

    def suspect(
        self, message_id: str, answer_id: str, *, is_unheard: bool = False, last_row: Row | None = None
    ) -> None:
        """Look after this answer's row until it holds its turn's last write and stands still.

        ``is_unheard`` says that a write was given up unheard: what may come late of it takes longer;
        ``last_row`` is the turn's last write as far as this process knows, for where Redis has none.
        """
        known = self._suspects.get(answer_id)
        if known is None and len(self._suspects) >= self._at_most:
            log.warning("late_write.not_looked_after", answer_id=answer_id, at_most=self._at_most)
            return
        still_for_s = UNHEARD_STILL_FOR_S if is_unheard else STILL_FOR_S
        if known is not None:
            still_for_s = max(still_for_s, known.still_for_s)
            last_row = last_row or known.last_row
        self._suspects[answer_id] = _Suspect(message_id, answer_id, still_for_s, last_row)
        self._named.set()
        self._untended.set()

    async def keep(self) -> None:
        """Tend the rows in Redis, and adopt those of processes that are gone; cancelled, hand all over."""
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TEND_S):
                        await self._untended.wait()
                self._untended.clear()
                try:
                    await self._keep_once()
                except ServiceUnavailableError:
                    pass  # said by whoever needs Redis more; the rows are looked after all the same
                except Exception:  # an upkeep loop fails alone and goes on
                    log.exception("late_write.not_kept", rows=len(self._suspects))
        finally:
            with contextlib.suppress(ServiceUnavailableError, TimeoutError):
                async with asyncio.timeout(HAND_OVER_S):
                    await self._watched.hand_over(self._message_ids())

    async def _keep_once(self) -> None:
        for each in list(self._suspects.values()):
            if each.last_row is not None and not each.is_noted:
                await self._watched.expect_also(each.message_id, [each.last_row])
                each.is_noted = True
        tended = list(self._suspects.values())
        until = await self._watched.tend(each.message_id for each in tended)
        for each in tended:
            each.tended_until = until
        adopted = await self._watched.adopt(self._at_most - len(self._suspects))
        for message_id in adopted:
            # What its process knew of writes it had given up went with it: the longer watch.
            self.suspect(message_id, answer_id_of(message_id), is_unheard=True)
        if adopted:
            log.info("late_write.adopted", rows=len(adopted))

    def _message_ids(self) -> list[str]:
        return [each.message_id for each in self._suspects.values()]

    async def run(self) -> None:
        """Look after rows until cancelled; an outage is waited out."""
        while True:
            await self._named.wait()
            await asyncio.sleep(LOOK_S)
            looked_at = list(self._suspects.values())
            try:
                over = await self._look_at(looked_at)
            except ServiceUnavailableError:
                over = []
            except ErleahError as error:
                log.warning("late_write.not_looked_at", rows=len(looked_at), reason=str(error))
                over = looked_at
            except Exception:  # an upkeep loop fails alone and goes on
                log.exception("late_write.failed", rows=len(looked_at))
                over = looked_at
            over += [each for each in looked_at if time.monotonic() - each.since > WATCHED_FOR_S]
            await self._let_go(over)
            if not self._suspects:
                self._named.clear()

    async def _let_go(self, over: Sequence[_Suspect]) -> None:
        """Watch them no more, here and elsewhere, but for those that were named anew meanwhile."""
        ended = {each.answer_id: each for each in over if self._suspects.get(each.answer_id) is each}
        for answer_id in ended:
            del self._suspects[answer_id]
        with contextlib.suppress(ServiceUnavailableError):  # then somebody watches them once more, in vain
            await self._watched.let_go(
                {each.message_id: each.tended_until for each in ended.values() if each.tended_until is not None}
            )

    async def _look_at(self, suspects: Sequence[_Suspect]) -> list[_Suspect]:
        """Compare the rows with what they have to be and mend them; those of which no more is to be expected.

        One read for all: after an outage there may be one for each turn of the process.
        """
        expected = await self._watched.expected([each.message_id for each in suspects])
        for each in suspects:
            if each.message_id not in expected and each.last_row is not None:
                expected[each.message_id] = [each.last_row]
        # Of the others nothing is known yet: whoever has the turn is still at it, and writes over what came late.
        known = [each for each in suspects if each.message_id in expected]
        if not known:
            return []
        covered = [each.message_id for each in known if not expected[each.message_id]]
        ids = [*(each.answer_id for each in known), *covered]
        found = await self._directus.read_by_ids(MESSAGES, ids, fields=["id", "status", "seq"])
        rows = {row["id"]: row for row in found}
        return [each for each in known if await self._is_over(each, rows, expected[each.message_id])]

    async def _is_over(self, each: _Suspect, rows: Mapping[str, Row], expected: list[Row]) -> bool:
        """Mend the rows if an older write stands in the answer's; whether nothing more is to be expected."""
        row = rows.get(each.answer_id)
        if expected:
            if row is None or _is_wanted(row, expected[0]):
                return True
            is_hit = _is_older(row, expected[0])
            if each.expected_seq != expected[0]["seq"]:  # another turn has ended, or begun, since
                each.expected_seq, each.still_since = expected[0]["seq"], None
        else:
            question = rows.get(each.message_id)
            if question is None or question["status"] == "answered":
                return True  # deleted, or answered by itself after all
            if question["status"] != "superseded":
                return False
            is_hit = row is not None and row["status"] == "streaming"
        now = time.monotonic()
        if is_hit:
            try:
                await self._mend(each, expected)
            except ServiceUnavailableError:
                return False
            except ErleahError as error:
                log.warning("late_write.not_mended", answer_id=each.answer_id, reason=str(error))
                return True
            each.still_since = None
        if each.still_since is None:
            each.still_since = now
        return now - each.still_since > each.still_for_s

    async def _mend(self, each: _Suspect, expected: list[Row]) -> None:
        """Write the rows as they have to stand, or delete the answer where there is to be none."""
        trace_id = None  # this is a task of the process, not of the turn
        if expected:
            answer, *others = expected
            if answer["status"] == "cancelled":
                answer = await self._with_what_was_seen(answer)
            await self._directus.update_items(MESSAGES, [answer, *others], retry=True)
            trace_id = expected[0]["metadata"].get("trace_id")
        else:
            await self._directus.delete_items(MESSAGES, [each.answer_id])
        self._metrics.count("erleah_late_writes_mended")
        log.warning("late_write.mended", trace_id=trace_id, answer_id=each.answer_id)

    async def _with_what_was_seen(self, stopped: Row) -> Row:
        """A stopped answer with the row's own text where that goes on behind ours.

        A stop leaves the text alone, and who wrote this one may have read it before the last of it was there.
        """
        for row in await self._directus.read_by_ids(MESSAGES, [stopped["id"]], fields=["id", "messageText"]):
            text = row["messageText"] or ""
            if text.startswith(stopped.get("messageText", "")):
                return stopped | {"messageText": text}
        return stopped


def _is_older(row: Row, last: Row) -> bool:
    return bool((row["seq"] or 0) < last["seq"])


def _is_wanted(row: Row, last: Row) -> bool:
    """Whether somebody has stopped the answer since, or asked for it anew.

    A stop of what was completed is none: where the ``seq`` is older too, it is a turn's before, done late.
    """
    if row["status"] == "cancelled" and last["status"] == "completed" and _is_older(row, last):
        return False
    return row["status"] not in {"completed", "failed", last["status"]}

"""Late writes: what a worker that stood still sent when its turn was another's already, and how it is put right.

Directus has no conditional write, so between the check "is it still ours?" and the arrival of the write a process
may be paused for seconds (SIGSTOP, a virtual machine that is moved) or its request be held on its way; meanwhile
another worker takes the turn up and ends it. The write then puts a part of an old text over the whole answer. On a
visitor's screen it changes nothing (he keeps the highest ``seq``), in the row it would stand for good.

So a worker asks again *after* each write, and who finds that the turn was taken, like who has taken one up, names the
row here. Its last write is kept in Redis by the turn's winner; the row is compared with it until it has stood still.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.errors import ErleahError, ServiceUnavailableError
from services.logging import get_logger

if TYPE_CHECKING:
    from services.directus.client import Directus
    from services.metrics import Metrics
    from worker.turn_store import TurnStore

__all__ = ["LateWrites"]

log = get_logger(__name__)

LOOK_S = 0.25
STILL_FOR_S = 5.0
"""A request that was held on its way arrives within this, or Directus's client has given it up."""
WATCHED_FOR_S = 300.0
"""Longer than a turn that was taken up may take to its end."""
_ENDED = frozenset({"completed", "failed"})


@dataclass(slots=True)
class _Suspect:
    """A row that a late write may have hit; times on the monotonic clock."""

    message_id: str
    answer_id: str
    since: float = field(default_factory=time.monotonic)
    still_since: float | None = None


class LateWrites:
    """Rows that may have been hit, until they are known to be right.

    ``at_most`` is how many it looks after at once: as many as the process may have turns, for all of them stand
    still together.
    """

    def __init__(self, directus: Directus, turns: TurnStore, metrics: Metrics, *, at_most: int) -> None:
        self._at_most = at_most
        self._directus = directus
        self._turns = turns
        self._metrics = metrics
        self._suspects: dict[str, _Suspect] = {}
        self._named = asyncio.Event()

    def __len__(self) -> int:
        return len(self._suspects)

    def suspect(self, message_id: str, answer_id: str) -> None:
        """Look after this answer's row until it holds its turn's last write and stands still."""
        if len(self._suspects) >= self._at_most and answer_id not in self._suspects:
            log.warning("late_write.not_looked_after", answer_id=answer_id, at_most=self._at_most)
            return
        self._suspects[answer_id] = _Suspect(message_id, answer_id)
        self._named.set()

    async def run(self) -> None:
        """Look after rows until cancelled; an outage is waited out."""
        while True:
            await self._named.wait()
            await asyncio.sleep(LOOK_S)
            for each in list(self._suspects.values()):
                try:
                    is_over = await self._look_at(each)
                except ServiceUnavailableError:
                    is_over = False
                except ErleahError as error:
                    log.warning("late_write.not_mended", answer_id=each.answer_id, reason=str(error))
                    is_over = True
                except Exception:  # an upkeep loop fails alone and goes on
                    log.exception("late_write.failed", answer_id=each.answer_id)
                    is_over = True
                if (is_over or time.monotonic() - each.since > WATCHED_FOR_S) and self._suspects.get(
                    each.answer_id
                ) is each:
                    del self._suspects[each.answer_id]
            if not self._suspects:
                self._named.clear()

    async def _look_at(self, each: _Suspect) -> bool:
        """Compare the row with its turn's last write and mend it; whether nothing more is to be expected."""
        last = await self._turns.last_row(each.message_id)
        if last is None:  # whoever has the turn is still at it, and writes over what came late
            return False
        found = await self._directus.read_items(
            "messages", filter={"id": {"_eq": each.answer_id}}, fields=["id", "status", "seq"], limit=1
        )
        if not found or found[0]["status"] not in _ENDED:
            return True  # deleted, stopped or asked for anew since: then that is what somebody wanted
        now = time.monotonic()
        if (found[0]["seq"] or 0) < last["seq"]:
            await self._restore(last)
            each.still_since = None
        if each.still_since is None:
            each.still_since = now
        return now - each.still_since > STILL_FOR_S

    async def _restore(self, last: dict[str, Any]) -> None:
        await self._directus.update_items("messages", [last], retry=True)
        self._metrics.count("erleah_late_writes_mended")
        trace_id = last["metadata"]["trace_id"]  # this is a task of the process, not of the turn
        log.warning("late_write.mended", trace_id=trace_id, answer_id=last["id"], seq=last["seq"])

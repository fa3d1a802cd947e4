"""Many rows of answers written in one call, and what Directus says of their status.

They go through a Flow (``provision/answers_flow.py``), which costs Directus less than half of what a PATCH of them
does. Where the Flow is missing, fails, finds a row missing, or answers what nobody can read, a PATCH follows and
decides; where it is silent, the next try is a PATCH.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from services.directus_names import ANSWERS_FLOW_ID, MESSAGES
from services.errors import AccessDeniedError, ServiceRejectedError, ServiceUnavailableError
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.directus.client import Directus, Row

__all__ = ["CALL_IS_OVER", "ArrayWrite"]

log = get_logger(__name__)

FLOW_FROM_ROWS = 5
"""For fewer rows the Flow's script is more work than the look-ups it spares."""
FLOW_PAUSE_S = 60.0
"""How long nothing goes through a Flow that failed where a PATCH did not; a bootstrap may have made it since."""
FLOW_SILENCES = 2
"""So often in a row the Flow may leave a call unanswered, where a PATCH is answered: an outage does it once."""

CALL_IS_OVER = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE}
)
"""With these Directus itself says that the call is over. Every other outage, a time-out, a connection that broke or a
proxy's word, leaves open whether it is still at it."""


class ArrayWrite:
    """Writes rows of answers together, through the Flow or by a PATCH."""

    def __init__(self, directus: Directus) -> None:
        self._directus = directus
        self._paused_until = 0.0
        self._silences = 0
        self._fell_silent = False

    async def write(self, rows: Sequence[Row]) -> dict[str, str | None]:
        """Write rows, and say by id what status they have now: all of them, or a PATCH refuses.

        Raises ServiceUnavailableError while Directus is away, and what it refuses a PATCH with.
        """
        flow_failed = None
        if len(rows) >= FLOW_FROM_ROWS and not self._fell_silent and time.monotonic() >= self._paused_until:
            try:
                statuses = _statuses(await self._directus.run_flow(ANSWERS_FLOW_ID, rows))
            except (AccessDeniedError, ServiceRejectedError) as refusal:
                flow_failed = str(refusal)
            except ServiceUnavailableError as outage:
                if outage.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                    self._fell_silent = outage.status not in CALL_IS_OVER
                    raise
                flow_failed = str(outage)
            else:
                self._silences = 0
                if statuses is not None and statuses.keys() >= {row["id"] for row in rows}:
                    return statuses
                flow_failed = "it answers what nobody can read" if statuses is None else "it left rows out"
        patched = await self._directus.update_items(MESSAGES, rows, fields=("id", "status"), retry=False)
        if self._fell_silent:
            self._fell_silent = False
            self._silences += 1
            if self._silences >= FLOW_SILENCES:
                flow_failed = f"it did not answer, {self._silences} times in a row"
        if flow_failed is not None:
            # The PATCH took the same rows, so none of them was to blame.
            self._paused_until = time.monotonic() + FLOW_PAUSE_S
            log.info("pump.flow_paused", reason=flow_failed, for_s=FLOW_PAUSE_S)
        return _statuses(patched) or {}


def _statuses(written: object) -> dict[str, str | None] | None:
    """By id, what the rows of an answer say of their status; None where it is no list of such rows.

    A Flow can be changed by whoever administers Directus, and what it answers with it.
    """
    if not isinstance(written, list):
        return None
    statuses: dict[str, str | None] = {}
    for row in written:
        match row:
            case {"id": str(row_id), "status": str() | None as status}:
                statuses[row_id] = status
            case _:
                return None
    return statuses

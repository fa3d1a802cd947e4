"""Found rows as they are now: the index is a copy, and a change that no hook reported is not in it.

So what a search found is read once more in Directus, all in one request, before an answer names it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from search.query import EntityType
from services.directus_names import EXHIBITORS, SESSIONS, SESSIONS_SPEAKERS_SESSION, SPEAKERS
from services.errors import ErleahError
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assistants.conference.tools.entity_search import SearchArguments
    from assistants.interface import Toolbox
    from search.query import TimeRange

__all__ = ["as_they_are_now", "fits"]

log = get_logger(__name__)

PATIENCE_S = 0.25
"""Directus 12 on SQLite answers in 5 to 8 ms (p95 20 ms), and 50 such reads at once within 0.36 s. One that takes
longer is busy, and the index is right nearly always."""

_LINK = f"sessions.{SESSIONS_SPEAKERS_SESSION}"
_READ: dict[EntityType, tuple[str, tuple[str, ...]]] = {
    EntityType.SESSIONS: (SESSIONS, ("id", "title", "start_time", "end_time", "room")),
    EntityType.EXHIBITORS: (EXHIBITORS, ("id", "name", "booth_number")),
    EntityType.SPEAKERS: (
        SPEAKERS,
        (
            "id",
            "name",
            *(f"{_LINK}.{key}" for key in ("id", "title", "start_time", "end_time", "room")),
        ),
    ),
}
"""What visitors are sent astray by: where and when, and what it is called."""


async def as_they_are_now(
    rows: list[dict[str, Any]], entity_type: EntityType, arguments: SearchArguments, toolbox: Toolbox
) -> list[dict[str, Any]]:
    """The rows with Directus' names, times and places; without those that are gone or fit the filters no more.

    As they were given while Directus is away or slow.
    """
    if not rows:
        return rows
    collection, fields = _READ[entity_type]
    own = {"conference_id": {"_eq": arguments.conference_id}}
    wanted = {"_and": [{"id": {"_in": [row["id"] for row in rows]}}, own]}
    try:
        async with asyncio.timeout(PATIENCE_S):
            read = await toolbox.directus.read_items(collection, filter=wanted, fields=fields, limit=len(rows))
    except (ErleahError, TimeoutError) as error:
        log.warning("search.not_read_again", entity_type=entity_type.value, reason=type(error).__name__)
        return rows
    there = {str(row["id"]): row for row in read}
    now = [_with(there[row["id"]], row) for row in rows if row["id"] in there]
    return [row for row in now if fits(row, arguments)] if entity_type is EntityType.SESSIONS else now


def fits(session: Mapping[str, Any], arguments: SearchArguments) -> bool:
    """Whether a session is when and where it was asked for."""
    if arguments.rooms and session.get("room") not in arguments.rooms:
        return False
    start, end = _moment(session.get("start_time")), _moment(session.get("end_time"))
    return not arguments.times or any(_holds(span, start, end) for span in arguments.times)


def _holds(span: TimeRange, start: datetime | None, end: datetime | None) -> bool:
    if start is None or (span.start and start < span.start) or (span.end and start >= span.end):
        return False
    return span.runs_at is None or (end is not None and end >= span.runs_at)


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _with(now: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """The row, with what was read; what it has no more is left out."""
    read = {key: value for key, value in now.items() if key not in {"id", "name", "sessions"}}
    read["title"] = now.get("title") or now.get("name") or row["title"]
    if "sessions" in now:
        links = (link.get(SESSIONS_SPEAKERS_SESSION) for link in now["sessions"] or () if isinstance(link, dict))
        read["sessions"] = [session for session in links if isinstance(session, dict)]
    return {key: value for key, value in (row | read).items() if value is not None}

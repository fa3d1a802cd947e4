"""Lists out of Directus for questions that browse: "what is on on Friday morning", "which keynotes are there"."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from assistants.conference.tools.entity_search import shown
from search.query import EntityType
from services.directus_names import EXHIBITORS, SESSIONS, SESSIONS_SPEAKERS_SPEAKER, SPEAKERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assistants.conference.tools.entity_search import SearchArguments
    from assistants.interface import Toolbox
    from search.query import TimeRange

__all__ = ["list_entities", "list_sessions"]

_SESSION_FIELDS = (
    "id", "title", "description", "start_time", "end_time", "room", "track", "session_type", "level", "language",
    f"speakers.{SESSIONS_SPEAKERS_SPEAKER}.id", f"speakers.{SESSIONS_SPEAKERS_SPEAKER}.name",
)  # fmt: skip
_READ = 200
"""Rows read for a list that is filtered by kind here; more are not on in one conference's half day."""


async def list_sessions(arguments: SearchArguments, toolbox: Toolbox) -> list[dict[str, Any]]:
    """The programme in order of time, within the filters; straight from Directus, so always as it is now."""
    conditions: list[dict[str, Any]] = [{"conference_id": {"_eq": arguments.conference_id}}]
    if arguments.times:
        conditions.append({"_or": [_span(span) for span in arguments.times]})
    if arguments.rooms:
        conditions.append({"room": {"_in": list(arguments.rooms)}})
    rows = await toolbox.directus.read_items(
        SESSIONS,
        filter={"_and": conditions},
        fields=_SESSION_FIELDS,
        sort=("start_time", "room"),
        limit=_READ if arguments.kind else arguments.limit,
    )
    if arguments.kind:
        rows = [row for row in rows if _is_kind(row, arguments.kind)][: arguments.limit]
    return [_row(EntityType.SESSIONS, row, str(row.get("title") or "")) for row in map(_with_speakers, rows)]


async def list_entities(entity_type: EntityType, arguments: SearchArguments, toolbox: Toolbox) -> list[dict[str, Any]]:
    """Exhibitors or speakers by name."""
    collection = {EntityType.EXHIBITORS: EXHIBITORS, EntityType.SPEAKERS: SPEAKERS}[entity_type]
    rows = await toolbox.directus.read_items(
        collection,
        filter={"conference_id": {"_eq": arguments.conference_id}},
        fields=("id", "name", "description", "booth_number", "category", "sponsor_level", "website")
        if entity_type is EntityType.EXHIBITORS
        else ("id", "name", "title", "company", "topics"),
        sort=("name",),
        limit=arguments.limit,
    )
    return [_row(entity_type, row, str(row.get("name") or "")) for row in rows]


def _row(entity_type: EntityType, row: Mapping[str, Any], title: str) -> dict[str, Any]:
    own: dict[str, Any] = {
        "type": entity_type.value,
        "id": str(row["id"]),
        "title": title,
        "score": 0.0,
        "facet_scores": {},
    }
    return own | shown(entity_type, row)


def _span(span: TimeRange) -> dict[str, Any]:
    limits = {"_gte": _in_utc(span.start), "_lt": _in_utc(span.end)}
    begins = {"start_time": {operator: moment for operator, moment in limits.items() if moment}}
    return begins | ({"end_time": {"_gte": _in_utc(span.runs_at)}} if span.runs_at else {})


def _in_utc(moment: datetime | None) -> str | None:
    """Directus compares moments: in UTC, so that no database reads a time as its own."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _is_kind(row: Mapping[str, Any], kind: str) -> bool:
    return kind in f"{row.get('session_type') or ''} {row.get('title') or ''}".lower()


def _with_speakers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Speakers come through the junction: ``[{speakers_id: {id, name}}]``; a link to nobody is left out."""
    linked = (link.get(SESSIONS_SPEAKERS_SPEAKER) for link in row.get("speakers") or () if isinstance(link, dict))
    return {**row, "speakers": [person for person in linked if isinstance(person, dict)]}

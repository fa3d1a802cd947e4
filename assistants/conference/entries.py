"""One line of an answer for one thing found: its name, people, time, place, and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from assistants.conference.plain import escaped, first_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from assistants.conference.phrases import Phrases

__all__ = ["day_of", "entry", "moment_of"]

_DOT = " · "
_SPEAKERS = 4
_SESSIONS = 2


def entry(row: Mapping[str, Any], phrases: Phrases, zone: ZoneInfo, *, brief: bool = False) -> str:
    """A markdown list item; everything that comes from the row is escaped. ``brief`` leaves out the why."""
    if brief:
        row = {key: value for key, value in row.items() if key != "description"}
    match row.get("type"):
        case "sessions":
            return _session(row, phrases, zone)
        case "exhibitors":
            return _exhibitor(row, phrases)
        case _:
            return _speaker(row, phrases, zone)


def _session(row: Mapping[str, Any], phrases: Phrases, zone: ZoneInfo) -> str:
    people = [escaped(str(name)) for name in row.get("speakers") or ()]
    who = ", ".join(people[:_SPEAKERS]) + (" …" if len(people) > _SPEAKERS else "")
    parts = [who, _when(row, phrases, zone), escaped(str(row.get("room") or ""))]
    return _item(str(row["title"]), parts, first_sentence(str(row.get("description") or "")))


def _exhibitor(row: Mapping[str, Any], phrases: Phrases) -> str:
    booth = escaped(str(row.get("booth_number") or ""))
    parts = [phrases.booth.format(booth=booth) if booth else "", escaped(str(row.get("category") or ""))]
    return _item(str(row["title"]), parts, first_sentence(str(row.get("description") or "")))


def _speaker(row: Mapping[str, Any], phrases: Phrases, zone: ZoneInfo) -> str:
    work = ", ".join(escaped(str(row[key])) for key in ("position", "company") if row.get(key))
    lines = [_item(str(row["title"]), [work], "")]
    sessions = [session for session in row.get("sessions") or () if isinstance(session, dict)]
    for session in sessions[:_SESSIONS]:
        said = phrases.talks_at.format(title=escaped(str(session.get("title") or "")))
        parts = [said, _when(session, phrases, zone), escaped(str(session.get("room") or ""))]
        lines.append("  " + _DOT.join(part for part in parts if part))
    if not sessions and row.get("description"):
        lines.append("  " + escaped(first_sentence(str(row["description"]))))
    return "  \n".join(lines)


def _item(title: str, parts: list[str], why: str) -> str:
    facts = _DOT.join(part for part in parts if part)
    line = f"- **{escaped(title)}**" + (f"{_DOT}{facts}" if facts else "")
    return f"{line}  \n  {escaped(why)}" if why else line


def _when(row: Mapping[str, Any], phrases: Phrases, zone: ZoneInfo) -> str:
    start, end = moment_of(row.get("start_time"), zone), moment_of(row.get("end_time"), zone)
    if start is None:
        return ""
    until = f"\u2013{end:%H:%M}" if end is not None and end.date() == start.date() else ""
    return f"{day_of(start, phrases)}, {start:%H:%M}{until}"


def day_of(moment: datetime, phrases: Phrases) -> str:
    """A day as people say it: "Thursday 11 July"."""
    return phrases.day.format(
        weekday=phrases.weekdays[moment.weekday()], day=moment.day, month=phrases.months[moment.month - 1]
    )


def moment_of(value: object, zone: ZoneInfo) -> datetime | None:
    """A row's time in the conference's zone; None when it holds none. Without an offset it is meant in that zone."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)

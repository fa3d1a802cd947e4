"""What holds for a whole conference: its row, its FAQ, its days and its rooms, read once in some minutes."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ConferenceDay", "ConferenceFacts", "FaqEntry", "gather_facts"]

_LUNCH_WINDOW = (time(11, 0), time(15, 0))
"""Where a lunch break is looked for."""
_SHORTEST_LUNCH = timedelta(minutes=30)
"""A shorter gap is a coffee break."""
_SHORTEST_BREAK = timedelta(minutes=20)
"""A shorter gap is the way from one room to another."""
_QUIET_SHARE = 0.2
"""Of the rooms in use at the busiest: on the sample's main days posters hang in one of six."""
_GRID_MINUTES = 5
_LONGEST_CONFERENCE_DAYS = 60
"""Start and end dates further apart than this are a slip of the pen; the programme's own days count then."""


class FaqEntry(BaseModel):
    """One question that the organisers answered beforehand."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str
    answer: str


class ConferenceDay(BaseModel):
    """One day in the conference's own clock.

    ``lunch`` is the longest time around noon when nothing runs, ``breaks`` the other quiet times
    between sessions, ``keynotes`` when its keynotes begin and end; all in order of time.
    """

    model_config = ConfigDict(frozen=True)

    day: date
    starts: time | None = None
    ends: time | None = None
    lunch: tuple[time, time] | None = None
    breaks: tuple[tuple[time, time], ...] = ()
    keynotes: tuple[tuple[time, time], ...] = ()


class ConferenceFacts(BaseModel):
    """A conference as the assistant knows it; safe to keep in a cache."""

    model_config = ConfigDict(frozen=True, ignored_types=(cached_property,))

    conference_id: str
    name: str = ""
    description: str = ""
    start_date: date | None = None
    end_date: date | None = None
    venue: str = ""
    city: str = ""
    country: str = ""
    website: str = ""
    timezone: str = "UTC"
    faq: tuple[FaqEntry, ...] = ()
    days: tuple[ConferenceDay, ...] = ()
    rooms: tuple[str, ...] = ()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The conference's time zone."""
        return zone_of(self.timezone)

    def local_now(self, now: datetime) -> datetime:
        """The conference's now.

        During the conference it is the real one. Before and after, people plan or look back, and
        "tomorrow" of a March afternoon means nothing to a conference in July: then now is the
        moment the first day begins, so that "today" is its first day and "next hour" its first hour.
        """
        local = now.astimezone(self.zone)
        if not self.days or self.days[0].day <= local.date() <= self.days[-1].day:
            return local
        first = self.days[0]
        return datetime.combine(first.day, first.starts or time(9, 0), self.zone)

    def is_running(self, now: datetime) -> bool:
        """Whether the real now lies within the conference's days."""
        local = now.astimezone(self.zone).date()
        return bool(self.days) and self.days[0].day <= local <= self.days[-1].day

    def on(self, day: date) -> ConferenceDay:
        """What is known of a day; an empty day when it is none of the conference's."""
        return next((known for known in self.days if known.day == day), ConferenceDay(day=day))


def zone_of(name: str | None) -> ZoneInfo:
    """The time zone of an IANA name; UTC when there is none or it is unknown."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def gather_facts(row: Mapping[str, Any], sessions: Iterable[Mapping[str, Any]]) -> ConferenceFacts:
    """Facts out of a conference's row and its sessions' times, ``room``, ``title`` and ``session_type``.

    The days are those on which something is on the programme (a conference's dates often include
    days of arrival or sprints, and "the last day" means the last one with talks); without any
    session they run from start_date to end_date.
    """
    zone = zone_of(row.get("timezone"))
    spans: dict[date, list[tuple[time, time, str]]] = {}
    keynotes: dict[date, set[tuple[time, time]]] = {}
    rooms: set[str] = set()
    for session in sessions:
        room = str(session.get("room") or "").strip()
        if room:
            rooms.add(room)
        start, end = _moment(session.get("start_time"), zone), _moment(session.get("end_time"), zone)
        if start is not None:
            ends = end.time() if end is not None and end.date() == start.date() else start.time()
            spans.setdefault(start.date(), []).append((start.time(), ends, room))
            if "keynote" in f"{session.get('session_type') or ''} {session.get('title') or ''}".lower():
                keynotes.setdefault(start.date(), set()).add((start.time(), ends))
    start_date, end_date = _date(row.get("start_date")), _date(row.get("end_date"))
    days = tuple(
        ConferenceDay(
            day=day,
            starts=min(starts for starts, _, _ in times),
            ends=max(ends for _, ends, _ in times),
            lunch=_lunch(times),
            breaks=tuple(_breaks(times)),
            keynotes=tuple(sorted(keynotes.get(day, ()))),
        )
        for day, times in sorted(spans.items())
    )
    return ConferenceFacts(
        conference_id=str(row["id"]),
        **{key: str(row.get(key) or "") for key in ("name", "description", "venue", "city", "country", "website")},
        start_date=start_date,
        end_date=end_date,
        timezone=zone.key,
        faq=tuple(_faq(row.get("faq"))),
        days=days or _calendar(start_date, end_date),
        rooms=tuple(sorted(rooms)),
    )


def _calendar(start: date | None, end: date | None) -> tuple[ConferenceDay, ...]:
    if start is None:
        return ()
    length = min(((end or start) - start).days, _LONGEST_CONFERENCE_DAYS)
    return tuple(ConferenceDay(day=start + timedelta(days=offset)) for offset in range(length + 1))


def _faq(value: object) -> Iterable[FaqEntry]:
    if not isinstance(value, list):
        return
    for entry in value:
        if isinstance(entry, dict) and entry.get("question") and entry.get("answer"):
            yield FaqEntry(question=str(entry["question"]), answer=str(entry["answer"]))


def _moment(value: object, zone: ZoneInfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(zone)


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _lunch(sessions: list[tuple[time, time, str]]) -> tuple[time, time] | None:
    """The longest quiet stretch around noon with a programme before and after it.

    Quiet is when hardly any room is in use: posters often hang over lunch.
    """
    spans = [(_minutes(start), _minutes(end), room) for start, end, room in sessions]
    opens, closes = _LUNCH_WINDOW
    quiet = _quiet(spans, _minutes(opens), _minutes(closes))
    begin, end = max(quiet, key=lambda stretch: stretch[1] - stretch[0], default=(0, 0))
    if end - begin < _SHORTEST_LUNCH.total_seconds() / 60:
        return None
    if not any(start < begin for start, _, _ in spans) or not any(start >= end for start, _, _ in spans):
        return None
    return _clock(begin), _clock(end)


def _breaks(sessions: list[tuple[time, time, str]]) -> Iterable[tuple[time, time]]:
    """Times between sessions when no room at all is in use, but for lunch."""
    lunch = _lunch(sessions)
    first, last = (_minutes(lunch[0]), _minutes(lunch[1])) if lunch else (0, 0)
    reached = 0
    for start, end in sorted((_minutes(start), _minutes(end)) for start, end, _ in sessions):
        is_lunch = reached < last and start > first
        if reached and start - reached >= _SHORTEST_BREAK.total_seconds() / 60 and not is_lunch:
            yield _clock(reached), _clock(start)
        reached = max(reached, end)


def _quiet(spans: list[tuple[int, int, str]], opens: int, closes: int) -> list[tuple[int, int]]:
    """Stretches of minutes between ``opens`` and ``closes`` when hardly any room is in use."""
    grid = range(opens, closes, _GRID_MINUTES)
    used = {minute: len({room for start, end, room in spans if start <= minute < end}) for minute in grid}
    busiest = max(used.values(), default=0)
    found: list[tuple[int, int]] = []
    for minute in grid:
        if used[minute] > busiest * _QUIET_SHARE:
            continue
        if found and found[-1][1] == minute:
            found[-1] = (found[-1][0], minute + _GRID_MINUTES)
        else:
            found.append((minute, minute + _GRID_MINUTES))
    return found


def _minutes(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def _clock(minute: int) -> time:
    return time(minute // 60, minute % 60)

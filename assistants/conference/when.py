"""Times in a question are filters, not words: "Day 2 morning", "tomorrow at 3", "after lunch".

A question's days (``when_days``) and parts of the day (``when_hours``) are found and put together
here, in the conference's own clock. What is said without a day ("in the afternoon") means today
while the conference runs, its next day when today's is over, and every day before and after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from assistants.conference.when_days import DayHit, find_days
from assistants.conference.when_hours import DAY, EVENING, HourHit, Window, find_hours
from assistants.conference.when_not import days_but, excluded_from, goes_on, parts_of, windows_but
from assistants.conference.when_spoken import in_figures
from assistants.conference.when_topics import without_topics
from assistants.conference.when_words import TIME_WORDS, TimeWords
from search.query import TimeRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assistants.conference.facts import ConferenceFacts

__all__ = ["Times", "parse_times"]

Hit = TypeVar("Hit", DayHit, HourHit)

NOW_AFTER = timedelta(minutes=15)
"""What begins so soon is on now for who looks for a room."""
SOON = timedelta(minutes=90)
"""A talk and the coffee before it."""

_HALF_DAY = 12 * 60
_TEXT_CHARS = 2000
_COMPOUND = re.compile(r"(tag|woch|abend)(vormittag|nachmittag|abend|morgen|mittag)", re.IGNORECASE)
"""German writes "Freitagvormittag" in one word."""
_LEAD = re.compile(r"^(?:(?:on|of|for|but|aber|mais|pero)\s+)+", re.IGNORECASE)
"""What a visitor put before his words for a time, left out when they are repeated to him."""


@dataclass(frozen=True, slots=True)
class Times:
    """What a question says about time: alternatives, the words for them, and the question without them.

    ``days`` and ``hours`` are those words apart, so that "and at two?" can stay on the day spoken of.
    """

    ranges: tuple[TimeRange, ...]
    phrases: tuple[str, ...]
    rest: str
    days: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """The days and the parts of a day that are wanted, and the parts that are not."""

    days: list[DayHit]
    hours: list[HourHit]
    not_hours: list[HourHit]


def parse_times(text: str, facts: ConferenceFacts, now: datetime, language: str = "en") -> Times:
    """Read the times out of ``text``.

    ``now`` is the real now, with a zone; ``language`` is ISO 639-1, English is always understood too.
    """
    text = in_figures(_COMPOUND.sub(r"\1 \2", text[:_TEXT_CHARS]), language)
    here = facts.local_now(now)
    spans: list[tuple[int, int]] = []
    relative, kind, left = _relative(without_topics(text), here, language, spans)
    days = find_days(left, facts, here.date(), language)
    for day in days:
        left = left[: day.start] + "\0" * (day.end - day.start) + left[day.end :]
    hours = [hit for hit in find_hours(left, language) if not hit.anchors or _is_known(hit, facts)]
    days, not_days = _apart(days, text, language)
    hours, not_hours = _apart(hours, text, language)
    of_days = [(hit.start, hit.end) for hit in (*days, *not_days)]
    of_hours = [(hit.start, hit.end) for hit in (*hours, *not_hours)]
    spans += of_days + of_hours
    not_parts: dict[date, list[HourHit]] = {}
    if not_days:
        parts = parts_of(not_days, hours, text)
        hours = [hit for hit in hours if not any(hit in some for some in parts)]
        not_parts = {day: some for hit, some in zip(not_days, parts, strict=True) for day in hit.days if some}
        excluded = [day for hit, some in zip(not_days, parts, strict=True) for day in hit.days if not some]
        every = [day.day for day in facts.days]
        left_over = days_but(every, [day for hit in days for day in hit.days], excluded, here.date())
        days = [replace(not_days[0], days=tuple(left_over))]
    ranges = [
        _range(day, piece, here)
        for day, window in _together(_Said(days, hours, not_hours), facts, here, running=facts.is_running(now))
        for piece in windows_but(_windows(not_parts.get(day, []), facts, day, here), window)
    ]
    if relative is not None:
        # "From now until 5" and "later on Friday" have a second time; what else counts from now stands alone.
        ranges = (_since(here, ranges) if kind == "later" else []) or [relative]
    said = (_LEAD.sub("", text[start:end].strip(" ,")) for start, end in sorted(spans))
    return Times(
        tuple(dict.fromkeys(ranges)),
        tuple(said),
        _without(text, spans),
        days=tuple(text[start:end].strip(" ,") for start, end in of_days),
        hours=tuple(text[start:end].strip(" ,") for start, end in of_hours),
    )


def _apart(hits: list[Hit], text: str, language: str) -> tuple[list[Hit], list[Hit]]:
    """Those that are wanted, and those that are not, each with the words that say so."""
    wanted: list[Hit] = []
    not_wanted: list[Hit] = []
    for hit in hits:
        begin = excluded_from(text, hit.start, language)
        if begin is None and not_wanted and goes_on(text[not_wanted[-1].end : hit.start]):
            begin = not_wanted[-1].end
        if begin is None:
            wanted.append(hit)
        else:
            not_wanted.append(replace(hit, start=begin))
    return wanted, not_wanted


def _since(now: datetime, ranges: list[TimeRange]) -> list[TimeRange]:
    return [replace(span, start=max(span.start or now, now)) for span in ranges if span.end is None or span.end > now]


def _relative(
    text: str, now: datetime, language: str, spans: list[tuple[int, int]]
) -> tuple[TimeRange | None, str, str]:
    """A time that counts from this minute ("now", "in the next two hours", "later today"), its kind, and what is left.

    The kind is that of ``_relative_rules_of``.
    """
    for pattern, kind, words in _relative_rules(language):
        match = pattern.search(text)
        if match is None:
            continue
        spans.append(match.span())
        left = text[: match.start()] + "\0" * (match.end() - match.start()) + text[match.end() :]
        return _relative_range(match, kind, words, now), kind, left
    return None, "", text


def _relative_range(match: re.Match[str], kind: str, words: TimeWords, now: datetime) -> TimeRange:
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
    match kind:
        case "now":
            return TimeRange(midnight - timedelta(days=1), now + NOW_AFTER, runs_at=now)
        case "soon":
            return TimeRange(now, now + SOON)
        case "later":
            return TimeRange(now, midnight)
        case "earlier":
            return TimeRange(midnight - timedelta(days=1), now)
        case _:
            said = (match["n"] or "1").lower()
            count = int(said) if said.isdigit() else words.numbers[said]
            length = timedelta(hours=count) if kind.endswith("hours") else timedelta(minutes=count)
            if kind.startswith("in"):  # "in two hours": around then
                return TimeRange(now + length - timedelta(minutes=15), now + length + timedelta(minutes=45))
            return TimeRange(now, now + length)


@cache
def _relative_rules(language: str) -> tuple[tuple[re.Pattern[str], str, TimeWords], ...]:
    codes = (language, "en") if language in TIME_WORDS and language != "en" else ("en",)
    return tuple(
        (re.compile(rf"(?<![\w'])(?:{pattern})(?!\w)", re.IGNORECASE), kind, TIME_WORDS[code])
        for code in codes
        for pattern, kind in _relative_rules_of(TIME_WORDS[code])
    )


def _relative_rules_of(words: TimeWords) -> Iterator[tuple[str, str]]:
    numbers = "|".join(sorted(words.numbers, key=len, reverse=True))
    yield rf"(?:{words.coming})\s*(?:(?P<n>\d{{1,3}}|{numbers})\s+)?(?:{words.hours})", "next hours"
    yield rf"(?:{words.coming})\s*(?:(?P<n>\d{{1,3}}|{numbers})\s+)?(?:{words.minutes})", "next minutes"
    yield rf"(?:{words.inside})\s+(?P<n>\d{{1,3}}|{numbers})\s+(?:{words.hours})", "in hours"
    yield rf"(?:{words.inside})\s+(?P<n>\d{{1,3}}|{numbers})\s+(?:{words.minutes})", "in minutes"
    yield words.earlier, "earlier"
    yield words.later, "later"
    yield words.now, "now"
    yield words.soon, "soon"


def _together(said: _Said, facts: ConferenceFacts, now: datetime, *, running: bool) -> list[tuple[date, Window]]:
    days, hours, not_hours = said.days, said.hours, said.not_hours
    if not days and not hours and not not_hours:
        return []
    if not_hours and not hours:
        named = [day for hit in days for day in hit.days] or _days_unsaid(not_hours, facts, now, running=running)
        return [(day, window) for day in named for window in windows_but(_windows(not_hours, facts, day, now))]
    if not hours:
        return [(day, DAY) for hit in days for day in hit.days]
    if not days:
        chosen = _days_unsaid(hours, facts, now, running=running)
        return [(day, window) for day in chosen for window in _windows(hours, facts, day, now)]
    return [
        (day, window)
        for hit, of_hit in _pairs(days, hours)
        for day in hit.days
        for window in (_windows(of_hit, facts, day, now) or [DAY])
    ]


def _pairs(days: list[DayHit], hours: list[HourHit]) -> Iterator[tuple[DayHit, list[HourHit]]]:
    """Which part belongs to which day.

    One part of the day goes for all days named ("Thursday and Friday morning"); several parts
    belong each to the day before it ("Thursday morning or Friday afternoon"), the first to the
    first day when it stands before all.
    """
    if len(days) == 1 or len(hours) == 1:
        yield from ((hit, hours) for hit in days)
        return
    for index, hit in enumerate(days):
        begin = hit.start if index else 0
        end = days[index + 1].start if index + 1 < len(days) else None
        yield hit, [part for part in hours if part.start >= begin and (end is None or part.start < end)]


def _is_known(hit: HourHit, facts: ConferenceFacts) -> bool:
    """Whether the thing that a time hangs on is on the programme at all: no keynote, no "after the keynote"."""
    return any(hit.on(day) for day in facts.days) or hit.on(facts.on(date.min)) is not None


def _windows(hours: list[HourHit], facts: ConferenceFacts, day: date, now: datetime) -> list[Window]:
    """The windows of one day: parts that overlap narrow each other ("Friday afternoon at 3"), others add up."""
    known = facts.on(day)
    minute = now.hour * 60 + now.minute if day == now.date() else 0
    found: list[Window] = []
    evening = any(hit.window == EVENING for hit in hours)
    for hit in hours:
        window = hit.on(known, minute)
        if window is None:
            continue
        if hit.bare and evening and window[1] <= _HALF_DAY + 60:
            window = (window[0] + _HALF_DAY, window[1] + _HALF_DAY)  # "at 9 in the evening"
        for index, other in enumerate(found):
            begin, end = max(window[0], other[0]), min(window[1], other[1])
            if begin < end:
                found[index] = (begin, end)
                break
        else:
            found.append(window)
    return found


def _days_unsaid(hours: list[HourHit], facts: ConferenceFacts, now: datetime, *, running: bool) -> list[date]:
    """The days meant by a part of the day alone."""
    every = [day.day for day in facts.days] or [now.date()]
    if any(hit.today for hit in hours):
        return [now.date()]
    if not running or any(hit.every for hit in hours):
        return every
    minute = now.hour * 60 + now.minute
    still = any(window[1] > minute for window in _windows(hours, facts, now.date(), now))
    coming = [day for day in every if day > now.date() or (day == now.date() and still)]
    return next(([day] for day in coming if _windows(hours, facts, day, now)), every)


def _range(day: date, window: Window, now: datetime) -> TimeRange:
    """One day's window. Built from wall-clock times, so that a change of summer time moves nothing."""

    def at(minute: int) -> datetime:
        extra, minute = divmod(minute, 24 * 60)
        moment = datetime.min.time().replace(hour=minute // 60, minute=minute % 60)
        return datetime.combine(day + timedelta(days=extra), moment, now.tzinfo)

    return TimeRange(at(window[0]), at(window[1]))


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        after = re.sub(r"^['\u2019]s\b", "", text[end:])  # "today's talks"
        text = f"{text[:start]} {after}"
    text = re.sub(r"\s+([?!.,;:])", r"\1", re.sub(r"\s+", " ", text))
    return text.strip(" ,;")

"""The days a question names: "on Friday", "Day 2", "11 July", "the last two days"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import dateparser

from assistants.conference.when_words import TIME_WORDS, TimeWords

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assistants.conference.facts import ConferenceFacts

__all__ = ["DayHit", "find_days"]

_SATURDAY = 5
_OF_MONTH = {"en": r"the\s+(?P<d>\d{1,2})(?:st|nd|rd|th)", "es": r"d[ií]a\s+(?P<d>\d{1,2})"}
"""A day of the month without its month; other languages say it as they say any number."""
_MOST_AHEAD = 6
"""Days ahead that are counted: "in 3 days" is said, "in 300 days" is another thing."""


@dataclass(frozen=True, slots=True)
class DayHit:
    """Where in the text days are named, and which."""

    start: int
    end: int
    days: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class _Calendar:
    """The conference's days and its today."""

    days: tuple[date, ...]
    today: date

    def nth(self, number: int) -> tuple[date, ...]:
        return (self.days[number - 1],) if 0 < number <= len(self.days) else ()

    def weekday(self, weekday: int) -> tuple[date, ...]:
        """Those of the conference; when it has none, the next there is (nothing will be on, and the answer says so)."""
        own = tuple(day for day in self.days if day.weekday() == weekday)
        return own or (self.today + timedelta(days=(weekday - self.today.weekday()) % 7),)

    def since(self, first: date) -> tuple[date, ...]:
        return tuple(day for day in self.days if day >= first)

    def until(self, last: date) -> tuple[date, ...]:
        return tuple(day for day in self.days if day <= last)

    def span(self, first: int, last: int) -> tuple[date, ...]:
        """From one weekday to another."""
        start = self.weekday(first)[0]
        length = (last - first) % 7
        return tuple(start + timedelta(days=offset) for offset in range(length + 1))

    def numbered(self, day: int, month: int | None = None, year: int | None = None) -> tuple[date, ...]:
        """The conference's days with that number in the month; empty for a number that is no day of it."""
        return tuple(
            known
            for known in self.days
            if known.day == day and month in {None, known.month} and year in {None, known.year, known.year % 100}
        )


Reader = Callable[[re.Match[str], _Calendar], tuple[date, ...]]
_Rule = tuple[re.Pattern[str], Reader]


def find_days(text: str, facts: ConferenceFacts, today: date, language: str) -> list[DayHit]:
    """Every naming of days in ``text``, by position; what was read once is not read again."""
    calendar = _Calendar(tuple(day.day for day in facts.days), today)
    hits: list[DayHit] = []
    left = text
    for pattern, read in _rules(language):
        for match in pattern.finditer(left):
            days = read(match, calendar)
            if days:
                hits.append(DayHit(match.start(), match.end(), days))
                left = left[: match.start()] + "\0" * (match.end() - match.start()) + left[match.end() :]
    return sorted(hits, key=lambda hit: hit.start)


@cache
def _rules(language: str) -> tuple[_Rule, ...]:
    codes = (language, "en") if language in TIME_WORDS and language != "en" else ("en",)
    return tuple(rule for code in codes for rule in _rules_of(TIME_WORDS[code]))


def _rules_of(words: TimeWords) -> Iterator[_Rule]:
    """The rules of one language, the longer and surer expressions first."""
    lead = rf"(?:\b(?:{words.lead})\s+)*"
    ordinals = "|".join(sorted(words.ordinals, key=len, reverse=True))
    numbers = "|".join(sorted(words.numbers, key=len, reverse=True))
    days = rf"(?:{words.day})(?:s|e|en)?"

    def rule(pattern: str, read: Reader) -> _Rule:
        return re.compile(rf"{lead}(?<![\w'])(?:{pattern})(?!\w)", re.IGNORECASE), read

    def weekdays(prefix: str) -> str:
        return "|".join(f"(?P<{prefix}{index}>{names})" for index, names in enumerate(words.weekdays))

    def count(match: re.Match[str]) -> int:
        word = next(value for name, value in match.groupdict().items() if name.startswith("n") and value).lower()
        return int(word) if word.isdigit() else words.numbers[word]

    yield rule(r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)", _iso)
    yield rule(
        rf"\d{{1,2}}(?:{words.ordinal_number}|\.)?\s*(?:of\s+|de\s+)?(?:{words.months})(?:,?\s+(?:de\s+)?\d{{4}})?"
        rf"|(?:{words.months})\s+(?:the\s+)?\d{{1,2}}{words.ordinal_number}?(?:,?\s+\d{{4}})?(?![\d:])",
        lambda match, calendar: _month_date(match[0], words.code, calendar),
    )
    yield _numeric_rule(lead)
    congress = rf"(?:the |la |le |l['\u2019]|der |des )?(?:{words.congress})"
    yield rule(rf"(?:{words.start_of})\s+{congress}", lambda _, calendar: calendar.days[:1])
    yield rule(rf"(?:{words.end_of})\s+{congress}", lambda _, calendar: calendar.days[-1:])
    yield rule(words.last_but_one, lambda _, calendar: calendar.days[-2:-1])
    yield rule(words.rest_days, lambda _, calendar: calendar.since(calendar.today))
    yield rule(words.all_days, lambda _, calendar: calendar.days)
    yield rule(
        rf"(?:{words.inside})\s+(?P<n1>\d|{numbers})\s+{days}",
        lambda match, calendar: (calendar.today + timedelta(days=count(match)),) if count(match) <= _MOST_AHEAD else (),
    )
    for pattern, offset in (
        (words.before_yesterday, -2),
        (words.next_day, 1),
        (words.after_tomorrow, 2),
        (words.tomorrow, 1),
        (words.yesterday, -1),
        (words.today, 0),
    ):
        yield rule(pattern, lambda _, calendar, offset=offset: (calendar.today + timedelta(days=offset),))  # type: ignore[misc]  # mypy cannot infer a lambda's default
    yield rule(
        rf"(?:(?:{words.since})\s+)?(?:{weekdays('w')})\s*(?:{words.to})\s*(?:{words.lead}\s+)?(?:{weekdays('v')})",
        lambda match, calendar: calendar.span(_which(match, "w"), _which(match, "v")),
    )
    yield from _from_and_until(words, rule, weekdays("w"))
    # "Friday 12" is a date where the two agree; "Friday 12 to 3" and "Friday 12 pm" are hours. What is
    # both "to" and "at" (French "vendredi 12 à 15h") is "at" here.
    hours = rf"\w|[:.]\d|\s?(?:{words.pm}|{words.clock})(?!\w)|\s*(?!(?:{words.at})\s)(?:{words.to})\s*\d"
    yield rule(
        rf"(?:{weekdays('w')}),?\s+(?:(?:the|den|le|el)\s+)?(?P<d>\d{{1,2}})(?:{words.ordinal_number}|\.)?(?!{hours})",
        lambda match, calendar: tuple(
            day for day in calendar.numbered(int(match["d"])) if day.weekday() == _which(match, "w")
        ),
    )
    yield rule(weekdays("w"), lambda match, calendar: calendar.weekday(_which(match, "w")))
    yield rule(words.weekend, lambda _, calendar: calendar.weekday(_SATURDAY) + calendar.weekday(_SATURDAY + 1))
    yield rule(
        rf"(?:{words.last})s?\s+(?P<n1>\d|{numbers})\s+{days}|(?P<n2>\d|{numbers})\s+(?:{words.last})s?\s+{days}",
        lambda match, calendar: calendar.days[-count(match) :],
    )
    yield rule(
        rf"(?:{ordinals})s?\s+(?P<n1>\d|{numbers})\s+{days}|(?P<n2>\d|{numbers})\s+(?:{ordinals})s?\s+{days}",
        lambda match, calendar: calendar.days[: count(match)],
    )
    yield rule(
        rf"(?:{words.last})\s+(?:{words.day})|(?:{words.day})\s+(?:{words.last})",
        lambda _, calendar: calendar.days[-1:],
    )
    yield rule(
        rf"(?P<o>{ordinals})\s+(?:{words.day})",
        lambda match, calendar: calendar.nth(words.ordinals[match["o"].lower()]),
    )
    yield rule(
        rf"(?P<n1>\d){words.ordinal_number}\s*(?:{words.day})|(?:{words.day})\s*#?(?P<n2>\d|{numbers})",
        lambda match, calendar: calendar.nth(count(match)),
    )
    if words.code in _OF_MONTH:
        yield rule(_OF_MONTH[words.code], lambda match, calendar: calendar.numbered(int(match["d"])))


def _from_and_until(words: TimeWords, rule: Callable[[str, Reader], _Rule], weekdays: str) -> Iterator[_Rule]:
    """As in "from Thursday on", "after Wednesday", but not "after Friday's keynote" nor "after Friday morning"."""
    parts = f"{words.morning}|{words.afternoon}|{words.evening}|{words.noon}|{words.lunch}|keynote|lunch"
    end = rf"(?!['\u2019]|\s+(?:{parts})|\w)"

    def named(match: re.Match[str], calendar: _Calendar) -> date:
        said = next(name for name, word in match.groupdict().items() if word)
        return calendar.weekday(int(said[1:]))[0]

    article = rf"(?:(?:{words.lead})\s+)*"
    yield rule(
        rf"(?:{words.from_day})\s+{article}(?:{weekdays}){end}(?:\s+(?:on|an|{words.onwards})(?!\w))?"
        rf"|(?:{weekdays.replace('(?P<w', '(?P<v')})\s+(?:{words.onwards})",
        lambda match, calendar: calendar.since(named(match, calendar)),
    )
    yield rule(
        rf"(?:{words.after_day})\s+{article}(?:{weekdays}){end}",
        lambda match, calendar: calendar.since(named(match, calendar) + timedelta(days=1)),
    )
    yield rule(
        rf"(?:{words.before_day})\s+{article}(?:{weekdays}){end}",
        lambda match, calendar: calendar.until(named(match, calendar) - timedelta(days=1)),
    )
    yield rule(
        rf"(?:{words.until_day})\s+{article}(?:{weekdays}){end}",
        lambda match, calendar: calendar.until(named(match, calendar)),
    )


def _numeric_rule(lead: str) -> _Rule:
    """Figures like "12.07.", "12/7", "11.07.2024"; a bare "3.12" is a version of Python, no day."""
    pattern = rf"{lead}(?<![\w.])(?P<a>\d{{1,2}})(?:\.(?P<b>\d{{1,2}})\.|/(?P<c>\d{{1,2}})/?)(?P<y>\d{{4}}|\d\d)?(?!\w)"
    return re.compile(pattern, re.IGNORECASE), _numeric


def _iso(match: re.Match[str], _: _Calendar) -> tuple[date, ...]:
    try:
        return (date(int(match["y"]), int(match["m"]), int(match["d"])),)
    except ValueError:
        return ()


def _numeric(match: re.Match[str], calendar: _Calendar) -> tuple[date, ...]:
    """Day first, as most of the world writes; month first where only that is a day of the conference."""
    first, second = int(match["a"]), int(match["b"] or match["c"])
    year = int(match["y"]) if match["y"] else None
    return calendar.numbered(first, second, year) or calendar.numbered(second, first, year)


def _month_date(text: str, language: str, calendar: _Calendar) -> tuple[date, ...]:
    base = datetime.combine(calendar.days[0] if calendar.days else calendar.today, datetime.min.time())
    # A "." after the number ends the sentence for dateparser in some languages.
    found = dateparser.parse(
        re.sub(r"(?<=\d)\.", "", _leading_words(text)),
        languages=[language],
        settings={"RELATIVE_BASE": base, "PREFER_DATES_FROM": "current_period"},
    )
    return (found.date(),) if found else ()


def _leading_words(text: str) -> str:
    """Without "on the" in front, which dateparser does not always skip."""
    match = re.search(r"\d|\b[^\W\d_]{3,}\.?\s+(?:the\s+)?\d", text)
    return text[match.start() :] if match else text


def _which(match: re.Match[str], prefix: str) -> int:
    return next(index for index in range(7) if match[f"{prefix}{index}"])

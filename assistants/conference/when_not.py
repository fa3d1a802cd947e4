"""Times that a question excludes: "not on Friday", "any day except Friday", "but not in the morning"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assistants.conference.when_hours import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from assistants.conference.when_days import DayHit
    from assistants.conference.when_hours import HourHit, Window

__all__ = ["days_but", "excluded_from", "goes_on", "parts_of", "windows_but"]

_EXCLUDES = {
    "en": r"(?:,?\s*but\s+)?(?:not|never)|(?:all\s+)?(?:except(?:ing)?(?:\s+for)?|excluding|other than|but not)|no|nor",
    "de": r"(?:,?\s*aber\s+)?nicht|außer|ausser|bis auf|ohne",
    "fr": r"(?:,?\s*mais\s+)?pas|sauf|hormis|excepté|à part",
    "es": r"(?:,?\s*pero\s+)?no|excepto|salvo|menos",
}
"""Said right before a day or a part of one. "No" is Spanish for "not", and "no mornings" is English."""

_BETWEEN = r"(?:\s+(?:on|in|at|the|am|im|den|dem|der|die|le|la|les|el|los|las|por|en))*\s*"


_JOINS = re.compile(
    r"\s*(?:or|nor|and|&|oder|und|noch|ou|et|ni|o|y)(?:\s+(?:on|in|am|im|the|den|le|la|el|los))*\s*", re.IGNORECASE
)
""""Not on Thursday or Friday" leaves out both."""


def goes_on(between: str) -> bool:
    """Whether what stands between two times joins the second to the first's exclusion."""
    return _JOINS.fullmatch(between) is not None


def excluded_from(text: str, start: int, language: str) -> int | None:
    """Where the exclusion begins whose time begins at ``start``; None where the time is wanted."""
    codes = {language, "en"} & _EXCLUDES.keys()
    words = "|".join(_EXCLUDES[code] for code in sorted(codes))
    found = re.search(rf"(?<![\w'])(?:{words}){_BETWEEN}$", text[:start], re.IGNORECASE)
    return len(text[: found.start()].rstrip(" ,")) if found else None


def days_but(all_days: Iterable[date], wanted: Sequence[date], excluded: Sequence[date], today: date) -> list[date]:
    """The days that are left: of those ``wanted``, or of all from today on where none was."""
    left = [day for day in dict.fromkeys(wanted) if day not in excluded]
    if wanted:
        return left
    every = [day for day in all_days if day not in excluded]
    return [day for day in every if day >= today] or every


def parts_of(excluded: Sequence[DayHit], hours: Sequence[HourHit], text: str) -> list[list[HourHit]]:
    """For each of the days excluded, which parts of it are; none means the whole day.

    "Not Friday morning" leaves the afternoon, "not Thursday or Friday morning" both afternoons.
    """
    parts: list[list[HourHit]] = []
    after = None
    for day in reversed(excluded):
        own: list[HourHit] = []
        end = day.end
        for hour in hours:
            between = text[end : hour.start]
            if hour.start >= end and (not between.strip() or (own and goes_on(between))):
                own.append(hour)
                end = hour.end
        joined = after is not None and after.start == day.end
        parts.insert(0, own or (parts[0] if joined else []))
        after = day
    return parts


def windows_but(excluded: Iterable[Window], of: Window = DAY) -> list[Window]:
    """What is left of a window."""
    left = [of]
    for begin, end in excluded:
        pieces = [piece for start, stop in left for piece in ((start, min(stop, begin)), (max(start, end), stop))]
        left = [(start, stop) for start, stop in pieces if start < stop]
    return left

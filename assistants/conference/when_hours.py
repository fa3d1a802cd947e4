"""The parts of a day that a question names: "at 3", "between 10 and 11:30", "in the morning", "after lunch"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from assistants.conference.when_anchors import Anchor, anchor_in, find_anchors, things
from assistants.conference.when_words import TIME_WORDS, TimeWords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from assistants.conference.facts import ConferenceDay

__all__ = ["AT_AFTER", "AT_BEFORE", "HourHit", "Window", "find_hours"]

Window = tuple[int, int]
"""Minutes after midnight: from, and up to but not including."""

DAY = (0, 24 * 60)
EARLY_MORNING = (0, 9 * 60 + 30)
MORNING = (0, 12 * 60)
"""A registration at seven belongs to it."""
AFTERNOON = (12 * 60, 18 * 60)
LATE_AFTERNOON = (16 * 60, 19 * 60)
EVENING = (17 * 60 + 30, 24 * 60)
"""Overlaps the afternoon: what starts at six is evening to most and afternoon to none."""
NOON = 12 * 60

AT_BEFORE, AT_AFTER = 15, 60
"""Minutes. "at 3" means what begins around three: sessions start at 14:45 or 15:30 as well, and it
is better to see one too many than to be told that nothing is on."""

_EARLIEST_BARE_HOUR = 8
""""at 3" without am or pm: conferences have no session before eight, so smaller numbers are afternoon."""
_HALF_DAY = 12
_LAST_HOUR = 23
_LAST_MINUTE = 59


@dataclass(frozen=True, slots=True)
class HourHit:
    """Where in the text a part of the day is named, and which.

    Of ``window`` is meant what lies as ``anchors`` say to that day's lunch, break or keynote. A ``bare``
    hour named no half of the day; the part of the day beside it may. ``today`` and ``every`` say which
    days are meant when none is named ("this morning", "every morning").
    """

    start: int
    end: int
    window: Window = DAY
    anchors: tuple[Anchor, ...] = ()
    bare: bool = False
    today: bool = False
    every: bool = False

    def on(self, day: ConferenceDay, minute: int = 0) -> Window | None:
        """The window on one day, None when that day has nothing of the kind; ``minute`` is its now."""
        begin, end = self.window
        for anchor in self.anchors:
            window = anchor.on(day, minute)
            if window is None:
                return None
            begin, end = max(begin, window[0]), min(end, window[1])
        return (begin, end) if begin < end else None


def find_hours(text: str, language: str) -> list[HourHit]:
    """Every naming of a part of a day in ``text``, by position."""
    ranges, left = _read(text, _rules(_ranges_of, language), language)
    anchored = [HourHit(start, end, anchors=(anchor,)) for start, end, anchor in find_anchors(left, language)]
    for hit in anchored:
        left = _blanked(left, hit.start, hit.end)
    others, _ = _read(left, _rules(_rules_of, language), language)
    return sorted(ranges + anchored + others, key=lambda hit: hit.start)


def _read(text: str, rules: Iterable[tuple[re.Pattern[str], str]], language: str) -> tuple[list[HourHit], str]:
    """What the rules find, and the text without it."""
    hits: list[HourHit] = []
    for pattern, kind in rules:
        for match in pattern.finditer(text):
            found = _hit(match, kind, language)
            if found is not None:
                hits.append(found)
                text = _blanked(text, match.start(), match.end())
    return hits, text


def _blanked(text: str, start: int, end: int) -> str:
    return text[:start] + "\0" * (end - start) + text[end:]


_PARTS: dict[str, Window] = {
    "early": EARLY_MORNING,
    "late_afternoon": LATE_AFTERNOON,
    "evening": EVENING,
    "afternoon": AFTERNOON,
    "morning": MORNING,
    "tonight": EVENING,
}


@cache
def _rules(
    rules_of: Callable[[TimeWords], Iterator[tuple[str, str]]], language: str
) -> tuple[tuple[re.Pattern[str], str], ...]:
    codes = (language, "en") if language in TIME_WORDS and language != "en" else ("en",)
    return tuple(
        (re.compile(pattern, re.IGNORECASE), kind) for code in codes for pattern, kind in rules_of(TIME_WORDS[code])
    )


def _ranges_of(words: TimeWords) -> Iterator[tuple[str, str]]:
    """Rules for what has two ends; each is a time of day, noon, or a thing on the programme."""
    clock, last_clock = _clock(words, "1"), _clock(words, "2")
    first, noon = rf"(?:{clock}|(?P<noon1>{words.noon})|{things(words.code, '1')})", rf"(?P<noon2>{words.noon})"
    last = rf"(?:{last_clock}|{noon}|{things(words.code, '2')})(?![\w.:])"
    # "Python 3 - keynote": a dash parts other things too, so it joins figures only.
    to = rf"(?![-\u2013\u2014])(?:{words.to})\s+"
    yield rf"(?<!\w)(?:{words.between})\s+{first}\s+(?:{words.and_})\s+{last}", "range"
    yield rf"(?<!\w)(?:{words.since})\s+{first}\s*(?:{words.to})\s*{last}", "range"
    yield rf"(?<![\w.:-]){clock}\s*{to}(?:{noon}|{things(words.code, '2')})(?!\w)", "range"
    # French and Spanish have one word for "to" and "at".
    yield rf"(?<!\w)(?P<noon1>{words.noon})\s+(?!(?:{words.at})\s){to}{last_clock}(?![\w.:])", "range"
    yield _bare_range(words), "range"
    # Without "from" or a day it needs a colon or am/pm: "3-4" alone may be anything.
    yield rf"(?<![\w.:-]){clock}\s*(?:{words.to})\s*{last_clock}(?![\w.:-])", "plain range"


def _rules_of(words: TimeWords) -> Iterator[tuple[str, str]]:
    lead = rf"(?:\b(?:{words.every}|{words.lead})\s+)*"
    clock = _clock(words, "1")
    moment = rf"(?:{clock}|(?P<noon1>{words.noon}))"
    # "From 2 pm on" at the end; "from 2 pm on Rust" is about Rust.
    onwards = rf"(?:\s+(?:{words.onwards})(?!\w)|\s+(?:on|an)(?=\s*(?:$|[?!.,;])))"
    yield rf"(?<!\w)(?:{words.before})\s+{moment}(?![\w:]|\.\d)", "before"
    yield rf"(?<!\w)(?:{words.after}|{words.since})\s+{moment}(?![\w:]|\.\d){onwards}?", "after"
    yield rf"(?<![\w.:]){clock}{onwards}", "plain after"
    yield rf"(?<!\w)(?:{words.at})\s*{moment}(?![\w:%]|\.\d)", "at"
    yield rf"(?<![\w.:]){clock}(?![\w.:])", "plain at"
    for name in ("early", "late_afternoon", "tonight", "evening", "afternoon", "morning"):
        yield rf"{lead}(?<![\w'])(?:{getattr(words, name)})(?!\w)", name
    yield rf"{lead}(?<![\w'-])(?P<noon1>{words.noon})(?!\w)", "at"
    yield _bare_range(words), "range"  # "Friday afternoon 2-4"


def _bare_range(words: TimeWords) -> str:
    """Bare figures right after a day or a part of it, which were blanked: "Thursday 9-11"."""
    lengths = rf"[\s-](?:{words.hours}|{words.minutes})(?!\w)"  # "Friday 10-15 minute talks"
    figures = rf"{_clock(words, '1')}\s*(?:{words.to})\s*{_clock(words, '2')}"
    return rf"(?:(?<=\0\s)|(?<=\0[,:]\s)){figures}(?![\w.:]|{lengths})"


def _clock(words: TimeWords, tag: str) -> str:
    """A time of day: 3, 3pm, 15:30, 15.30 Uhr, 15h30 (``when_spoken`` made figures of the words)."""
    return (
        rf"(?P<h{tag}>\d{{1,2}})(?:[:.h](?P<m{tag}>\d\d))?"
        rf"(?:\s?(?P<p{tag}>{words.pm}))?(?:\s?(?P<c{tag}>{words.clock}))?"
    )


def _hit(match: re.Match[str], kind: str, language: str) -> HourHit | None:
    start, end = match.span()
    if kind in _PARTS:
        words = TIME_WORDS.get(language, TIME_WORDS["en"])
        today = kind == "tonight" or _says(words.this, match[0])
        return HourHit(start, end, _PARTS[kind], today=today, every=_says(words.every, match[0]))
    groups = match.groupdict()
    if kind.startswith("plain") and not _is_time(match[0], groups):
        return None
    window = _window(groups, kind)
    if window is None:
        return None
    if kind.endswith("range"):
        ends = anchor_in(groups, "1", "since"), anchor_in(groups, "2", "up to")
        return HourHit(start, end, window, tuple(anchor for anchor in ends if anchor))
    return HourHit(start, end, window, bare=not any(groups.get(name) for name in ("noon1", "p1", "m1", "c1")))


def _window(groups: dict[str, str | None], kind: str) -> Window | None:
    """The minutes meant; None when the figures are no time of day."""
    first = _moment(groups, "1", groups.get("p1") or groups.get("p2"), DAY[0])
    if first is None:
        return None
    if kind.endswith("range"):
        last = _moment(groups, "2", groups.get("p2"), DAY[1])
        if last is not None and last <= first and first >= _HALF_DAY * 60:
            first -= _HALF_DAY * 60  # "11 - 1 pm": the half of the day belongs to the second
        return (first, last) if last is not None and last > first else None
    if kind == "before":
        return 0, first
    return (first, DAY[1]) if kind.endswith("after") else (max(first - AT_BEFORE, 0), first + AT_AFTER)


def _moment(groups: dict[str, str | None], tag: str, half: str | None, unsaid: int) -> int | None:
    """Minutes after midnight, ``unsaid`` where a thing on the programme stands; None when it is no time of day."""
    if groups.get("noon" + tag):
        return NOON
    hour = groups.get("h" + tag)
    return _minute(hour, groups.get("m" + tag), half) if hour else unsaid


def _is_time(said: str, groups: dict[str, str | None]) -> bool:
    """Whether bare figures are a time of day: "14:00-16:00", "2 pm", not "3.12" and not "3-4"."""
    if any(groups.get(name) for name in ("p1", "p2", "c1", "c2")):
        return True
    return ":" in said and any(groups.get(name) for name in ("m1", "m2"))


def _minute(hour: str | None, minute: str | None, half: str | None) -> int | None:
    """Minutes after midnight; None when it is no time of day."""
    hours, minutes = int(hour or 0), int(minute or 0)
    if hours > _LAST_HOUR or minutes > _LAST_MINUTE:
        return None
    letter = half[0].lower() if half else ""
    if letter == "p" and hours < _HALF_DAY:
        hours += _HALF_DAY
    elif letter == "a" and hours == _HALF_DAY:
        hours = 0
    elif not letter and hours < _EARLIEST_BARE_HOUR and not (minute and hour and len(hour) > 1):
        hours += _HALF_DAY  # "at 3", "3:30", "um 3 Uhr"; "03:30" says what it means
    return hours * 60 + minutes


def _says(words: str, text: str) -> bool:
    return re.match(rf"(?:in\s+)?(?:{words})\b", text, re.IGNORECASE) is not None

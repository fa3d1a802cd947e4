"""The time that was spoken of, and others that hang on it: "at the same time", "an hour later", "after that"."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import time, timedelta
from typing import TYPE_CHECKING

from assistants.conference.added_words import says_little
from assistants.conference.entities import Span
from assistants.conference.time_pointers import SAME_TIME, move_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from assistants.conference.reading import Reading
    from assistants.conference.time_pointers import Move
    from services.llm.calls import ChatMessage

__all__ = ["at_the_time_meant"]

_SLOT = re.compile(r"(?P<day>[^·\n]{3,40}?), (?P<start>\d{1,2}:\d\d)(?:\u2013(?P<end>\d{1,2}:\d\d))?")
"""As answers give times: "Thursday 11 July, 16:55\u201317:40"."""
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


def at_the_time_meant(question: str, earlier: Reading, history: Sequence[ChatMessage]) -> Reading:
    """The question, read with the time that hangs on the one spoken of.

    ``history`` is what was said before the question. What was asked for then is not asked for again,
    unless the visitor had named a time and now names no more than another: "tomorrow at 11", "an hour later?".
    """
    if SAME_TIME.search(question):
        return _at_the_same_time(question, earlier, history)
    move = move_in(question)
    if move is None:
        return earlier.gone_on_with(earlier.again(question))
    asked = earlier.again(move.rest)
    if asked.hours:  # "at three, and after that?" tells its time itself
        return earlier.gone_on_with(asked)
    moved = _moved(move, earlier, history)
    if moved is None:
        return earlier.gone_on_with(asked)  # nothing to be earlier than
    if asked.days:
        moved = moved.on_days(asked.days)
    if asked.rooms:
        moved = replace(moved, rooms=asked.rooms, location=asked.location)
    rest = earlier.rest if _own_time(move, earlier) and says_little(asked.rest) else asked.rest
    return replace(moved, rest=rest, language=asked.language)


def _at_the_same_time(question: str, earlier: Reading, history: Sequence[ChatMessage]) -> Reading:
    """The visitor's own time, else that of the first thing answered; on another day where one is named."""
    asked = earlier.again(SAME_TIME.sub(" ", question))
    before = earlier if earlier.hours else _slot_in(history, earlier) or earlier
    if asked.days:
        before = before.on_days(asked.days)
    return replace(before, rest=asked.rest, rooms=asked.rooms, location=asked.location, language=asked.language)


def _moved(move: Move, earlier: Reading, history: Sequence[ChatMessage]) -> Reading | None:
    """The time that is meant; None where none was spoken of that it could hang on.

    "After that" is after the one thing that was answered, "an hour later" an hour after what the
    visitor asked for: the thing may have begun within it.
    """
    own = earlier if _own_time(move, earlier) else None
    slot = _slot_in(history, earlier)
    if move.by is not None:
        return _by(move.by, own or slot or (earlier if earlier.spans else None))
    if _slots(history) == 1:
        return _beside(slot, later=move.later)
    return _beside(own or (None if move.alone else slot), later=move.later)


def _by(length: timedelta, before: Reading | None) -> Reading | None:
    if before is None:
        return None
    spans = tuple(
        Span(start=_shifted(span.start, length), end=_shifted(span.end, length), runs_at=_shifted(span.runs_at, length))
        for span in before.spans
    )
    return _at(before, spans)


def _beside(before: Reading | None, *, later: bool) -> Reading | None:
    """All of that day after the time, or before it."""
    if before is None or not before.spans:
        return None
    zone = before.facts.zone
    if later:
        end = max((span.end.astimezone(zone) for span in before.spans if span.end), default=None)
        span = Span(start=end, end=_midnight(end) + _DAY) if end else None
    else:
        start = min((span.start.astimezone(zone) for span in before.spans if span.start), default=None)
        span = Span(start=_midnight(start), end=start) if start else None
    return _at(before, (span,)) if span else None


def _at(before: Reading, spans: tuple[Span, ...]) -> Reading:
    """The same question at these times, with the words for them that a further one may go on from.

    Figures are read in every language, so the hours are told in them.
    """
    zone = before.facts.zone
    bounds = [(s.start.astimezone(zone), s.end.astimezone(zone)) for s in spans if s.start and s.end]
    days = tuple(dict.fromkeys(f"{start:%-d %B}" for start, _ in bounds))
    if days == tuple(dict.fromkeys(f"{s.start.astimezone(zone):%-d %B}" for s in before.spans if s.start)):
        days = before.days or days
    parts = [(start, end) for start, end in bounds if start.time() != time() or end.time() != time()]
    hours = tuple(dict.fromkeys(f"from {start:%H:%M} to {_last_minute(end):%H:%M}" for start, end in parts))
    clock = dict.fromkeys(f"{start:%H:%M}\u2013{end:%H:%M}" for start, end in parts)
    return replace(before, spans=spans, days=days, hours=hours, time=", ".join((*days, *clock)))


def _last_minute(end: datetime) -> datetime:
    """The end of a window as words can tell it: "to 00:00" would be read as the midnight before."""
    return end if end.time() != time() else end - _MINUTE


def _own_time(move: Move, earlier: Reading) -> bool:
    """Whether the visitor named a time that the move can start from: a time of day, or a day for "a day later"."""
    moments = [moment.astimezone(earlier.facts.zone) for s in earlier.spans for moment in (s.start, s.end) if moment]
    by_days = move.by is not None and not move.by % _DAY
    return bool(moments) and (by_days or any(moment.time() != time() for moment in moments))


def _slot_in(history: Sequence[ChatMessage], now: Reading) -> Reading | None:
    """The first time in the last answer."""
    slot = _SLOT.search(_last_answer(history))
    if slot is None:
        return None
    hours = f"from {slot['start']} to {slot['end']}" if slot["end"] else f"at {slot['start']}"
    return now.again(f"{slot['day'].strip()} {hours}")


def _slots(history: Sequence[ChatMessage]) -> int:
    return len(_SLOT.findall(_last_answer(history)))


def _last_answer(history: Sequence[ChatMessage]) -> str:
    return next((said.text for said in reversed(history) if said.role == "assistant"), "")


def _shifted(moment: datetime | None, length: timedelta) -> datetime | None:
    return moment + length if moment else None


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)

"""Topics that hold words for a time: "night owls", "the Monday effect", "learn Django in two hours"."""

from __future__ import annotations

import re

__all__ = ["without_topics"]

_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_ON_THE_PROGRAMME = (
    r"talks?|sessions?|keynotes?|speakers?|workshops?|tutorials?|events?|posters?|panels?|schedule|program(?:me)?|"
    r"agenda|plan|line-?up|highlights|lunch|breaks?|social|party|dinner|morning|afternoon|evening|first|last|"
    r"opening|closing"
)
_LENGTH = r"\S+ (?:hours?|minutes?|days?|stunden?|minuten|tagen?|horas?|minutos?|d[ií]as?)"

_TOPICS = tuple(
    re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)
    for pattern in (
        r"nights? (?:owls?|shifts?|mode)",
        r"24/7(?!/)",
        r"\d{1,2}(?:st|nd|rd|th) (?:annual|anniversary|century|edition)",
        rf"{_WEEKDAY}(?:['\u2019]s)? (?:effect|blues|deploys?)",
        rf"deploy\w* on {_WEEKDAY}s",
        r"day[ -](?:\d|one|two) (?:operations?|ops)",
        # "Tomorrow's talks" are asked for by their day, "tomorrow's demand" is what a talk is about.
        rf"(?:today|tomorrow|yesterday)['\u2019]s(?= \w)(?! (?:[\w-]+ )?(?:{_ON_THE_PROGRAMME})\b)",
        # How long it takes, not when a talk begins. "Machine learning in two hours" may be either.
        rf"(?:learn|build|write|master|lerne|aprender?) (?!about\b)[^?!.,;:]{{1,60}}? ((?:in|within|en) {_LENGTH})",
    )
)


def without_topics(text: str) -> str:
    """``text`` with a mark for each character that belongs to a topic, so that no rule finds a time there."""
    for pattern in _TOPICS:
        for match in pattern.finditer(text):
            start, end = match.span(match.lastindex or 0)
            text = text[:start] + "\1" * (end - start) + text[end:]
    return text

"""Places in a question are filters, not words: the conference's rooms, found by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Places", "parse_rooms"]

_IN = (
    r"(?:in|at|inside|im|in der|in dem|in den|en|dans|à|au|a la|en la|en el|dans la|dans le)\s+"
    r"(?:the\s+|room\s+|raum\s+)?"
)
_IN_FRONT = re.compile(rf"^{_IN}", re.IGNORECASE)
_LEAD = rf"(?:\b{_IN})?"
_UNKNOWN = re.compile(
    rf"\b{_IN}(?P<place>(?:room|hall|auditorium|theat(?:re|er)|saal|raum|halle|salle|sala)\s+"
    r"[A-Z0-9][\w-]{0,20})\b",
    re.IGNORECASE,
)
"""A room that this conference has not: still a place, and the answer can say that nothing is there."""
_MAX_ROOMS = 500
_CONFERENCES = 32
"""Whose rooms' patterns are kept: compiling those of the sample takes 8 ms."""


@dataclass(frozen=True, slots=True)
class Places:
    """The rooms meant (alternatives, as the conference spells them), the words for them, and the question without."""

    rooms: tuple[str, ...]
    phrases: tuple[str, ...]
    rest: str


def parse_rooms(text: str, rooms: Sequence[str]) -> Places:
    """Find rooms in ``text``: whole names anywhere, part of a name ("in Terrace", "in 2B") behind an "in"."""
    found: list[str] = []
    phrases: list[str] = []
    rest = text
    for pattern, meant in _patterns(tuple(rooms[:_MAX_ROOMS])):
        match = pattern.search(rest)
        if match is None:
            continue
        found += [room for room in meant if room not in found]
        phrases.append(_IN_FRONT.sub("", match[0]).strip())
        rest = f"{rest[: match.start()]} {rest[match.end() :]}"
    unknown = None if found else _UNKNOWN.search(rest)
    if unknown:
        found, phrases = [unknown["place"]], [unknown["place"]]
        rest = f"{rest[: unknown.start()]} {rest[unknown.end() :]}"
    rest = re.sub(r"\s+([?!.,;:])", r"\1", re.sub(r"\s+", " ", rest)).strip(" ,;")
    return Places(tuple(found), tuple(phrases), rest)


@lru_cache(maxsize=_CONFERENCES)
def _patterns(rooms: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    return tuple(_compiled(rooms))


def _compiled(rooms: tuple[str, ...]) -> Iterator[tuple[re.Pattern[str], tuple[str, ...]]]:
    """Whole names first, the longest before those that are part of it; then what several names share."""
    for room in sorted(rooms, key=len, reverse=True):
        yield re.compile(rf"{_LEAD}(?<!\w){_loose(room)}(?!\w)", re.IGNORECASE), (room,)
    parts: dict[str, list[str]] = {}
    for room in rooms:
        words = room.split()
        for part in {" ".join(words[:size]) for size in range(1, len(words))} | {words[-1]}:
            parts.setdefault(part.casefold(), []).append(room)
    for part, meant in sorted(parts.items(), key=lambda item: len(item[0]), reverse=True):
        if part not in _SAYS_NOTHING:
            yield re.compile(rf"\b{_IN}{_loose(part)}(?!\w)", re.IGNORECASE), tuple(meant)


_SAYS_NOTHING = frozenset(
    {"hall", "room", "the", "saal", "raum", "salle", "sala", "a", "b", "c", "d", "e", "main", "of"}
)
"""Ends of many rooms' names: "in hall" names none of them."""


def _loose(name: str) -> str:
    """Match "South Hall 2A" also as "south-hall 2a" and "South Hall2A"."""
    return r"[\s-]*".join(re.escape(word) for word in name.split())

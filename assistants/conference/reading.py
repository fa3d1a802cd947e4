"""What code alone reads out of a question: its times, its places, and what is left to search for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assistants.conference.added_words import with_words
from assistants.conference.entities import Span
from assistants.conference.pointers import other_place_in
from assistants.conference.when import parse_times
from assistants.conference.where import parse_rooms

if TYPE_CHECKING:
    from datetime import datetime

    from assistants.conference.facts import ConferenceFacts

__all__ = ["Reading", "read_question"]

_BARE_HOURS = re.compile(r"^\W*(\d{1,2}(?::\d\d)?)\s*[-\u2013]\s*(\d{1,2}(?::\d\d)?)\W*$")
""""11-12" as a whole question are hours; within one they may be anything."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One question as read against one conference.

    ``spans`` and ``rooms`` are filters, ``time`` and ``location`` the visitor's words for them,
    ``days`` and ``hours`` the words for a time apart; ``rest`` is the question without all these.
    """

    facts: ConferenceFacts
    language: str
    clock: datetime
    rest: str
    spans: tuple[Span, ...] = ()
    rooms: tuple[str, ...] = ()
    time: str | None = None
    location: str | None = None
    days: tuple[str, ...] = ()
    hours: tuple[str, ...] = ()

    @property
    def now(self) -> datetime:
        """The conference's now."""
        return self.facts.local_now(self.clock)

    def bare(self, rest: str) -> Reading:
        """The same conference and moment, nothing but ``rest`` asked."""
        return Reading(self.facts, self.language, self.clock, rest)

    def again(self, text: str) -> Reading:
        """Another text, read as if it were asked at this moment, in this language."""
        return read_question(text, self.facts, self.clock, self.language)

    def gone_on_with(self, later: Reading) -> Reading:
        """What holds after a further question: a new time or place replaces the old one, new words are added.

        A new part of the day is one of the day that was spoken of, a new name stands for the old one.
        """
        if later.hours and not later.days and self.days:
            later = later.on_days(self.days)
        rooms, location = (later.rooms, later.location) if later.rooms else (self.rooms, self.location)
        other = other_place_in(later.rest)
        if other is not None:
            rooms = self._rooms_but_its_own(other.noun)
            location = other.words if rooms else None
            later = replace(later, rest=other.rest)
        return replace(
            later if later.spans else self,
            language=later.language,
            rooms=rooms,
            location=location,
            rest=with_words(self.rest, later.rest, later.language),
        )

    def _rooms_but_its_own(self, noun: str) -> tuple[str, ...]:
        """The other halls, where ``noun`` is "hall" and one was spoken of; none where no room was: anywhere then."""
        left = tuple(room for room in self.facts.rooms if room not in self.rooms) if self.rooms else ()
        return tuple(room for room in left if noun in room.casefold()) or left

    def on_days(self, days: tuple[str, ...]) -> Reading:
        """The same parts of the day, on these days."""
        times = parse_times(" ".join((*days, *self.hours)), self.facts, self.clock, self.language)
        if not times.ranges:
            return self
        spans = tuple(map(Span.of, times.ranges))
        return replace(self, spans=spans, time=", ".join(times.phrases), days=times.days)


def read_question(question: str, facts: ConferenceFacts, clock: datetime, language: str) -> Reading:
    """Read ``question``, asked at ``clock``. Places first: "Hall 3" must not be read as three o'clock."""
    hours = _BARE_HOURS.match(question)
    places = parse_rooms(f"from {hours[1]} to {hours[2]}" if hours else question, facts.rooms)
    times = parse_times(places.rest, facts, clock, language)
    return Reading(
        facts,
        language,
        clock,
        times.rest,
        spans=tuple(map(Span.of, times.ranges)),
        rooms=places.rooms,
        time=", ".join(times.phrases) or None,
        location=", ".join(places.phrases) or None,
        days=times.days,
        hours=times.hours,
    )

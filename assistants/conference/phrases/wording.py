"""What has to be said in each language; fields in braces are filled in with plain, escaped text."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Phrases"]


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language's sentences. ``weekdays`` begin with Monday; ``day`` and ``span`` put dates together."""

    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    day: str
    span: str

    nothing_asked: str
    greeting: str
    thanks: str
    ask_back: str
    which_conference: str
    not_indexed: str

    sessions_found: str
    session_found: str
    programme: str
    programme_at: str
    exhibitors_found: str
    exhibitor_found: str
    speakers_found: str
    speaker_found: str
    people_found: str
    also_exhibitors: str
    also_speakers: str
    also_sessions: str

    nothing_then: str
    near_instead: str
    nearest: str
    nothing_of_type: str
    nothing_found: str
    nothing_at: str
    nothing_known: str
    could_not_look_up: str
    nothing_could_be_looked_up: str

    sessions: str
    exhibitors: str
    speakers: str
    information: str
    booth: str
    talks_at: str

    ask_more: str
    ask_speaker: str
    ask_room: str
    ask_exhibitor: str
    ask_first_day: str
    ask_venue: str

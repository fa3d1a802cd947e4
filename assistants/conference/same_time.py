"""Times that point back: "what else is on at that time?", "at the same time tomorrow"."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from assistants.conference.reading import read_question
from assistants.conference.reference import SAME_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assistants.conference.reading import Reading
    from services.llm.calls import ChatMessage

__all__ = ["at_the_same_time"]

_SLOT = re.compile(r"(?P<day>[^·\n]{3,40}?), (?P<start>\d{1,2}:\d\d)(?:\u2013(?P<end>\d{1,2}:\d\d))?")
"""As answers give times: "Thursday 11 July, 16:55\u201317:40"."""


def at_the_same_time(question: str, earlier: Reading, history: Sequence[ChatMessage]) -> Reading:
    """The question, read with the time that was spoken of: the visitor's own, else that of the first thing answered.

    On another day where one is named. What was asked for then is not asked for again.
    """
    asked = read_question(SAME_TIME.sub(" ", question), earlier.facts, earlier.clock, earlier.language)
    before = earlier if earlier.hours else _slot_in(history, earlier) or earlier
    if asked.days:
        before = before.on_days(asked.days)
    return replace(before, rest=asked.rest, rooms=asked.rooms, location=asked.location, language=asked.language)


def _slot_in(history: Sequence[ChatMessage], now: Reading) -> Reading | None:
    """The first time in the last answer."""
    answer = next((said.text for said in reversed(history) if said.role == "assistant"), "")
    slot = _SLOT.search(answer)
    if slot is None:
        return None
    hours = f"from {slot['start']} to {slot['end']}" if slot["end"] else f"at {slot['start']}"
    return read_question(f"{slot['day'].strip()} {hours}", now.facts, now.clock, now.language)

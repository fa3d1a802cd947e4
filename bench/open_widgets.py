"""Five hundred open widgets: how long an update takes to its own, beside with one open.

Each widget is a WebSocket with its own share's token and a subscription to its own answer's row. One
row at a time is written, and the next after a pause; the time is from just before the write to
the event's arrival at that row's widget, which runs in another process.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING

from bench.figure import Figure
from bench.live_answers import Watch, new_questions
from services.directus_names import MESSAGES

if TYPE_CHECKING:
    from bench.installation import Installation

__all__ = ["measure"]

_WIDGETS = 500
_UPDATES = 60
_PAUSE_S = 0.05
_WITHIN_S = 120.0


async def measure(house: Installation) -> list[Figure]:
    """Medians over sixty updates, with one widget open and with five hundred."""
    one = await _reach_ms(house, 1)
    many = await _reach_ms(house, _WIDGETS)
    return [
        Figure("an update to its widget, 1 open, p50", one, "ms"),
        Figure(f"an update to its widget, {_WIDGETS} open, p50", many, "ms"),
        Figure(f"an update to its widget, {_WIDGETS} open / 1 open", many / one, "times", 1.5),
    ]


async def _reach_ms(house: Installation, widgets: int) -> float:
    questions = await new_questions(house, widgets)
    rows = [
        {
            "id": question.answer_id,
            "conversation_id": question.conversation_id,
            "role": "assistant",
            "status": "streaming",
            "messageText": "",
            "seq": 0,
        }
        for question in questions
    ]
    for start in range(0, widgets, 100):
        await house.directus.create_items(MESSAGES, rows[start : start + 100])
    watch = Watch(house, questions, within_s=_WITHIN_S)
    written: list[tuple[str, int, float]] = []
    try:
        await watch.begin()
        for number in range(1, _UPDATES + 1):
            answer_id = questions[number * 7919 % widgets].answer_id
            written.append((answer_id, number, time.monotonic()))
            await house.directus.update_item(MESSAGES, answer_id, {"messageText": "It grows. " * 100, "seq": number})
            await asyncio.sleep(_PAUSE_S)
        ends = [{"id": question.answer_id, "seq": _UPDATES + 1, "status": "completed"} for question in questions]
        for start in range(0, widgets, 50):
            await house.directus.update_items(MESSAGES, ends[start : start + 50])
        seen = await watch.end()
    finally:
        await watch.stop()
    arrived: dict[tuple[str, int], float] = {
        (answer_id, seq): at for answer_id, told in seen.items() for at, seq in reversed(told["seen"])
    }
    return median((arrived[answer_id, number] - at) * 1000 for answer_id, number, at in written)

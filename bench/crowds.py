"""Fifty answers at once in one worker process, two hundred in two: watched, and with nobody watching.

Watched ones are measured as in bench/live_answers.py. Where nobody watches, an answer's end is when
Directus first says ``completed`` in a read every 0.1 s (begun when the first can end), and its
updates are the writes of its row (``seq``) from the model's beginning until then.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from bench.live_answers import (
    METRICS_S,
    MODEL_S,
    Round,
    asked_at,
    figures,
    new_questions,
    play,
    rounds,
    workers,
)
from services.directus_names import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figure import Figure
    from bench.installation import Installation, Model
    from bench.live_answers import Question

__all__ = ["fifty", "two_hundred"]

_LOOK_S = 0.1
_WITHIN_S = 60.0


async def fifty(house: Installation) -> list[Figure]:
    """Fifty at once, one worker process, all watched; the median of three rounds."""
    return figures("50 answers at once", await rounds(house, 50, times=3), late=1.10, moves=4)


async def two_hundred(house: Installation) -> list[Figure]:
    """Two hundred at once, two worker processes: nobody watching, then all watched."""
    async with workers(house, 2) as model:
        await play(house, model, 2)  # the first turns of a process load the embedder
        alone = await _unwatched(house, model, 200)
        watched = await play(house, model, 200)
    return [
        *figures("200 at once, unwatched", [alone], late=1.08, moves=8),
        *figures("200 at once, watched", [watched], late=1.35, moves=1.2),
    ]


async def _unwatched(house: Installation, model: Model, count: int) -> Round:
    questions = await new_questions(house, count, shared=False)
    await model.asked()
    await model.together(count)
    await asyncio.sleep(METRICS_S)
    writes = await house.counted("erleah_answer_writes")
    began = time.monotonic()
    for start in range(0, count, 100):
        await house.directus.create_items(MESSAGES, [question.row for question in questions[start : start + 100]])
    while not await model.has_begun():  # noqa: ASYNC110 - it is another process's
        await asyncio.sleep(_LOOK_S)
    await asyncio.sleep(MODEL_S)
    ended, rows = await _ends(house, questions)
    asked = await model.asked()
    await asyncio.sleep(METRICS_S)
    writes = await house.counted("erleah_answer_writes") - writes
    took = {
        question.answer_id: ended[question.answer_id] - at
        for question in questions
        # One that ended before the model began was not written by the model: too late for the worker.
        if question.answer_id in ended
        and (at := asked_at(question, asked)) is not None
        and at < ended[question.answer_id]
    }
    rates = [row["seq"] / took[row["id"]] for row in rows if row["id"] in took]
    return Round(
        max(took.values(), default=None),
        max(ended.values(), default=began) - began,
        min(rates, default=0.0),
        writes,
        count - len(took),
    )


async def _ends(house: Installation, questions: Sequence[Question]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """When each answer was first seen completed, and its row."""
    waiting = {question.answer_id for question in questions}
    ended: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    until = time.monotonic() + _WITHIN_S
    while waiting and time.monotonic() < until:
        found = await house.directus.read_items(
            MESSAGES,
            filter={"_and": [{"id": {"_in": sorted(waiting)}}, {"status": {"_eq": "completed"}}]},
            fields=["id", "seq"],
            limit=-1,
        )
        now = time.monotonic()
        ended |= {row["id"]: now for row in found}
        waiting -= ended.keys()
        rows += found
        await asyncio.sleep(_LOOK_S)
    return ended, rows

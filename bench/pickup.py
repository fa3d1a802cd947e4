"""From the accepted hook to the step ``understand``, one question at a time.

Each question is a row written into a real Directus, whose Flow calls the receiver. The figure is the
answer's own ``metadata.timings_ms.queued``: it begins when the receiver puts the job into Redis, just
before it answers 202, and ends when the turn has been made and its first step, ``understand``, is
next: the worker has by then read the message and its conversation from Directus and taken the
lease. One worker, idle at the time: the next question comes after the answer before has ended.
"""

from __future__ import annotations

import asyncio
import random
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from bench.figure import Figure
from bench.live_answers import new_questions
from services.directus_names import MESSAGES

if TYPE_CHECKING:
    from bench.installation import Installation

__all__ = ["measure"]

_QUESTIONS = 100
_WARM_UP = 5
_TOKENS = 40
_PAUSE_S = (0.15, 0.25)
"""Longer than a turn with a model that answers at once takes; uneven, so as not to fall in step with any loop."""


async def measure(house: Installation) -> list[Figure]:
    """The figures over a hundred questions."""
    await house.indexing()
    async with house.model(tokens=_TOKENS) as model, house.worker(model):
        questions = await new_questions(house, _WARM_UP + _QUESTIONS, shared=False)
        answers = []
        for question in questions:
            await house.directus.create_item(MESSAGES, question.row)
            answers.append(await _answer(house, question.answer_id))
    queued = [answer["metadata"]["timings_ms"]["queued"] for answer in answers[_WARM_UP:]]
    percentiles = quantiles(queued, n=100, method="inclusive")
    return [
        Figure("hook accepted to understand, p50", percentiles[49], "ms", 20),
        Figure("hook accepted to understand, p95", percentiles[94], "ms", 40),
    ]


async def _answer(house: Installation, answer_id: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - no secret
            rows = await house.directus.read_items(
                MESSAGES, filter={"id": {"_eq": answer_id}}, fields=["status", "metadata"], limit=1
            )
            if rows and rows[0]["status"] == "completed":
                return rows[0]

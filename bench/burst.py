"""A thousand messages in ten seconds, with a model that answers at once and one worker process.

Each message is a row written into Directus when its time has come, ten every 0.1 s; its Flow calls the receiver, and
so does that of its answer's row. Each call is timed at the receiver's door, with Directus and the worker at work
on the same cores. The worker's index is a server's: a process of its own. Its memory is compared
with what it was after two hundred answers at once, as many as it works on at the same time.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.figure import Figure
from bench.live_answers import Question, new_questions
from services.directus_names import MESSAGES
from services.queue.jobs import Queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.installation import Installation
    from bench.process import ChildProcess

__all__ = ["measure", "tallied"]

_MESSAGES = 1000
_AT_ONCE = 200
_BATCH = 10
_APART_S = 0.1
_TOKENS = 40
_WITHIN_S = 240.0
_LOOK_S = 0.25
_STILL_S = 3.0
"""What the worker still counts and tidies up behind the last answer."""


async def measure(house: Installation) -> list[Figure]:
    """One burst, and its end."""
    await house.indexing()
    async with AsyncExitStack() as stack:
        qdrant = await stack.enter_async_context(house.qdrant())
        model = await stack.enter_async_context(house.model(tokens=_TOKENS))
        worker = await stack.enter_async_context(house.worker(model, QDRANT_URL=qdrant))
        await _play(house, await new_questions(house, _AT_ONCE, shared=False, tagged=False), batch=_AT_ONCE)
        hooks = await stack.enter_async_context(house.timed_hooks())
        questions = await new_questions(house, _MESSAGES, shared=False, tagged=False)
        await asyncio.sleep(_STILL_S)
        before_mb = worker.memory_mb
        memory = asyncio.create_task(_peak_mb(worker))
        written_s, took_s, rows = await _play(house, questions, batch=_BATCH)
        await asyncio.sleep(_STILL_S)
        memory.cancel()
        peak_mb, end_mb = max(await memory, worker.memory_mb), worker.memory_mb
        left = await house.queue.depth(Queue.TURNS)
    unanswered, strangers = tallied(questions, rows)
    return [
        Figure("burst of 1,000: all written within", written_s, "s", _MESSAGES / _BATCH * _APART_S + 1),
        Figure("burst of 1,000: calls of the Flows", len(hooks.times_ms), "calls"),
        Figure("burst of 1,000: receiver, p99", hooks.p99_ms, "ms", 50),
        Figure("burst of 1,000: calls not accepted", hooks.refused, "calls", 0),
        Figure("burst of 1,000: not answered", unanswered, "messages", 0),
        Figure("burst of 1,000: answers too many", strangers, "answers", 0),
        Figure("burst of 1,000: left in the queue", left.waiting + left.running, "jobs", 0),
        Figure("burst of 1,000: until all were answered", took_s, "s"),
        Figure("burst of 1,000: worker's memory before", before_mb, "MB"),
        Figure("burst of 1,000: worker's memory at most", peak_mb, "MB"),
        Figure("burst of 1,000: worker's memory at the end", end_mb, "MB"),
        Figure("burst of 1,000: worker's memory, at most / before", peak_mb / before_mb, "times", 1.1),
    ]


def tallied(questions: Sequence[Question], rows: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Of all rows written meanwhile: questions without a completed answer of their own, answers that are nobody's."""
    wanted = {question.answer_id for question in questions}
    answers = [row for row in rows if row["role"] == "assistant"]
    completed = {row["id"] for row in answers if row["status"] == "completed"}
    return len(wanted - completed), sum(row["id"] not in wanted for row in answers)


async def _play(
    house: Installation, questions: Sequence[Question], *, batch: int
) -> tuple[float, float, list[dict[str, Any]]]:
    """Write them in batches and wait for their answers: seconds to the last write and the last answer, all rows."""
    since, began = datetime.now(UTC).isoformat(), time.monotonic()

    async def write(number: int) -> float:
        await asyncio.sleep(number * _APART_S)
        part = questions[number * batch : (number + 1) * batch]
        await house.directus.create_items(MESSAGES, [question.row for question in part])
        return time.monotonic() - began

    written = await asyncio.gather(*(write(number) for number in range(len(questions) // batch)))
    meanwhile = {"date_created": {"_gte": since}}
    answered = {"_and": [meanwhile, {"role": {"_eq": "user"}}, {"status": {"_eq": "answered"}}]}
    while time.monotonic() < began + _WITHIN_S:
        if await house.directus.count_items(MESSAGES, filter=answered) >= len(questions):
            break
        await asyncio.sleep(_LOOK_S)
    took_s = time.monotonic() - began
    rows = await house.directus.read_items(MESSAGES, filter=meanwhile, fields=["id", "role", "status"], limit=-1)
    return max(written), took_s, rows


async def _peak_mb(worker: ChildProcess) -> float:
    """The greatest memory until cancelled."""
    most = 0.0
    try:
        while True:
            most = max(most, worker.memory_mb)
            await asyncio.sleep(_LOOK_S)
    except asyncio.CancelledError:
        return most

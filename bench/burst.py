"""A thousand messages in ten seconds, with a model that answers at once and one worker process.

The rows are written while the receiver is away, so that their Flows' calls come to nothing; then the
same calls are made at an even pace, 100 a second, and timed. The receiver's time is from the call's
start to its 202, over a pool of connections, with the worker at work on the same cores.
"""

from __future__ import annotations

import asyncio
import time
from statistics import quantiles
from typing import TYPE_CHECKING

import httpx

from bench.figure import Figure
from bench.live_answers import Question, new_questions
from services.directus_names import MESSAGES
from services.queue.jobs import Queue
from webhook.hooks import SECRET_HEADER

if TYPE_CHECKING:
    from bench.installation import Installation
    from bench.process import ChildProcess

__all__ = ["measure"]

_MESSAGES = 1000
_FOR_S = 10.0
_TOKENS = 40
_WITHIN_S = 240.0
_LOOK_S = 0.5


async def measure(house: Installation) -> list[Figure]:
    """One burst, and its end."""
    await house.indexing()
    questions = await new_questions(house, _MESSAGES, shared=False)
    house.stop_receiver()
    for start in range(0, _MESSAGES, 100):
        await house.directus.create_items(MESSAGES, [question.row for question in questions[start : start + 100]])
    await house.start_receiver()
    async with house.model(tokens=_TOKENS) as model, house.worker(model) as worker:
        began = time.monotonic()
        draining = asyncio.create_task(_drain(house, worker, questions))
        times_ms, refused = await _call(house, questions)
        half_mb, end_mb, answered = await draining
        took = time.monotonic() - began
        left = await house.queue.depth(Queue.TURNS)
    ids = {"conversation_id": {"_in": [question.conversation_id for question in questions]}}
    answers = await house.directus.count_items(MESSAGES, filter={"_and": [ids, {"role": {"_eq": "assistant"}}]})
    return [
        Figure("burst of 1,000: receiver, p99", quantiles(times_ms, n=100, method="inclusive")[98], "ms", 50),
        Figure("burst of 1,000: not accepted", refused, "messages", 0),
        Figure("burst of 1,000: not answered", _MESSAGES - answered, "messages", 0),
        Figure("burst of 1,000: answered twice", max(answers - _MESSAGES, 0), "messages", 0),
        Figure("burst of 1,000: left in the queue", left.waiting + left.running, "jobs", 0),
        Figure("burst of 1,000: until all were answered", took, "s"),
        Figure("burst of 1,000: worker's memory, at the end / at half", end_mb / half_mb, "times", 1.1),
    ]


async def _call(house: Installation, questions: list[Question]) -> tuple[list[float], int]:
    """Make the Flows' calls; the milliseconds of each, and how many were not accepted."""
    began = time.monotonic()
    headers = {SECRET_HEADER: house.webhook_secret}
    async with httpx.AsyncClient(trust_env=False, timeout=30, headers=headers) as client:

        async def call(number: int, question: Question) -> tuple[float, bool]:
            await asyncio.sleep(max(began + number * _FOR_S / _MESSAGES - time.monotonic(), 0))
            body = {
                "event": "messages.items.create",
                "collection": MESSAGES,
                "key": question.message_id,
                "payload": {"role": "user"},
            }
            called = time.monotonic()
            answer = await client.post(f"{house.receiver_url}/hooks/message-created", json=body)
            return (time.monotonic() - called) * 1000, answer.status_code == httpx.codes.ACCEPTED

        calls = await asyncio.gather(*(call(number, question) for number, question in enumerate(questions)))
    return [took for took, _ in calls], sum(not accepted for _, accepted in calls)


async def _drain(house: Installation, worker: ChildProcess, questions: list[Question]) -> tuple[float, float, int]:
    """Wait for all answers; the worker's memory when half were there and at the end, and how many there are."""
    ids = {"id": {"_in": [question.message_id for question in questions]}}
    half_mb = 0.0
    answered = 0
    until = time.monotonic() + _WITHIN_S
    while answered < _MESSAGES and time.monotonic() < until:
        await asyncio.sleep(_LOOK_S)
        answered = await house.directus.count_items(MESSAGES, filter={"_and": [ids, {"status": {"_eq": "answered"}}]})
        if not half_mb and answered >= _MESSAGES / 2:
            half_mb = worker.memory_mb
    return half_mb or worker.memory_mb, worker.memory_mb, answered

"""Twenty minutes at five turns a second: what grows in the worker, the receiver and Redis.

Each question is a row written into Directus, in one of many conversations, each asked again every minute or so; Flow,
receiver, queue, worker, a Qdrant stand-in and a model that answers at once do the rest. Every few seconds memory,
open files and Redis are looked at. The first quarter warms up: pools fill, and so do the thousand
recordings that are kept. The rest is a line by least squares.

Each turn leaves a key that lives for an hour, so their number grows for the first hour. A soak of 80 minutes or more
warms up until that is over, and shows that it stands still.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import linear_regression, median
from typing import TYPE_CHECKING
from uuid import uuid4

from bench.burst import tallied
from bench.figure import Figure
from bench.live_answers import QUESTIONS, Question, new_questions
from services.directus_names import MESSAGES
from services.queue.jobs import Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.installation import Installation
    from bench.process import ChildProcess
    from services.redis import RedisClient

__all__ = ["TURNS_PER_S", "Sample", "growth", "key_kind", "kinds_of_keys", "measure", "warm_up_s"]

TURNS_PER_S = 5.0
_CONVERSATIONS = 300
_TOKENS = 40
_LOOK_S = 5.0
_WARM_UP = 0.25
"""Of the whole time."""
_KEYS_FULL_S = 3720.0
"""After this the first of the keys that live longest (``redis_keys.TURN_FREE_TTL_S``) have gone again."""
_KEYS_SEEN_S = 1000.0
"""A slope of the number of keys needs this long behind it."""
_WITHIN_S = 60.0
"""The last answers come within this of the last question."""
_MB_PER_HOUR = 60.0
"""1 MB a minute, 3.3 kB a turn: what a Python process's memory moves by from look to look hides less than that."""
_KEYS_PER_HOUR = 180.0
"""A hundredth of the turns asked for: turns do not come as evenly as they go."""
_SOME = 2.0
"""One connection more or less is in a pool by chance."""
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Sample:
    """One look, ``at`` monotonic seconds; memory in MB (10⁶ bytes)."""

    at: float
    worker_mb: float
    worker_files: int
    receiver_mb: float
    receiver_files: int
    redis_mb: float
    redis_keys: int
    redis_clients: int


async def measure(house: Installation, *, minutes: float = 20) -> list[Figure]:
    """``minutes`` of turns, then the slopes."""
    await house.indexing()
    async with AsyncExitStack() as stack:
        qdrant = await stack.enter_async_context(house.qdrant())
        model = await stack.enter_async_context(house.model(tokens=_TOKENS))
        worker = await stack.enter_async_context(house.worker(model, QDRANT_URL=qdrant))
        conversations = [one.conversation_id for one in await new_questions(house, _CONVERSATIONS, shared=False)]
        since, began = datetime.now(UTC).isoformat(), time.monotonic()
        asking = asyncio.create_task(_ask(house, conversations, minutes * 60))
        try:
            await _look(house, worker, began + warm_up_s(minutes * 60))
            kinds = await kinds_of_keys(house.redis)
            samples = await _look(house, worker, began + minutes * 60)
            questions = await asking
        finally:
            asking.cancel()
        unanswered, strangers = await _settled(house, questions, since)
        grown = await kinds_of_keys(house.redis) - kinds
        left = await house.queue.depth(Queue.TURNS)
    return [
        *growth(samples, are_keys_full=warm_up_s(minutes * 60) >= _KEYS_FULL_S),
        Figure("soak: Redis keys without a lifetime, grown by", _of(grown, "forever"), "keys", 0),
        Figure("soak: Redis keys that live longer than an hour, grown by", _of(grown, "long"), "keys", 0),
        Figure("soak: Redis keys that live an hour at most, grown by", _of(grown, "short"), "keys"),
        Figure("soak: turns asked for", len(questions), "turns"),
        Figure("soak: not answered", unanswered, "messages", 0),
        Figure("soak: answers too many", strangers, "answers", 0),
        Figure("soak: left in the queue", left.waiting + left.running, "jobs", 0),
    ]


def warm_up_s(whole_s: float) -> float:
    """How much of a soak counts for nothing."""
    quarter = whole_s * _WARM_UP
    return max(quarter, _KEYS_FULL_S) if whole_s >= _KEYS_FULL_S + _KEYS_SEEN_S else quarter


def growth(samples: Sequence[Sample], *, are_keys_full: bool = False) -> list[Figure]:
    """How fast each thing grew, by least squares, and open files at the end against the begin.

    ``are_keys_full`` says that as many keys go as come, so that their number has to stand still.
    """

    def per_hour(of: Callable[[Sample], float]) -> float:
        return linear_regression([one.at for one in samples], [of(one) for one in samples]).slope * _HOUR_S

    def more(of: Callable[[Sample], float]) -> float:
        """Medians of the last and the first fifth."""
        fifth = max(1, len(samples) // 5)
        return median(map(of, samples[-fifth:])) - median(map(of, samples[:fifth]))

    return [
        Figure("soak: worker's memory at the end", samples[-1].worker_mb, "MB"),
        Figure("soak: worker's memory, growth", per_hour(lambda one: one.worker_mb), "MB/h", _MB_PER_HOUR),
        Figure("soak: receiver's memory, growth", per_hour(lambda one: one.receiver_mb), "MB/h", _MB_PER_HOUR),
        Figure("soak: worker's open files and sockets, more", more(lambda one: one.worker_files), "", _SOME),
        Figure("soak: receiver's open files and sockets, more", more(lambda one: one.receiver_files), "", _SOME),
        Figure("soak: Redis's connections, more", more(lambda one: one.redis_clients), "", _SOME),
        Figure("soak: Redis's memory, growth", per_hour(lambda one: one.redis_mb), "MB/h"),
        Figure(
            "soak: Redis's keys, growth",
            per_hour(lambda one: one.redis_keys),
            "keys/h",
            _KEYS_PER_HOUR if are_keys_full else None,
        ),
    ]


def key_kind(key: str, ttl_s: int) -> tuple[str, str]:
    """How long a key lives (forever, long, short), and its name without ids; ``ttl_s`` as Redis tells it."""
    lives = "forever" if ttl_s == -1 else "long" if ttl_s > _HOUR_S else "short"
    return lives, re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "*", key)


async def _ask(house: Installation, conversations: Sequence[str], seconds: float) -> list[Question]:
    """Write a question five times a second, round the conversations."""
    began = time.monotonic()
    questions: list[Question] = []
    async with asyncio.TaskGroup() as writing:
        for number in range(round(seconds * TURNS_PER_S)):
            message_id = str(uuid4())
            text = QUESTIONS[number % len(QUESTIONS)]
            questions.append(Question(message_id, conversations[number % len(conversations)], text))
            await asyncio.sleep(max(began + number / TURNS_PER_S - time.monotonic(), 0))
            writing.create_task(house.directus.create_item(MESSAGES, questions[-1].row))
    return questions


async def _look(house: Installation, worker: ChildProcess, until: float) -> list[Sample]:
    samples = []
    while time.monotonic() < until:
        info = await house.redis.info()
        samples.append(
            Sample(
                time.monotonic(),
                worker.memory_mb,
                worker.open_files,
                house.receiver.memory_mb,
                house.receiver.open_files,
                info["used_memory"] / 1e6,
                await house.redis.dbsize(),
                info["connected_clients"],
            )
        )
        await asyncio.sleep(_LOOK_S)
    return samples


async def _settled(house: Installation, questions: Sequence[Question], since: str) -> tuple[int, int]:
    """Wait for the last answers: how many questions have none of their own, how many answers are nobody's."""
    until = time.monotonic() + _WITHIN_S
    while True:
        rows = await house.directus.read_items(
            MESSAGES, filter={"date_created": {"_gte": since}}, fields=["id", "role", "status"], limit=-1
        )
        unanswered, strangers = tallied(questions, rows)
        if not unanswered or time.monotonic() > until:
            return unanswered, strangers
        await asyncio.sleep(_LOOK_S)


async def kinds_of_keys(redis: RedisClient) -> Counter[tuple[str, str]]:
    """How many keys of each kind there are now."""
    keys = [key async for key in redis.scan_iter(count=1000)]
    async with redis.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.ttl(key)
        lifetimes = await pipeline.execute()
    return Counter(key_kind(key.decode(), ttl) for key, ttl in zip(keys, lifetimes, strict=True))


def _of(kinds: Counter[tuple[str, str]], lives: str) -> int:
    return sum(count for (which, _), count in kinds.items() if which == lives)

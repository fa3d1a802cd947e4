"""Answers at once, each watched by its visitor: how late they end, how often they move.

A question is a row written into Directus; the Flow, the receiver, the queue, a worker, the model
stand-in (a process of its own) and the visitor's WebSocket do the rest, all of them real. An
answer's end is when its visitor sees ``status=completed``. Its beginning is when the model begins, which it does
for all when it has been asked for the last: a turn takes a worker 20 ms and Directus as long before that, and of two
hundred that begin one after the other never more than a hundred would be live.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bench.figure import Better, Figure
from bench.process import ROOT, environment
from services.answer_ids import answer_id_of
from services.directus_names import CONVERSATIONS, MESSAGES, VISITOR_ROLE_ID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from bench.installation import Installation, Model

__all__ = [
    "METRICS_S",
    "MODEL_S",
    "QUESTIONS",
    "TOKENS",
    "TOKENS_PER_SECOND",
    "Question",
    "Round",
    "Watch",
    "figures",
    "new_questions",
    "play",
    "rounds",
    "workers",
]

TOKENS = 300
TOKENS_PER_SECOND = 60
MODEL_S = TOKENS / TOKENS_PER_SECOND
"""The model's own time: from its being asked to its last token, 5 s."""

QUESTIONS = (
    "Which talks are about testing?",
    "Who speaks about databases?",
    "Is there anything on type checking?",
    "What can I learn about asyncio?",
    "Are there talks on machine learning?",
    "Which sessions are for beginners?",
    "Who can help me with packaging?",
    "Is there something about the web?",
)
"""All of them find something in the sample conference."""

_WITHIN_S = 60.0
METRICS_S = 2.5
"""Workers add their counts to Redis every 2 s."""


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation with its share's token, and the message to be written in it."""

    message_id: str
    conversation_id: str
    text: str
    token: str = ""

    @property
    def answer_id(self) -> str:
        """The id its answer will have."""
        return answer_id_of(self.message_id)

    @property
    def row(self) -> dict[str, Any]:
        """The message as a client writes it."""
        return {
            "id": self.message_id,
            "conversation_id": self.conversation_id,
            "role": "user",
            "messageText": self.text,
        }


@dataclass(frozen=True, slots=True)
class Round:
    """One round; seconds, and updates a second that each visitor saw."""

    slowest_s: float | None
    """From the model's beginning to the end, of the answer that took longest."""
    asked_to_end_s: float | None
    """From the write of the questions to the end of the last answer."""
    updates_per_s: float
    """Of the answer that moved least."""
    writes: float
    """Writes to Directus by the answer pump."""
    unfinished: int


async def new_questions(house: Installation, count: int, *, shared: bool = True, tagged: bool = True) -> list[Question]:
    """Conversations with one question each to ask, and where ``shared`` a visitor's token of each.

    Where ``tagged``, its message's id is in its text, so that ``asked_at`` can tell when the model was asked.
    """
    conversations = [{"id": str(uuid4()), "source": "mini", "conference_id": house.conference_id} for _ in range(count)]
    for start in range(0, count, 100):
        await house.directus.create_items(CONVERSATIONS, conversations[start : start + 100])
    slots = asyncio.Semaphore(4)

    async def question(number: int, conversation_id: str) -> Question:
        message_id = str(uuid4())
        text = f"{QUESTIONS[0]} ({message_id})" if tagged else QUESTIONS[number % len(QUESTIONS)]
        if not shared:
            return Question(message_id, conversation_id, text)
        async with slots:
            share = await house.directus.create_share(CONVERSATIONS, conversation_id, role=VISITOR_ROLE_ID)
            access = await house.directus.open_share(share)
        return Question(message_id, conversation_id, text, access.access_token)

    return await asyncio.gather(*(question(number, row["id"]) for number, row in enumerate(conversations)))


class Watch:
    """The visitors' process: ``begin`` returns when all have subscribed, ``end`` gives what they saw."""

    def __init__(self, house: Installation, questions: Sequence[Question], *, within_s: float = _WITHIN_S) -> None:
        self._plan = {
            "url": house.websocket_url,
            "origin": house.receiver_url,
            "within_s": within_s,
            "watch": [{"token": question.token, "answer_id": question.answer_id} for question in questions],
        }
        self._process: asyncio.subprocess.Process | None = None

    async def begin(self) -> None:
        """Open the sockets and subscribe."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.visitors"),
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=64 * 1024 * 1024,  # a line of JSON with everything all of them saw
        )
        assert self._process.stdin is not None  # noqa: S101 - it was asked for above
        self._process.stdin.write(json.dumps(self._plan).encode())
        await self._process.stdin.drain()
        self._process.stdin.close()
        async with asyncio.timeout(60):
            if await self._line() != b"ready\n":
                raise RuntimeError("the visitors could not subscribe")

    async def end(self) -> dict[str, Any]:
        """What each saw, by answer id: see bench/visitors.py."""
        seen: dict[str, Any] = json.loads(await self._line())
        return seen

    async def stop(self) -> None:
        """End the process if it still runs."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()

    async def _line(self) -> bytes:
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("the visitors have not begun")
        return await self._process.stdout.readline()


async def play(house: Installation, model: Model, count: int) -> Round:
    """One round of ``count`` questions written at the same moment."""
    questions = await new_questions(house, count)
    watch = Watch(house, questions)
    try:
        await watch.begin()
        await model.asked()
        await model.together(count)
        await asyncio.sleep(METRICS_S)
        writes = await house.counted("erleah_answer_writes")
        began = time.monotonic()
        for start in range(0, count, 100):
            await house.directus.create_items(MESSAGES, [one.row for one in questions[start : start + 100]])
        seen = await watch.end()
    finally:
        await watch.stop()
    asked = await model.asked()
    await asyncio.sleep(METRICS_S)
    writes = await house.counted("erleah_answer_writes") - writes
    took, rates, ended = [], [], []
    for question in questions:
        told = seen[question.answer_id]
        at = asked_at(question, asked)
        if told["status"] != "completed" or at is None:
            continue
        took.append(told["ended_at"] - at)
        ended.append(told["ended_at"] - began)
        rates.append(update_rate(told["seen"]))
    return Round(max(took, default=None), max(ended, default=None), min(rates, default=0.0), writes, count - len(took))


def asked_at(question: Question, asked: Mapping[str, float]) -> float | None:
    """When the model began to answer this question; None when it was not asked to."""
    return next((at for text, at in asked.items() if question.message_id in text), None)


def update_rate(seen: list[list[float]]) -> float:
    """Updates a second that a visitor saw: different states by ``seq``, from the first to the last."""
    if len(seen) < 2:
        return 0.0
    return (len({seq for _, seq in seen}) - 1) / (seen[-1][0] - seen[0][0])


async def rounds(house: Installation, count: int, *, times: int) -> list[Round]:
    """``times`` rounds, after one answer that warms the worker up."""
    async with workers(house, 1) as model:
        await play(house, model, 1)
        return [await play(house, model, count) for _ in range(times)]


@asynccontextmanager
async def workers(house: Installation, count: int) -> AsyncIterator[Model]:
    """A model and workers of their own, with the index in a process beside them, as a Qdrant server's would be."""
    await house.indexing()
    async with AsyncExitStack() as stack:
        qdrant = await stack.enter_async_context(house.qdrant())
        model = await stack.enter_async_context(house.model(tokens=TOKENS, tokens_per_second=TOKENS_PER_SECOND))
        for _ in range(count):
            await stack.enter_async_context(house.worker(model, QDRANT_URL=qdrant))
        yield model


async def measure(house: Installation) -> list[Figure]:
    """One and ten answers at once."""
    return [
        *figures("1 answer", await rounds(house, 1, times=3), late=1.05, moves=6),
        *figures("10 answers at once", await rounds(house, 10, times=3), late=1.05, moves=6),
    ]


def figures(what: str, played: Sequence[Round], *, late: float, moves: float) -> list[Figure]:
    """Medians over the rounds; the goals ``late`` and ``moves`` are for the slowest answer of each."""
    slowest = _median(one.slowest_s for one in played)
    return [
        Figure(f"{what}: end / model's own time", None if slowest is None else slowest / MODEL_S, "times", late),
        Figure(f"{what}: from question to end", _median(one.asked_to_end_s for one in played), "s"),
        Figure(
            f"{what}: updates a second, slowest answer",
            _median(one.updates_per_s for one in played),
            "1/s",
            moves,
            Better.MORE,
        ),
        Figure(f"{what}: writes to Directus", _median(one.writes for one in played), "writes"),
        Figure(f"{what}: not finished", sum(one.unfinished for one in played), "answers", 0),
    ]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None

"""The machine's own CPU time for a turn: a whole worker process, and nothing to wait for.

Real Redis; a model stand-in that answers at once and a Qdrant stand-in with the sample conference, each a process that
is not counted; the stand-in for Directus, served without delay by the measuring process (not counted either). What is
counted is all of the worker process: queue, state machine, saves, routing by the local embedder, the search's
calls and scoring, the prompt with all that was found, the model's SDK, the answer's writes. The same with the index
embedded in the worker is told beside it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from statistics import median
from typing import TYPE_CHECKING
from uuid import uuid4

from bench.figure import Figure
from services.answer_ids import answer_id_of
from services.directus_names import CONFERENCES, CONVERSATIONS, EXHIBITORS, MESSAGES, SESSIONS, SPEAKERS
from services.queue.jobs import AnswerJob
from standins.directus import DirectusStandIn
from standins.directus_tables import FIELDS
from webhook.server import listen, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.installation import Installation
    from bench.process import ChildProcess

__all__ = ["measure"]

_TURNS = 100
_ROUNDS = 5
_IN_FLIGHT = 10
_TOKENS = 40


async def measure(house: Installation) -> list[Figure]:
    """Medians over the rounds, after one that warms up."""
    await house.indexing()
    async with _directus(house) as (standin, url), house.model(tokens=_TOKENS) as model, house.qdrant() as qdrant:
        settings = {"DIRECTUS_URL": url, "DIRECTUS_API_KEY": standin.token}
        async with house.worker(model, QDRANT_URL=qdrant, **settings) as worker:
            own = await _cpu_ms(house, standin, worker)
        async with house.worker(model, **settings) as worker:
            with_search = await _cpu_ms(house, standin, worker)
    return [
        Figure("CPU of a turn: the machine's own", own, "ms", 15),
        Figure("CPU of a turn: with an embedded index", with_search, "ms"),
    ]


@asynccontextmanager
async def _directus(house: Installation) -> AsyncIterator[tuple[DirectusStandIn, str]]:
    standin = DirectusStandIn()
    for collection in (CONFERENCES, SESSIONS, EXHIBITORS, SPEAKERS):  # what was found is read again before it is named
        async for row in house.directus.iterate_items(collection, fields=sorted(FIELDS[collection])):
            standin.put(collection, **row)
    listener = listen("127.0.0.1", 0)
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(standin.app, listener, stop=stop))
    try:
        yield standin, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        await serving


async def _cpu_ms(house: Installation, standin: DirectusStandIn, worker: ChildProcess) -> float:
    """CPU milliseconds of a turn."""
    rounds = []
    for _ in range(1 + _ROUNDS):
        before = worker.cpu_s
        slots = asyncio.Semaphore(_IN_FLIGHT)
        async with asyncio.timeout(60):
            await asyncio.gather(*(_turn(house, standin, slots) for _ in range(_TURNS)))
        rounds.append((worker.cpu_s - before) / _TURNS * 1000)
    return median(rounds[1:])


async def _turn(house: Installation, standin: DirectusStandIn, slots: asyncio.Semaphore) -> None:
    async with slots:
        conversation, message = str(uuid4()), str(uuid4())
        standin.put(CONVERSATIONS, id=conversation, source="mini", conference_id=house.conference_id)
        text = "Which talks are about testing?"
        standin.put(MESSAGES, id=message, conversation_id=conversation, role="user", messageText=text)
        await house.queue.enqueue(AnswerJob(message_id=message))
        rows = standin.tables.rows[MESSAGES]
        while rows[message].get("status") != "answered":  # noqa: ASYNC110 - the stand-in has no event for it
            await asyncio.sleep(0.01)
        if not rows[answer_id_of(message)]["metadata"]["sources"]:
            raise RuntimeError("a turn found nothing: it costs less than a visitor's")
        for collection, ids in {MESSAGES: (message, answer_id_of(message)), CONVERSATIONS: (conversation,)}.items():
            for row in ids:  # the stand-in looks through all it has: a slow Directus would be counted as the worker's
                del standin.tables.rows[collection][row]
        standin.writes.clear()

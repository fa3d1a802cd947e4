"""Resident memory of a worker process with fifty turns in flight, with the OpenAI embedder.

The stand-in serves chat and ``/embeddings`` (1,536 numbers). No Qdrant server runs here. The goal is for a
worker without the index inside, as with a server: its index is embedded and empty, so its tools find
nothing and the turns go on to their answers. The same with the sample conference's index embedded in
the worker is told beside it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.figure import Better, Figure
from bench.live_answers import TOKENS, TOKENS_PER_SECOND, new_questions
from services.directus_names import MESSAGES

if TYPE_CHECKING:
    from bench.installation import Installation
    from bench.process import ChildProcess

__all__ = ["measure"]

_TURNS = 50
_LOOK_S = 0.1
_LOOK_FOR_S = 60.0


async def measure(house: Installation) -> list[Figure]:
    """The greatest memory while the turns run, without and with an index inside, and how many ran at once."""
    await house.indexing()  # so that the conference is loaded
    async with house.model(tokens=TOKENS, tokens_per_second=TOKENS_PER_SECOND) as model:
        settings = {
            "EMBEDDING_PROVIDER": "openai",
            "OPENAI_BASE_URL": f"{model.url}/v1",
            "OPENAI_API_KEY": "none",
        }
        async with house.worker(model, QDRANT_URL="embedded://", **settings) as worker:
            idle = worker.memory_mb
            without, at_once = await _with_turns(house, worker)
        settings["QDRANT_URL"] = f"embedded://{house.folder / 'index-openai'}"
        async with house.worker(model, **settings):  # another one, so that what indexing took is not counted
            await house.command("reindex", "--full", "--wait", **settings)
        async with house.worker(model, **settings) as worker:
            inside, _ = await _with_turns(house, worker)
    return [
        Figure("worker's memory, idle", idle, "MB"),
        Figure("worker's memory, 50 turns in flight", without, "MB", 300),
        Figure("worker's memory, 50 turns in flight, index inside", inside, "MB"),
        Figure("worker's memory: turns in flight at the same moment", at_once, "turns", _TURNS, Better.MORE),
    ]


async def _with_turns(house: Installation, worker: ChildProcess) -> tuple[float, int]:
    """The greatest memory in MB while the turns run, and how many of them ran at the same moment."""
    questions = await new_questions(house, _TURNS, shared=False)
    await house.directus.create_items(MESSAGES, [question.row for question in questions])
    ids = {"id": {"_in": [question.answer_id for question in questions]}}
    most, at_once, ended = 0.0, 0, 0
    async with asyncio.timeout(_LOOK_FOR_S):
        while ended < _TURNS:
            await asyncio.sleep(_LOOK_S)
            most = max(most, worker.memory_mb)
            running = await house.queue.workers()
            at_once = max(at_once, *(seen.running for seen in running if seen.pid == worker.pid), 0)
            ended = await house.directus.count_items(MESSAGES, filter={"_and": [ids, _COMPLETED]})
    return most, at_once


_COMPLETED = {"status": {"_eq": "completed"}}

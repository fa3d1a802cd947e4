"""Resident memory of a worker process with fifty turns in flight, with the OpenAI embedder.

The stand-in serves chat and ``/embeddings`` (1,536 numbers). The goal is for a worker with its index in a server, here
the Qdrant stand-in with the sample conference, so that each turn finds sessions and holds them and its
prompt; the same with the index embedded in the worker is told beside it.
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
    """The greatest memory while the turns run, with a server and with an index inside, and how many ran at once."""
    await house.indexing()  # so that the conference is loaded
    async with house.model(tokens=TOKENS, tokens_per_second=TOKENS_PER_SECOND) as model:
        settings = {
            "EMBEDDING_PROVIDER": "openai",
            "OPENAI_BASE_URL": f"{model.url}/v1",
            "OPENAI_API_KEY": "none",
        }
        index = house.folder / "index-openai"
        inside = settings | {"QDRANT_URL": f"embedded://{index}"}
        async with house.worker(model, **inside):  # another one, so that what indexing took is not counted
            await house.command("reindex", "--full", "--wait", **inside)
        async with house.worker(model, **inside) as worker:
            embedded_mb, _, _ = await _with_turns(house, worker)
        async with house.qdrant(index) as qdrant, house.worker(model, QDRANT_URL=qdrant, **settings) as worker:
            idle = worker.memory_mb
            most_mb, at_once, found = await _with_turns(house, worker)
    return [
        Figure("worker's memory, idle", idle, "MB"),
        Figure("worker's memory, 50 turns in flight", most_mb, "MB", 300),
        Figure("worker's memory, 50 turns in flight, index inside", embedded_mb, "MB"),
        Figure("worker's memory: turns in flight at the same moment", at_once, "turns", _TURNS, Better.MORE),
        Figure("worker's memory: turns that found something", found, "turns"),
    ]


async def _with_turns(house: Installation, worker: ChildProcess) -> tuple[float, int, int]:
    """The greatest memory in MB while the turns run, how many ran at the same moment, how many found something."""
    questions = await new_questions(house, _TURNS, shared=False, tagged=False)
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
    answers = await house.directus.read_items(MESSAGES, filter=ids, fields=["metadata"], limit=-1)
    return most, at_once, sum(bool(answer["metadata"]["sources"]) for answer in answers)


_COMPLETED = {"status": {"_eq": "completed"}}

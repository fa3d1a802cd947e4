"""A workshop whose assistant is the conference's: rows in a Directus stand-in, indexed in memory, all of it local."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

from assistants.interface import Toolbox
from assistants.registry import make_assistants
from ingest.facet_writers.template import TemplateFacetWriter
from ingest.reindex import reindex
from ingest.services import IngestServices
from search.index import SearchIndex
from search.writer import IndexWriter
from services.embeddings.local import LocalEmbedder
from services.llm.chain import LanguageModel
from services.llm.offline import OfflineProvider
from services.metrics import Metrics
from services.queue.job_queue import JobQueue
from services.queue.jobs import ReindexJob
from services.rate_limits import RateLimits
from services.redis import connect_redis
from services.vectors import Vectors
from standins.directus import DirectusStandIn
from tests.worker.conftest import Librarian, ScriptedProvider, Workshop, make_settings
from worker.answer_pump import AnswerPump
from worker.conversation_line import ConversationLine
from worker.late_writes import LateWrites
from worker.recording import Recordings
from worker.services import Services
from worker.turn_limit import TurnLimit
from worker.turn_store import TurnStore
from worker.turn_watch import TurnWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from services.llm.calls import Provider

__all__ = ["conference_workshop"]

Rows = dict[str, Any]


@contextlib.asynccontextmanager
async def conference_workshop(
    rows: Mapping[str, Sequence[Rows]],
    provider: Provider,
    **changes: Any,  # noqa: ANN401 - one for each setting
) -> AsyncIterator[Workshop]:
    """Put the rows into Directus, index them, and open a workshop over both; ``changes`` are settings."""
    settings = make_settings(embedding_provider="local", **changes)
    standin, vectors, embedder = DirectusStandIn(), Vectors("embedded://"), LocalEmbedder()
    redis, directus = connect_redis(settings.redis_url), standin.directus()
    for collection, each in rows.items():
        for row in each:
            standin.put(collection, **row)
    queue = JobQueue(redis)
    librarian = IngestServices(directus, IndexWriter(vectors, embedder), TemplateFacetWriter(), queue, redis)
    await reindex(ReindexJob(full=True), librarian)
    toolbox = Toolbox(settings, directus, redis, SearchIndex(vectors, embedder), embedder)
    assistants = make_assistants(settings)
    await assistants["mini"].start(toolbox)
    turns, line = TurnStore(redis), ConversationLine(redis)
    watch, metrics = TurnWatch(redis, turns, line), Metrics(redis)
    late = LateWrites(directus, turns, metrics, at_most=settings.worker_max_turns)
    pump = AnswerPump(directus, interval_s=0.01, still_ours=watch.still_ours, metrics=metrics, late_writes=late)
    services = Services(
        settings=settings,
        directus=directus,
        queue=queue,
        model=LanguageModel([provider, OfflineProvider()]),
        toolbox=toolbox,
        assistants=assistants,
        turns=turns,
        line=line,
        watch=watch,
        pump=pump,
        late_writes=late,
        metrics=metrics,
        turn_limit=TurnLimit(RateLimits(per_minute=settings.rate_limit_per_minute, redis=redis)),
        recordings=Recordings(redis, days=1),
    )
    upkeep = [asyncio.create_task(each) for each in (pump.run(), watch.run(), late.run())]
    try:
        yield Workshop(services, standin, cast("ScriptedProvider", provider), cast("Librarian", None), redis)
    finally:
        for task in upkeep:
            task.cancel()
        await asyncio.gather(*upkeep, return_exceptions=True)
        for close in (directus, redis, vectors, embedder):
            await close.aclose()

"""A workshop whose assistant is the conference's: rows in a Directus stand-in, indexed in memory, all of it local."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from assistants.interface import Toolbox
from assistants.registry import make_assistants
from ingest.facet_writers.template import TemplateFacetWriter
from ingest.reindex import reindex
from ingest.services import IngestServices
from search.index import SearchIndex
from search.writer import IndexWriter
from services.embeddings.local import LocalEmbedder
from services.queue.job_queue import JobQueue
from services.queue.jobs import ReindexJob
from services.redis import connect_redis
from services.vectors import Vectors
from standins.directus import DirectusStandIn
from tests.worker.conftest import Librarian, ScriptedProvider, Workshop, begin_upkeep, make_services, make_settings
from worker.recording import Recordings

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
    writer = IndexWriter(vectors, embedder)
    librarian = IngestServices(directus, writer, TemplateFacetWriter(), JobQueue(redis), redis)
    await reindex(ReindexJob(full=True), librarian)
    toolbox = Toolbox(settings, directus, redis, SearchIndex(vectors, embedder), embedder)
    assistants = make_assistants(settings)
    await assistants["mini"].start(toolbox)
    services = replace(make_services(toolbox, [provider], assistants), recordings=Recordings(redis, days=1))
    upkeep = begin_upkeep(services)
    try:
        yield Workshop(services, standin, cast("ScriptedProvider", provider), cast("Librarian", None), redis)
    finally:
        for task in upkeep:
            task.cancel()
        await asyncio.gather(*upkeep, return_exceptions=True)
        for close in (directus, redis, vectors, embedder):
            await close.aclose()

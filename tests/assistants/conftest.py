"""The sample conference in memory: a Directus stand-in, an index with the local embedder, the assistant started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

from assistants.conference.assistant import ConferenceAssistant
from assistants.interface import Toolbox
from ingest.facet_writers.template import TemplateFacetWriter
from ingest.load import load_folder
from ingest.reindex import reindex
from ingest.services import IngestServices
from search.index import SearchIndex
from search.writer import IndexWriter
from services.embeddings.local import LocalEmbedder
from services.llm.chain import LanguageModel
from services.llm.offline import OfflineProvider
from services.queue.job_queue import JobQueue
from services.queue.jobs import ReindexJob
from services.redis import connect_redis
from services.settings import Settings
from services.vectors import Vectors
from standins.directus import DirectusStandIn
from tests.assistants.sample_chat import Chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DATA = Path(__file__).parents[2] / "cli" / "demo_data"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chat() -> AsyncIterator[Chat]:
    settings = Settings(directus_api_key="key-of-nobody", directus_webhook_secret="secret-of-nobody")
    standin = DirectusStandIn()
    directus = standin.directus()
    redis = connect_redis("embedded://")
    vectors = Vectors("embedded://")
    embedder = LocalEmbedder()
    await load_folder(directus, DATA)
    await reindex(
        ReindexJob(full=True),
        IngestServices(directus, IndexWriter(vectors, embedder), TemplateFacetWriter(), JobQueue(redis), redis),
    )
    toolbox = Toolbox(settings, directus, redis, SearchIndex(vectors, embedder), embedder)
    assistant = ConferenceAssistant()
    await assistant.start(toolbox)
    yield Chat(assistant, toolbox, standin, LanguageModel([OfflineProvider()]))
    await directus.aclose()
    await redis.aclose()
    await vectors.aclose()
    await embedder.aclose()

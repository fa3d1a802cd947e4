"""The sample conference in memory: a Directus stand-in, an index with the local embedder, the assistant started."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from assistants.conference.assistant import ConferenceAssistant
from assistants.interface import Toolbox, ToolOutcome, TurnView
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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from services.llm.calls import ChatMessage

DATA = Path(__file__).parents[2] / "cli" / "demo_data"
CONFERENCE = "87324dc9-9ee0-5a07-9057-3b7b4feeeecb"
PRAGUE = ZoneInfo("Europe/Prague")
WEDNESDAY = datetime(2024, 7, 10, 13, 20, tzinfo=PRAGUE)
"""The third day of the sample conference, at lunch."""
MAX_ITERATIONS = 5


@dataclass
class Chat:
    """The assistant and all it works with; ``ask`` runs a turn's steps as the machine does, without one."""

    assistant: ConferenceAssistant
    toolbox: Toolbox
    standin: DirectusStandIn
    model: LanguageModel

    async def ask(
        self,
        question: str,
        *,
        history: Sequence[ChatMessage] = (),
        now: datetime = WEDNESDAY,
        scope_id: str | None = CONFERENCE,
    ) -> TurnView:
        view = TurnView(question=question, scope_id=scope_id, now=now, history=tuple(history))
        understood = await self.assistant.understand(view, self.model, self.toolbox)
        view = replace(view, understanding=understood.understanding)
        calls = self.assistant.plan(view) if self.assistant.fixed_answer(view) is None else []
        for _ in range(MAX_ITERATIONS):
            if not calls:
                break
            outcomes: list[ToolOutcome] = []
            for call in calls:
                tool = self.assistant.tools[call.tool]
                outcome = await tool(dict(call.arguments), view=view, toolbox=self.toolbox)
                outcomes.append(outcome.model_copy(update={"call": call}))
            view = replace(view, outcomes=(*view.outcomes, *outcomes))
            calls = self.assistant.relax(view)
        return view


@pytest.fixture(scope="session")
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

"""A conference's index in memory, built from data files by the same jobs as a real one."""

from __future__ import annotations

import json
import logging
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evals.questions import read_questions
from ingest.facet_writers.template import TemplateFacetWriter
from ingest.load import load_folder
from ingest.reindex import reindex
from ingest.services import IngestServices
from search.index import SearchIndex
from search.query import EntityType
from search.writer import IndexWriter
from services.queue.job_queue import JobQueue
from services.queue.jobs import ReindexJob
from services.redis import connect_redis
from services.vectors import Vectors
from standins.directus import DirectusStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from evals.questions import Judged
    from services.embeddings.embedder import Embedder

__all__ = ["SAMPLE", "SECOND_QUESTIONS", "conference_id_of", "indexed", "judged"]

SAMPLE = Path(__file__).parents[1] / "cli" / "demo_data"
"""The packaged conference, whose README credits the data and the judgements."""

SECOND_QUESTIONS = Path(__file__).with_name("second_questions.jsonl")
"""About the same conference; what they were looked at for, evals/README.md tells."""


def conference_id_of(folder: Path) -> str:
    """The id in conference.json."""
    return str(json.loads((folder / "conference.json").read_text(encoding="utf-8"))["id"])


def judged(folder: Path, questions: Path | None = None) -> list[Judged]:
    """The folder's judged questions, or those of another file about the same conference."""
    known = {
        kind: {row["id"] for row in json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))}
        for kind in EntityType
    }
    return read_questions(questions or folder / "queries.jsonl", known)


@asynccontextmanager
async def indexed(folder: Path, embedder: Embedder) -> AsyncIterator[tuple[SearchIndex, Vectors]]:
    """The folder's conference, indexed with template facets; the embedder is handed in and not closed."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the stand-in's requests are none of the reader's business
    directus = DirectusStandIn().directus()
    redis = connect_redis("embedded://")
    vectors = Vectors("embedded://")
    try:
        await load_folder(directus, folder)
        services = IngestServices(
            directus, IndexWriter(vectors, embedder), TemplateFacetWriter(), JobQueue(redis), redis
        )
        await reindex(ReindexJob(full=True), services)
        yield SearchIndex(vectors, embedder), vectors
    finally:
        await directus.aclose()
        await redis.aclose()
        await vectors.aclose()

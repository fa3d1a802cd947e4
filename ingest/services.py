"""What the librarian works with; handed in once, for all jobs of a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.facet_writers.writer import FacetWriter
    from search.writer import IndexWriter
    from services.directus.client import Directus
    from services.queue.job_queue import JobQueue
    from services.redis import RedisClient

__all__ = ["IngestServices"]


@dataclass(frozen=True, slots=True)
class IngestServices:
    """Connections somebody else opened and closes, and the writer of facets."""

    directus: Directus
    index: IndexWriter
    facets: FacetWriter
    queue: JobQueue
    redis: RedisClient

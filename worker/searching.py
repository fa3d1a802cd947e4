"""The search job: what a turn would find, for an operator who has Redis and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search.query import EntityType, SearchMode, SearchQuery
from services.errors import InvalidInputError
from services.logging import bind_trace, get_logger

if TYPE_CHECKING:
    from search.index import SearchIndex
    from search.query import Found
    from services.queue.jobs import SearchJob

__all__ = ["run_search"]

log = get_logger(__name__)


async def run_search(job: SearchJob, index: SearchIndex) -> dict[str, Any]:
    """Search and give ``{mode, filters, results: [{id, title, score, facet_scores, parts, ...}], near, explain}``.

    ``near`` has what came nearest where nothing was an answer, in the shape of ``results``.

    Raises InvalidInputError for an entity type that is not indexed.
    """
    bind_trace(job.trace_id)
    try:
        entity_type = EntityType(job.entity_type)
    except ValueError:
        raise InvalidInputError(f"{job.entity_type!r} is not an entity type; choose {', '.join(EntityType)}") from None
    found = await index.search(
        SearchQuery(
            text=job.query,
            conference_id=job.conference_id,
            entity_type=entity_type,
            mode=SearchMode(job.mode),
            limit=job.limit,
        )
    )
    log.info("search.done", entity_type=job.entity_type, mode=found.mode.value, results=len(found.results))
    return {
        "mode": found.mode.value,
        "filters": found.filters,
        "results": [_row(hit) for hit in found.results],
        "near": [_row(hit) for hit in found.near],
        "explain": found.explain,
    }


def _row(hit: Found) -> dict[str, Any]:
    return {
        "id": hit.entity_id,
        "title": hit.title,
        "score": round(hit.score, 4),
        "facet_scores": {key: round(score, 4) for key, score in hit.facet_scores.items()},
        "facet_matches": hit.facet_matches,
        "type": hit.entity_type.value,
        "parts": hit.parts,
    }

"""The search job: what a turn would find, for an operator who has Redis and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from assistants.interface import TurnView
from search.query import EntityType, SearchMode, SearchQuery
from services.errors import InvalidInputError
from services.logging import bind_trace, get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assistants.interface import Assistant, Toolbox
    from search.index import SearchIndex
    from search.query import Found
    from services.queue.jobs import SearchJob

__all__ = ["run_search"]

log = get_logger(__name__)


async def run_search(job: SearchJob, assistants: Iterable[Assistant], toolbox: Toolbox) -> dict[str, Any]:
    """Search and give ``{mode, filters, relaxed, results: [{id, title, score, facet_scores, ...}], near, explain}``.

    ``near`` has what came nearest where nothing was an answer, in the shape of ``results``. Without a mode
    the question is understood as a turn understands it: its times and places are filters, and ``relaxed``
    says which of them were given up.

    Raises InvalidInputError for an entity type that is not indexed.
    """
    bind_trace(job.trace_id)
    try:
        entity_type = EntityType(job.entity_type)
    except ValueError:
        raise InvalidInputError(f"{job.entity_type!r} is not an entity type; choose {', '.join(EntityType)}") from None
    found = await _as_a_turn(job, assistants, toolbox) if job.mode is None else None
    found = found or await _in_mode(job, entity_type, toolbox.index)
    log.info("search.done", entity_type=job.entity_type, mode=found["mode"], results=len(found["results"]))
    return found


async def _as_a_turn(job: SearchJob, assistants: Iterable[Assistant], toolbox: Toolbox) -> dict[str, Any] | None:
    view = TurnView(question=job.query, scope_id=job.conference_id, now=datetime.now(UTC))
    for assistant in assistants:
        found = await assistant.search(view, job.entity_type, job.limit, toolbox)
        if found is not None:
            return found
    return None


async def _in_mode(job: SearchJob, entity_type: EntityType, index: SearchIndex) -> dict[str, Any]:
    found = await index.search(
        SearchQuery(
            text=job.query,
            conference_id=job.conference_id,
            entity_type=entity_type,
            mode=SearchMode(job.mode or SearchMode.AUTO),
            limit=job.limit,
        )
    )
    return {
        "mode": found.mode.value,
        "query": job.query,
        "filters": found.filters,
        "relaxed": [],
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

"""The librarian's jobs, as a worker process runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.index_item import index_item
from ingest.reindex import reindex
from services.errors import ServiceUnavailableError
from services.logging import get_logger
from services.queue.jobs import IndexItemJob, Job, ReindexJob
from services.queue.runner import RetryLater

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ingest.services import IngestServices
    from services.queue.runner import Handler, JobContext

__all__ = ["index_handlers"]

_REINDEX_ATTEMPTS = 10
"""An operator waits for a reindex: about five minutes of outage, then he is told."""

_ITEM_ATTEMPTS = 120
"""Nobody waits for a changed row, and nobody would ask again: about an hour of outage."""

_SLOWEST_RETRY_S = 30.0

log = get_logger(__name__)


def index_handlers(services: IngestServices) -> Mapping[type[Job], Handler]:
    """The handlers of the index queue, by job.

    A service that is away puts the job off, by 1, 2, 4 … 30 s; what is live stays live meanwhile.
    """

    async def run_reindex(job: ReindexJob, context: JobContext) -> dict[str, Any]:
        return await _or_later(lambda: reindex(job, services), context, _REINDEX_ATTEMPTS)

    async def run_index_item(job: IndexItemJob, context: JobContext) -> dict[str, Any]:
        return await _or_later(lambda: index_item(job, services), context, _ITEM_ATTEMPTS)

    return {ReindexJob: run_reindex, IndexItemJob: run_index_item}


async def _or_later(
    work: Callable[[], Awaitable[dict[str, Any]]], context: JobContext, attempts: int
) -> dict[str, Any]:
    try:
        return await work()
    except ServiceUnavailableError as error:
        if context.attempt >= attempts:
            raise
        delay_s = min(2.0 ** (context.attempt - 1), _SLOWEST_RETRY_S)
        log.warning("index_job_put_off", service=error.service, attempt=context.attempt, delay_s=delay_s)
        raise RetryLater(delay_s) from error

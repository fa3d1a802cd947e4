"""``erleah search``: what a turn would find, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from cli.terminal import command_settings, data, run, say
from search.query import EntityType, SearchMode
from services.queue.job_queue import JobQueue
from services.queue.jobs import SearchJob
from services.redis import connect_redis

if TYPE_CHECKING:
    from services.settings import Settings

__all__ = ["search"]

WAIT_S = 30.0


@click.command()
@click.argument("query")
@click.option("--conference", metavar="ID", required=True, help="Where to look.")
@click.option(
    "--entity", type=click.Choice([each.value for each in EntityType]), required=True, help="What to look for."
)
@click.option("--mode", type=click.Choice([each.value for each in SearchMode]), default="auto", show_default=True)
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For a machine.")
def search(*, query: str, conference: str, entity: str, mode: str, limit: int, as_json: bool) -> int:
    """Search as a turn would; a worker does it, so only Redis must be reachable."""
    settings = command_settings()
    job = SearchJob.model_validate(
        {
            "request_id": uuid4().hex,
            "query": query,
            "conference_id": conference,
            "entity_type": entity,
            "mode": mode,
            "limit": limit,
        }
    )
    found = run(_search(settings, job))
    if as_json:
        data(found)
    else:
        _show(found)
    return 0


async def _search(settings: Settings, job: SearchJob) -> dict[str, Any]:
    redis = connect_redis(settings.redis_url, retries=1)
    queue = JobQueue(redis)
    try:
        await queue.enqueue(job)
        return dict(await queue.result(job, WAIT_S))
    finally:
        await queue.aclose()
        await redis.aclose()


def _show(found: dict[str, Any]) -> None:
    if not found["results"]:
        say("Nothing found. Is the conference indexed? erleah reindex --wait")
        return
    say(f"mode {found['mode']}")
    for place, hit in enumerate(found["results"], start=1):
        data(f"{place:>3}. {hit['score']:.3f}  {hit['title']}")
        best = sorted(hit["facet_scores"].items(), key=lambda pair: -pair[1])
        if best:
            data("             " + ", ".join(f"{facet} {score:.2f}" for facet, score in best))

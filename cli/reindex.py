"""``erleah reindex``: asks the workers to bring the index in line with Directus."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from cli.terminal import command_settings, is_terminal, run, say
from search.query import EntityType
from services.queue.job_queue import JobQueue
from services.queue.jobs import ReindexJob
from services.redis import connect_redis

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from services.settings import Settings

__all__ = ["reindex", "wait_with_progress"]

WAIT_S = 3600.0
LOOK_S = 0.2


@click.command()
@click.option("--conference", metavar="ID", help="Only this conference; all of them when left out.")
@click.option("--entity", type=click.Choice([each.value for each in EntityType]), help="Only this kind.")
@click.option("--full", is_flag=True, help="Build anew beside the old index and switch at the end.")
@click.option("--wait", is_flag=True, help="Show progress and stay until it is done.")
def reindex(*, conference: str | None, entity: str | None, full: bool, wait: bool) -> int:
    """Enqueue a reindex job. Texts that have not changed are not embedded again, unless --full."""
    settings = command_settings()
    job = ReindexJob(conference_id=conference, entity_type=entity, full=full)
    run(_reindex(settings, job, wait=wait))
    return 0


async def _reindex(settings: Settings, job: ReindexJob, *, wait: bool) -> None:
    redis = connect_redis(settings.redis_url, retries=1)
    queue = JobQueue(redis)
    try:
        new = await queue.enqueue(job)
        say("Asked for." if new else "That reindex waits or runs already.")
        if not wait:
            say("See how far it is: erleah reindex --wait, or erleah status")
            return
        tell(await wait_with_progress(queue, job))
    finally:
        await redis.aclose()


async def wait_with_progress(queue: JobQueue, job: ReindexJob) -> dict[str, Any]:
    """Wait for a reindex, moving a bar where there is a terminal; its result, or its error raised."""
    ending = asyncio.create_task(queue.result(job, WAIT_S))
    if not is_terminal():
        return dict(await ending)
    bar: ProgressBar[int]
    with click.progressbar(length=1, label="Indexing", file=sys.stderr, show_eta=False) as bar:
        while not ending.done():
            progress = await queue.progress(job.job_id)
            if progress is not None and progress.total:
                bar.length = progress.total
                bar.pos = progress.done
                bar.label = f"Indexing {progress.note}".strip()
                bar.render_progress()
            await asyncio.wait({ending}, timeout=LOOK_S)
        bar.update(max((bar.length or 1) - bar.pos, 0))
    return dict(ending.result())


def tell(result: dict[str, Any]) -> None:
    """Say what the reindex did."""
    say(
        f"Indexed {result['entities']} entities: {result['texts_embedded']} texts embedded, "
        f"{result['texts_unchanged']} unchanged, {result['deleted']} removed, in {result['seconds']:.1f} s."
    )
    for problem in result.get("problems", []):
        say(f"  left out  {problem}")

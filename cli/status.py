"""``erleah status``: workers, queues, turns in flight, and the oldest message nobody has answered."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cli.terminal import command_settings, data, run
from services.directus.client import Directus
from services.errors import ErleahError
from services.queue.job_queue import JobQueue, Progress
from services.queue.jobs import Queue
from services.redis import connect_redis
from worker.turn_store import read_turns

if TYPE_CHECKING:
    from services.redis import RedisClient
    from services.settings import Settings

__all__ = ["status"]

REINDEXES_SHOWN = 20
"""One runs in each worker and the others wait; a script that asked for hundreds is told by the queue's depth."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For a machine.")
def status(*, as_json: bool) -> int:
    """Say who works, what waits, and what has waited longest."""
    settings = command_settings()
    found = run(_look(settings))
    if as_json:
        data(found)
    else:
        _show(found)
    return 0


async def _look(settings: Settings) -> dict[str, Any]:
    redis = connect_redis(settings.redis_url, retries=1)
    queue = JobQueue(redis)
    try:
        workers = await queue.workers()
        depths = {each.name.lower(): await queue.depth(each) for each in Queue}
        turns = await read_turns(redis)
        reindexing = await _reindexing(redis, queue)
    finally:
        await redis.aclose()
    by_worker: dict[str, dict[str, Any]] = {}
    for seen in workers:
        entry = by_worker.setdefault(
            seen.worker_id, {"id": seen.worker_id, "host": seen.host, "pid": seen.pid, "running": 0, "max_jobs": 0}
        )
        if seen.queue == Queue.TURNS:
            entry["running"], entry["max_jobs"] = seen.running, seen.max_jobs
    return {
        "workers": list(by_worker.values()),
        "queues": {
            name: {
                "waiting": depth.waiting,
                "running": depth.running,
                "oldest_age_s": round(max(depth.oldest_age_s, 0.0), 1),
            }
            for name, depth in depths.items()
        },
        "reindexing": reindexing,
        "turns": dict(Counter(turn.state.value for turn in turns)),
        "oldest_unanswered": await _oldest(settings),
    }


async def _reindexing(redis: RedisClient, queue: JobQueue) -> list[dict[str, Any]]:
    """The reindexes asked for, in order, and how far each has come; one without a total has not begun."""
    found = []
    for job_id in await redis.zrange(Queue.REINDEX, 0, REINDEXES_SHOWN - 1):
        progress = await queue.progress(job_id.decode()) or Progress(0, 0)
        found.append({"job": job_id.decode(), **asdict(progress)})
    return found


async def _oldest(settings: Settings) -> dict[str, Any] | None:
    """The oldest user message without a status, or why it can't be told."""
    try:
        async with Directus(
            settings.directus_url, settings.directus_api_key.get_secret_value(), retry_for_s=0
        ) as directus:
            rows = await directus.read_items(
                "messages",
                filter={"role": {"_eq": "user"}, "status": {"_null": True}},
                fields=["id", "date_created"],
                sort=["date_created"],
                limit=1,
            )
    except ErleahError as error:
        return {"error": str(error)}
    if not rows:
        return None
    asked = datetime.fromisoformat(rows[0]["date_created"])
    asked = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
    return {"message_id": rows[0]["id"], "age_s": round(time.time() - asked.timestamp(), 1)}


def _show(found: dict[str, Any]) -> None:
    if not found["workers"]:
        data("workers    none; start one with: erleah worker")
    for worker in found["workers"]:
        data(f"worker     {worker['id']}  {worker['host']}:{worker['pid']}  {worker['running']}/{worker['max_jobs']}")
    for name, depth in found["queues"].items():
        data(f"queue      {name:<7} {depth['waiting']} waiting, {depth['running']} running")
    for job in found["reindexing"]:
        how_far = f"{job['done']} of {job['total']} {job['note']}".strip() if job["total"] else "not begun"
        data(f"reindex    {job['job'].removeprefix('reindex:')}  {how_far}")
    states = ", ".join(f"{count} {state}" for state, count in sorted(found["turns"].items()))
    data(f"turns      {states or 'none in flight'}")
    oldest = found["oldest_unanswered"]
    if oldest is None:
        data("unanswered none")
    elif "error" in oldest:
        data(f"unanswered unknown: {oldest['error']}")
    else:
        data(f"unanswered {oldest['message_id']}, asked {oldest['age_s']:.0f} s ago")

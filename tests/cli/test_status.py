"""``erleah status``: what ``erleah reindex`` promises that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import status
from services.queue.job_queue import JobQueue
from services.queue.jobs import ReindexJob
from services.redis import connect_redis

if TYPE_CHECKING:
    import pytest


async def test_a_reindex_that_runs_is_shown_with_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """One that has ended is not, though its last word is kept for a while."""
    runs, waits, over = ReindexJob(full=True), ReindexJob(entity_type="speakers"), ReindexJob(conference_id="c")
    redis = connect_redis("embedded://")
    queue = JobQueue(redis)
    try:
        await queue.enqueue(runs)
        await queue.enqueue(waits)
        await queue.report_progress(runs.job_id, 120, 404, "sessions")
        await queue.report_progress(over.job_id, 7, 7)
        found = await status._reindexing(redis, queue)
    finally:
        await redis.aclose()
    assert sorted(found, key=lambda each: -each["done"]) == [
        {"job": "reindex:all:all:full", "done": 120, "total": 404, "note": "sessions"},
        {"job": "reindex:all:speakers:changed", "done": 0, "total": 0, "note": ""},
    ]
    status._show({"workers": [], "queues": {}, "reindexing": found, "turns": {}, "oldest_unanswered": None})
    said = capsys.readouterr().out
    assert "reindex    all:all:full  120 of 404 sessions\n" in said
    assert "reindex    all:speakers:changed  not begun\n" in said

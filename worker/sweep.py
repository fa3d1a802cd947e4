"""The sweep: what no hook reported and no worker finished is found in Directus, and asked for again.

A Flow's webhook is sent once and its failure is silent; Redis may be emptied; a process may die
between two steps. Directus's rows are the truth, so one cheap query finds what is left over: user
messages without a status that are older than a moment and younger than a day, and answers that are
still ``streaming`` though no worker holds them. One sweeper at a time, by a lock in Redis.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from services import redis_keys
from services.answer_ids import answer_id_of
from services.errors import ErleahError
from services.logging import get_logger
from services.queue.jobs import AnswerJob
from worker.turn_store import TurnStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from services.directus.client import Directus
    from services.metrics import Metrics
    from services.queue.job_queue import JobQueue

__all__ = ["Sweep"]

log = get_logger(__name__)

SWEEP_EVERY_S = 10.0
"""An unreported message is promised an answer within 60 s of the receiver's return."""
OLDER_THAN_S = 8.0
"""Hooks arrive within 31 ms and turns begin at once: what has no status after this may be lost."""
YOUNGER_THAN = timedelta(days=1)
"""Nobody waits longer for an answer; and the query stays small whatever the table holds."""
AT_ONCE = 200


class Sweep:
    """Finds unanswered messages and stray answers, and enqueues their turns again."""

    def __init__(self, directus: Directus, queue: JobQueue, redis: Redis, metrics: Metrics) -> None:
        self._directus = directus
        self._queue = queue
        self._redis = redis
        self._metrics = metrics
        self._turns = TurnStore(redis)
        self._id = uuid4().hex

    async def run(self) -> None:
        """Sweep until cancelled; an outage is the next sweep's affair."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                if await self._is_our_turn():
                    await self.sweep_once()
            except ErleahError as error:
                log.info("sweep.put_off", reason=str(error))
            except Exception:  # an upkeep loop fails alone and goes on
                log.exception("sweep.failed")

    async def sweep_once(self) -> int:
        """One sweep; how many turns were asked for again and strays ended."""
        now = datetime.now(UTC)
        rows = await self._directus.read_items(
            "messages",
            filter={
                "_and": [
                    {"role": {"_eq": "user"}},
                    {"status": {"_null": True}},
                    {"date_created": {"_lt": (now - timedelta(seconds=OLDER_THAN_S)).isoformat()}},
                    {"date_created": {"_gt": (now - YOUNGER_THAN).isoformat()}},
                ]
            },
            fields=["id"],
            sort=["date_created"],
            limit=AT_ONCE,
        )
        healed = 0
        for row in rows:
            if not await self._turns.is_held(row["id"]):
                healed += await self._queue.enqueue(AnswerJob(message_id=row["id"]))
        ended = await self._end_strays(now)
        if healed or ended:
            log.info("sweep.healed", unanswered=healed, strays=ended)
        self._metrics.count("erleah_swept", healed, kind="unanswered")
        self._metrics.count("erleah_swept", ended, kind="stray")
        return healed + ended

    async def _end_strays(self, now: datetime) -> int:
        """Settle answers left ``streaming`` whose question counts as answered."""
        strays = await self._directus.read_items(
            "messages",
            filter={
                "_and": [
                    {"role": {"_eq": "assistant"}},
                    {"status": {"_eq": "streaming"}},
                    {"date_created": {"_lt": (now - timedelta(seconds=OLDER_THAN_S)).isoformat()}},
                ]
            },
            fields=["id", "conversation_id"],
            sort=["date_created"],
            limit=AT_ONCE,
        )
        ended = 0
        for stray in strays:
            questions = await self._directus.read_items(
                "messages",
                filter={"conversation_id": {"_eq": stray["conversation_id"]}, "role": {"_eq": "user"}},
                fields=["id", "status"],
                sort=["-date_created"],
                limit=AT_ONCE,
            )
            question = next((row for row in questions if answer_id_of(row["id"]) == stray["id"]), None)
            if question is None or question["status"] in {"answered", "superseded"}:
                await self._directus.update_items(
                    "messages", [{"id": stray["id"], "status": "failed", "outcome": "error"}]
                )
                ended += 1
        return ended

    async def _is_our_turn(self) -> bool:
        """Whether no other process has swept a moment ago."""
        taken = await self._redis.set(redis_keys.SWEEP_LOCK, self._id, nx=True, px=int(SWEEP_EVERY_S * 900))
        return bool(taken)

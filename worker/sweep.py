"""The sweep: what no hook reported and no worker finished is found in Directus, and asked for again.

A Flow's webhook is sent once and its failure is silent; Redis may be emptied; a process may die
between two steps. Directus's rows are the truth, so two cheap queries find what is left over: user
messages without a status that are older than a moment and younger than a day, and answers that are
still ``streaming`` though no worker holds them. One sweeper at a time, by a lock in Redis.

A change of content whose hook was lost shows in no row. So the sweeper asks for a reindex now and then, which compares
all rows with the index, embeds what has changed and forgets what is gone.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from services import redis_keys
from services.answer_ids import answer_id_of
from services.errors import ErleahError
from services.logging import get_logger
from services.queue.jobs import AnswerJob, ReindexJob
from services.redis import LockNotOwnedError
from services.turn_leases import TurnLeases
from worker.conversation_line import ConversationLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from services.directus.client import Directus, Filter, Row
    from services.metrics import Metrics
    from services.queue.job_queue import JobQueue
    from services.redis import RedisClient, RedisLock

__all__ = ["Sweep"]

log = get_logger(__name__)

SWEEP_EVERY_S = 10.0
"""An unreported message is promised an answer within 60 s of the receiver's return."""
LOCK_S = 30.0
"""Longer than a page of rows may take while Directus is slow (15 s); a dead sweeper is replaced within 40 s."""
REST_S = SWEEP_EVERY_S * 0.9
"""For this long after a sweep no other process begins one."""
OLDER_THAN_S = 8.0
"""Hooks arrive within 31 ms and turns begin at once: what has no status after this may be lost."""
YOUNGER_THAN = timedelta(days=1)
"""Nobody waits longer for an answer; and the query stays small whatever the table holds."""
PAGE = 200
PAGES_AT_MOST = 10
"""In a backlog of thousands the first of them are asked for already; the rest has its turn when those are answered."""
QUESTIONS = 500
"""User messages in one read, of the conversations whose answers are looked at. A page of live answers has its questions
among the newest of these, so one read does, however long the conversations are."""


class Sweep:
    """Finds unanswered messages and stray answers: asks for the turns again, and ends what nobody waits for."""

    def __init__(
        self,
        directus: Directus,
        queue: JobQueue,
        redis: RedisClient,
        metrics: Metrics,
        *,
        reindex_every_s: float = 0,
    ) -> None:
        """``reindex_every_s`` 0: never."""
        self._reindex_every_s = reindex_every_s
        self._directus = directus
        self._queue = queue
        self._redis = redis
        self._metrics = metrics
        self._leases = TurnLeases(redis)
        self._line = ConversationLine(redis)

    async def run(self) -> None:
        """Sweep until cancelled; an outage is the next sweep's affair."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep_alone()
            except LockNotOwnedError:
                log.info("sweep.overtaken", what="it took so long that another process has begun one")
            except ErleahError as error:
                log.info("sweep.put_off", reason=str(error))
            except Exception:  # an upkeep loop fails alone and goes on
                log.exception("sweep.failed")

    async def sweep_alone(self) -> int:
        """One sweep, unless another process is at it or was a moment ago; how many were healed.

        Raises LockNotOwnedError if this process stood still for so long that another has begun one.
        """
        lock = self._redis.lock(redis_keys.SWEEP_LOCK, timeout=LOCK_S)
        if not await lock.acquire(blocking=False):
            return 0
        try:
            healed = await self._sweep(lock)
            await self._reindex_in_time()
            return healed
        finally:
            await lock.extend(REST_S, replace_ttl=True)

    async def _reindex_in_time(self) -> None:
        """Ask for a reindex where the last one asked for here is too long ago; the first time begins to count."""
        if not self._reindex_every_s:
            return
        now, last = time.time(), await self._redis.get(redis_keys.REINDEXED_AT)
        if last is not None and now - float(last) < self._reindex_every_s:
            return
        await self._redis.set(redis_keys.REINDEXED_AT, now)
        if last is not None and await self._queue.enqueue(ReindexJob()):
            log.info("sweep.reindexes", why="a change whose hook was lost shows nowhere else")

    async def _sweep(self, lock: RedisLock) -> int:
        now = datetime.now(UTC)
        asked = ended = 0
        try:
            async for questions in self._pages(_unanswered(now), ["id", "conversation_id"], lock):
                asked += await self._ask_again(questions)
            async for strays in self._pages(_streaming(now), ["id", "conversation_id", "seq"], lock):
                asked_here, ended_here = await self._resolve(strays, now, lock)
                asked, ended = asked + asked_here, ended + ended_here
        finally:
            self._metrics.count("erleah_swept", asked, kind="unanswered")
            self._metrics.count("erleah_swept", ended, kind="stray")
            if asked or ended:
                log.info("sweep.healed", unanswered=asked, strays=ended)
        return asked + ended

    async def _pages(self, wanted: Filter, fields: Sequence[str], lock: RedisLock) -> AsyncIterator[list[Row]]:
        """The rows, oldest first. What moves from page to page meanwhile is the next sweep's."""
        for page in range(1, PAGES_AT_MOST + 1):
            await lock.reacquire()
            rows = await self._directus.read_items(
                "messages", filter=wanted, fields=fields, sort=["date_created"], limit=PAGE, page=page
            )
            if rows:
                yield rows
            if len(rows) < PAGE:
                return

    async def _ask_again(self, questions: Sequence[Row]) -> int:
        """Enqueue the turns that nobody is at and that don't wait in line; how many were not asked for already."""
        held = await self._leases.held_among([row["id"] for row in questions])
        waiting = await self._line.waiting_among([(row["conversation_id"], row["id"]) for row in questions])
        lost = [row["id"] for row in questions if row["id"] not in held | waiting]
        return sum([await self._queue.enqueue(AnswerJob(message_id=message_id)) for message_id in lost])

    async def _resolve(self, strays: Sequence[Row], now: datetime, lock: RedisLock) -> tuple[int, int]:
        """Ask again for the turns whose answer is still wanted, end the other answers; how many of each.

        The questions are read after the answers: a turn that begins or ends between the two writes both rows at once,
        so an answer whose question counts as answered by now is either a stray or has just ended, and the write looks.
        """
        questions = await self._questions_of(strays, lock)
        held = await self._leases.held_among([question["id"] for question in questions.values()])
        wanted: list[Row] = []
        left_over: list[Row] = []
        covered: list[str] = []
        for stray in strays:
            question = questions.get(stray["id"])
            if question is not None and question["status"] == "superseded":
                covered.append(stray["id"])
            elif question is None or question["status"] is not None or _asked_at(question) < now - YOUNGER_THAN:
                if question is None or question["id"] not in held:
                    left_over.append(stray)
            else:
                wanted.append(question)
        asked = await self._ask_again(wanted)
        return asked, await self._end(left_over) + await self._take_away(covered)

    async def _questions_of(self, answers: Sequence[Row], lock: RedisLock) -> dict[str, Row]:
        """By the answer's id, the question it belongs to, as far as there is one.

        An answer's id is worked out from its question's and never the other way round, so the questions are looked
        through: the newest of all these conversations, then, for an answer that has none among them, each page of its
        own conversation. Only an answer whose question is gone takes all of those, and it is ended here and now.
        """
        homes = {answer["id"]: answer["conversation_id"] for answer in answers if answer["conversation_id"]}
        found: dict[str, Row] = {}
        if homes:
            rows = await self._newest_questions(sorted(set(homes.values())), 1, lock)
            found = _by_answer(rows)
        for answer_id, conversation_id in homes.items():
            page, is_last = 0, False
            while answer_id not in found and not is_last:
                page += 1
                rows = await self._newest_questions([conversation_id], page, lock)
                found |= _by_answer(rows)
                is_last = len(rows) < QUESTIONS
        return found

    async def _newest_questions(self, conversations: Sequence[str], page: int, lock: RedisLock) -> list[Row]:
        await lock.reacquire()
        return await self._directus.read_items(
            "messages",
            filter={"_and": [{"conversation_id": {"_in": conversations}}, {"role": {"_eq": "user"}}]},
            fields=["id", "status", "conversation_id", "date_created", "metadata"],
            sort=["-date_created", "id"],
            limit=QUESTIONS,
            page=page,
        )

    async def _take_away(self, answer_ids: list[str]) -> int:
        """Delete answers that were begun, or made late, for messages that another answer covers."""
        if answer_ids:
            await self._directus.delete_items("messages", answer_ids)
        return len(answer_ids)

    async def _end(self, answers: Sequence[Row]) -> int:
        """End answers that stream and stand as they were read: one that ended meanwhile may have been opened anew."""
        if not answers:
            return 0
        as_read = [{"_and": [{"id": {"_eq": row["id"]}}, {"seq": _is(row["seq"])}]} for row in answers]
        streaming = {"_and": [{"_or": as_read}, {"status": {"_eq": "streaming"}}]}
        return len(await self._directus.update_where("messages", streaming, {"status": "failed", "outcome": "error"}))


def _is(value: int | None) -> Filter:
    return {"_null": True} if value is None else {"_eq": value}


def _by_answer(questions: Sequence[Row]) -> dict[str, Row]:
    return {answer_id_of(row["id"]): row for row in questions}


def _unanswered(now: datetime) -> Filter:
    return {
        "_and": [
            {"role": {"_eq": "user"}},
            {"status": {"_null": True}},
            {"conversation_id": {"_nnull": True}},
            {"date_created": {"_lt": (now - timedelta(seconds=OLDER_THAN_S)).isoformat()}},
            {"date_created": {"_gt": (now - YOUNGER_THAN).isoformat()}},
        ]
    }


def _streaming(now: datetime) -> Filter:
    """However old: the status is indexed, and besides strays only live answers have it."""
    return {
        "_and": [
            {"role": {"_eq": "assistant"}},
            {"status": {"_eq": "streaming"}},
            {"date_created": {"_lt": (now - timedelta(seconds=OLDER_THAN_S)).isoformat()}},
        ]
    }


def _asked_at(question: Row) -> datetime:
    """When the answer was asked for, the last time: a regeneration notes it beside the question."""
    metadata = question["metadata"]
    again = metadata.get("asked_again_at") if isinstance(metadata, dict) else None  # anybody may have written it
    for date in (again, question["date_created"]):
        with suppress(ValueError):
            parsed = datetime.fromisoformat(str(date))
            return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)

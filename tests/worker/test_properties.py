"""The promises as invariants: whatever fails at whatever moment, in whatever order things are delivered.

Each case is a small installation under a draw of faults, run in virtual time to its end: first the
faults, then a quiet time in which the sweep and the queue put right what is left. How many cases is
hypothesis's profile: ``default`` 500, ``nightly`` 10,000 (HYPOTHESIS_PROFILE).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import structlog
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from services import redis_keys
from services.answer_ids import answer_id_of
from tests.worker.fault_world import ModelFault, World, script_of
from tests.worker.virtual_time import Clock, run_in_virtual_time

TAGS = ("bridges", "candles", "dolphins", "engines", "forests", "gardens")
CONVERSATIONS = tuple(str(uuid5(NAMESPACE_OID, f"conversation {number}")) for number in range(2))
STORM_S = 12.0
QUIET_S = 90.0
"""Longest that healing may take: a lease, a turn's time-out (40 s), a sweep, the next turn of the line."""
STOP_RACE_S = 0.5
"""A stop that comes this shortly before the last write may lose to it."""


@dataclass(frozen=True)
class Asked:
    """One user message: when it is written, and after how long a hook reports it (None: never)."""

    conversation: int
    at: float
    hook_after: float | None
    faults: tuple[ModelFault, ...] = ()


@dataclass(frozen=True)
class Befalls:
    """One fault or act, at a time; ``which`` names a message or worker, ``size`` a duration or count."""

    at: float
    what: str
    which: int
    size: float


@dataclass(frozen=True)
class Case:
    seed: int
    workers: int
    asked: tuple[Asked, ...]
    befalls: tuple[Befalls, ...]


ACTS = (
    "redeliver",
    "direct",
    "stop by status",
    "stop by flag",
    "delete message",
    "delete answer",
    "delete conversation",
    "kill",
    "shut down",
    "directus away",
    "directus says 503",
    "directus says 429",
    "directus unreached",
    "directus unheard",
    "directus slow",
    "redis away",
    "redis emptied",
    "redis unreached",
    "redis unheard",
)

moments = st.integers(0, 100).map(lambda tenth: tenth / 10)
model_faults = st.tuples(st.sampled_from(("busy", "broken", "refused", "stall")), st.integers(0, 12))
asked = st.builds(
    Asked,
    conversation=st.integers(0, 1),
    at=moments,
    hook_after=st.one_of(st.none(), st.sampled_from((0.0, 0.0, 0.05, 0.3, 2.0))),
    faults=st.lists(model_faults, max_size=3).map(tuple),
)
befalls = st.builds(
    Befalls,
    at=st.integers(0, 1100).map(lambda hundredth: hundredth / 100),
    what=st.sampled_from(ACTS),
    which=st.integers(0, 5),
    size=st.sampled_from((0.1, 0.5, 1.0, 3.0, 6.0)),
)


def cases(workers: st.SearchStrategy[int]) -> st.SearchStrategy[Case]:
    return st.builds(
        Case,
        seed=st.integers(0, 2**32),
        workers=workers,
        asked=st.lists(asked, min_size=1, max_size=4).map(tuple),
        befalls=st.lists(befalls, max_size=5).map(tuple),
    )


half = settings(
    max_examples=settings.default.max_examples // 2 if settings.default else 250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""Half of the profile's cases for one worker alone, half for several (the two run beside each other)."""


@dataclass
class Story:
    """A case as it unfolds, and what of it the invariants need to know."""

    case: Case
    clock: Clock
    world: World
    stopped_at: dict[str, float] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    """Answers that were deleted, or whose question was."""

    async def unfold(self) -> None:
        """The storm, then the quiet."""
        for conversation in CONVERSATIONS:
            self.world.directus.put("conversations", id=conversation, source="mini")
        for _ in range(self.case.workers):
            self.world.start_worker()
        due: list[tuple[float, int, Any]] = [(one.at, n, one) for n, one in enumerate(self.case.asked)]
        due += [(one.at, 100 + n, one) for n, one in enumerate(self.case.befalls)]
        for at, number, what in sorted(due, key=lambda each: each[:2]):
            await asyncio.sleep(max(at - self.clock.now, 0))
            if isinstance(what, Asked):
                self._ask(number, what)
            else:
                self.world.begin(self._befall(what))
        await asyncio.sleep(max(STORM_S - self.clock.now, 0))
        self.world.calm()
        if not any(worker.is_running for worker in self.world.workers):
            self.world.start_worker()
        quiet_until = self.clock.now + QUIET_S
        while not self.is_settled and self.clock.now < quiet_until:  # noqa: ASYNC110 - rows have no event
            await asyncio.sleep(0.5)
        await asyncio.sleep(1.5)

    @property
    def is_settled(self) -> bool:
        rows = self.world.directus.rows("messages")
        return not any(
            (row["role"] == "user" and row["status"] not in {"answered", "superseded"}) or row["status"] == "streaming"
            for row in rows
        )

    def message_id(self, number: int) -> str:
        return str(uuid5(NAMESPACE_OID, f"message {number % len(self.case.asked)}"))

    def _ask(self, number: int, what: Asked) -> None:
        message_id = self.message_id(number)
        if CONVERSATIONS[what.conversation] not in self.world.directus.tables.rows["conversations"]:
            return
        self.world.directus.put(
            "messages",
            id=message_id,
            conversation_id=CONVERSATIONS[what.conversation],
            role="user",
            messageText=f"{TAGS[number]}?",
        )
        if what.hook_after is not None:
            self.world.begin(self._report(message_id, what.hook_after))

    async def _report(self, message_id: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self.world.deliver(message_id)

    async def _befall(self, what: Befalls) -> None:  # noqa: C901, PLR0912, PLR0915 - one case for each thing that can happen
        world, message_id = self.world, self.message_id(what.which)
        worker = world.workers[what.which % len(world.workers)]
        answer_id = answer_id_of(message_id)
        count = [None] * round(what.size * 4 + 1)
        match what.what:
            case "redeliver":
                await world.deliver(message_id)
            case "direct":
                await worker.answer_directly(message_id)
            case "stop by status":
                self._stop(answer_id)
            case "stop by flag":
                self._stop(answer_id)
                await world.redis.set(redis_keys.cancel_flag(answer_id), "1", ex=3600)
            case "delete message":
                self._delete("messages", message_id)
            case "delete answer":
                self._delete("messages", answer_id)
            case "delete conversation":
                self._delete("conversations", CONVERSATIONS[what.which % 2])
            case "kill" if worker.is_running:
                worker.kill()
                await asyncio.sleep(what.size)
                world.start_worker()
            case "shut down" if worker.is_running:
                await worker.stop(what.size)
                world.start_worker()
            case "directus away":
                world.directus.away = True
                await asyncio.sleep(what.size)
                world.directus.away = False
            case "directus says 503" | "directus says 429":
                world.directus.fail_next(len(count), status=int(what.what[-3:]), retry_after_s=1)
            case "directus unreached":
                world.directus_unreached += count
            case "directus unheard":
                world.directus_unheard += count
            case "directus slow":
                world.directus_slow_s = what.size / 2
                await asyncio.sleep(4)
                world.directus_slow_s = 0.03
            case "redis away":
                world.redis_server.connected = False
                await asyncio.sleep(what.size)
                world.redis_server.connected = True
            case "redis emptied":
                for database in world.redis_server.dbs.values():
                    database.clear()
            case "redis unreached":
                world.redis_unreached += count
            case "redis unheard":
                world.redis_unheard += count

    def _stop(self, answer_id: str) -> None:
        """As the receiver does it: only while the answer streams."""
        row = self.world.directus.tables.rows["messages"].get(answer_id)
        if row is not None and row["status"] == "streaming":
            self.world.directus.tables.update("messages", answer_id, {"status": "cancelled"})
            self.stopped_at[answer_id] = self.clock.monotonic()

    def _delete(self, collection: str, key: str) -> None:
        tables = self.world.directus.tables
        if key not in tables.rows[collection]:
            return
        gone = [key]
        if collection == "conversations":
            gone = [row["id"] for row in tables.linked(collection, key, "messages")]
        self.touched |= set(gone) | {answer_id_of(each) for each in gone}
        tables.delete(collection, key)


class Verdict:
    """What the rows say at the end, held to the promises."""

    def __init__(self, story: Story) -> None:
        self.story = story
        rows = story.world.directus.rows("messages")
        self.questions = {row["id"]: row for row in rows if row["role"] == "user"}
        self.answers = {row["id"]: row for row in rows if row["role"] == "assistant"}
        self.seen: dict[str, list[dict[str, Any]]] = {}
        for write in story.world.directus.writes:
            for row in write.rows:
                if write.method != "DELETE" and row["id"] not in self.questions and "seq" in row:
                    self.seen.setdefault(row["id"], []).append(row)

    def pronounce(self) -> None:
        self.every_question_is_settled()
        self.every_answer_has_ended_and_belongs_to_a_question()
        self.a_stop_is_a_stop()
        self.whole_texts()
        self.seq_grows()
        self.in_order()

    def every_question_is_settled(self) -> None:
        for message_id, row in self.questions.items():
            assert row["status"] in {"answered", "superseded"}, f"{row['messageText']} was left {row['status']}"
            if row["status"] == "answered" and answer_id_of(message_id) not in self.story.touched:
                assert answer_id_of(message_id) in self.answers, f"{row['messageText']} has no answer"
            if row["status"] == "superseded" and not self.story.touched:
                later = [
                    each
                    for each in self.questions.values()
                    if each["conversation_id"] == row["conversation_id"]
                    and each["date_created"] >= row["date_created"]
                    and each["status"] == "answered"
                ]
                assert later, f"nothing answers {row['messageText']}"

    def every_answer_has_ended_and_belongs_to_a_question(self) -> None:
        asked = {answer_id_of(self.story.message_id(number)) for number in range(len(self.story.case.asked))}
        for answer_id, row in self.answers.items():
            assert answer_id in asked
            assert row["status"] in {"completed", "cancelled", "failed"}, f"left {row['status']}"
        for message_id, question in self.questions.items():
            answer = self.answers.get(answer_id_of(message_id))
            if answer is not None and question["status"] == "answered" and answer["id"] not in self.story.touched:
                assert answer["status"] in {"completed", "cancelled"}, f"{question['messageText']} {answer['status']}"

    def a_stop_is_a_stop(self) -> None:
        for answer_id, stopped_at in self.story.stopped_at.items():
            row = self.answers.get(answer_id)
            if row is not None and answer_id not in self.story.touched and row["status"] != "cancelled":
                late_s = self._last_write_at(answer_id) - stopped_at
                assert late_s < STOP_RACE_S, f"{row['status']} {late_s:.2f} s after the stop"

    def _last_write_at(self, answer_id: str) -> float:
        world = self.story.world
        pairs = zip(world.directus.writes, world.written_at, strict=True)
        return max(at for write, at in pairs if any(row["id"] == answer_id for row in write.rows))

    def whole_texts(self) -> None:
        for message_id, question in self.questions.items():
            answer = self.answers.get(answer_id_of(message_id))
            if answer is None or answer["status"] != "completed":
                continue
            text = " ".join(answer["messageText"].split())
            whole = script_of(question["messageText"])
            sentences = [f"{each}." for each in whole.removesuffix(".").split(". ")]
            kept, _, offline = text.partition("I found:")
            if not answer["metadata"]["degraded"]:
                assert text == whole, "an answer that is not degraded is whole"
            else:
                beginnings = {" ".join(sentences[:count]) for count in range(len(sentences) + 1)}
                assert kept.strip() in beginnings, f"broken: {text!r}"
                assert text, "an answer says something"
                assert "I found:" not in offline
            repeated = [each for each, times in Counter(_sentences(text)).items() if times > 1]
            assert not repeated

    def seq_grows(self) -> None:
        for answer_id, rows in self.seen.items():
            if answer_id in self.story.touched:
                continue
            seqs = [row["seq"] for row in rows]
            assert all(earlier < later for earlier, later in pairwise(seqs)), f"{seqs}"
            assert self.answers[answer_id]["seq"] == seqs[-1]

    def in_order(self) -> None:
        if any(each.what == "redis emptied" for each in self.story.case.befalls):
            return  # who waits in line is forgotten with it
        ends: dict[str, list[tuple[datetime, int]]] = {}
        for position, write in enumerate(self.story.world.directus.writes):
            for row in write.rows:
                question = next((q for q in self.questions.values() if answer_id_of(q["id"]) == row["id"]), None)
                if question is not None and row.get("status") == "completed":
                    asked_at = datetime.fromisoformat(question["date_created"])
                    ends.setdefault(question["conversation_id"], []).append((asked_at, position))
        for conversation, pairs in ends.items():
            in_time = [asked_at for asked_at, _ in pairs]
            assert in_time == sorted(in_time), f"out of order in {conversation}"


def _sentences(text: str) -> list[str]:
    return [each.strip() for each in text.split(".") if each.strip()]


@half
@given(case=cases(st.just(1)))
def test_one_worker_keeps_every_promise_whatever_befalls(case: Case) -> None:
    """Every message gets exactly one whole answer, in order, never revived, never left streaming."""
    run(case)


@half
@given(case=cases(st.integers(2, 3)))
def test_several_workers_keep_every_promise_whatever_befalls(case: Case) -> None:
    """Every message gets exactly one whole answer also where workers die, part and take each other's turns up."""
    run(case)


def run(case: Case) -> None:
    """Let a case unfold and hold its end to the promises."""
    for each in case.befalls:
        event(each.what)
    clock = Clock()
    random.seed(case.seed)  # back-off has its jitter from there

    async def main() -> None:
        faults = {f"{TAGS[number]}?": list(one.faults) for number, one in enumerate(case.asked)}
        story = Story(case, clock, World(case.seed, faults))
        try:
            await story.unfold()
        finally:
            await story.world.close()
        Verdict(story).pronounce()

    with structlog.testing.capture_logs() as lines:
        run_in_virtual_time(main(), clock)
    assert not [line for line in lines if line.get("exc_info")], "something failed that nobody had thought of"

"""A case of the property tests as it unfolds: what is asked, what befalls it, and what is remembered of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

from services import redis_keys
from services.answer_ids import answer_id_of
from services.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from tests.worker.fault_world import ModelFault, SimWorker, World
    from tests.worker.virtual_time import Clock

__all__ = ["ACTS", "CONVERSATIONS", "TAGS", "Asked", "Befalls", "Case", "DoneLate", "Story"]

TAGS = ("bridges", "candles", "dolphins", "engines", "forests", "gardens")
CONVERSATIONS = tuple(str(uuid5(NAMESPACE_OID, f"conversation {number}")) for number in range(2))
STORM_S = 26.0
"""Faults begin within 11 s, and the longest lasts 12 s: longer than a conversation's line holds."""
QUIET_S = 90.0
"""Longest that healing may take: a lease, a turn's time-out (40 s), a sweep, the next turn of the line."""
MENDED_S = 1.5
"""A row that a late write has hit is looked at each ``late_writes.LOOK_S``, and put right by one call."""
ADOPTED_S = 7.5
"""Before, where its process is gone: its word lasts ``WATCHED_ROWS_TENDED_S``, others look each ``TEND_S``."""


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
class DoneLate:
    """Of the next ``times`` writes of any worker nobody hears anything; Directus does each ``after_s`` later.

    Those are either such that make rows or such that change them. ``after_s`` is shorter than
    ``late_writes.UNHEARD_STILL_FOR_S``: for what comes later than that nothing is promised. Left out are the
    receiver's writes: one that opens an answer anew, and comes behind the new answer, begins one more turn.
    """

    at: float
    times: int
    after_s: float
    makes_rows: bool = False


@dataclass(frozen=True)
class Case:
    seed: int
    workers: int
    asked: tuple[Asked, ...]
    befalls: tuple[Befalls, ...]
    late: tuple[DoneLate, ...] = ()


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
    "redis away for one",
    "pause",
    "regenerate",
)


@dataclass
class Story:
    """A case as it unfolds, and what of it the invariants need to know."""

    case: Case
    clock: Clock
    world: World
    stopped_at: dict[str, float] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    """Answers that were deleted, or whose question was, and those questions."""
    regenerated: set[str] = field(default_factory=set)
    """Answers that were begun anew, whenever that was."""

    async def unfold(self) -> None:
        """The storm, then the quiet."""
        for conversation in CONVERSATIONS:
            self.world.directus.put("conversations", id=conversation, source="mini")
        for _ in range(self.case.workers):
            self.world.start_worker()
        befalling: list[asyncio.Task[Any]] = []
        due: list[tuple[float, int, Any]] = [(one.at, n, one) for n, one in enumerate(self.case.asked)]
        due += [(one.at, 100 + n, one) for n, one in enumerate(self.case.befalls)]
        due += [(one.at, 200 + n, one) for n, one in enumerate(self.case.late)]
        for at, number, what in sorted(due, key=lambda each: each[:2]):
            await asyncio.sleep(max(at - self.clock.now, 0))
            if isinstance(what, Asked):
                self._ask(number, what)
            elif isinstance(what, DoneLate):
                world = self.world
                late_s = world.directus_made_late_s if what.makes_rows else world.directus_late_s
                late_s += [what.after_s] * what.times
            else:
                befalling.append(self.world.begin(self._befall(what)))
        await asyncio.sleep(max(STORM_S - self.clock.now, 0))
        for each in befalling:
            if each.done():
                with suppress(ServiceUnavailableError):  # as whoever asks the receiver is told then
                    each.result()  # a fault that breaks at itself has not befallen anybody
        self.world.calm()
        if not any(worker.is_running for worker in self.world.workers):
            self.world.start_worker()
        await self._heal()
        # What is done late may come when all is settled, and until the last of it is there a row may be wrong again.
        while self.world.late_writes:  # noqa: ASYNC110 - nor have these
            await asyncio.sleep(0.5)
        is_adopted = any(each.what in {"kill", "shut down", "regenerate"} for each in self.case.befalls)
        await asyncio.sleep(MENDED_S + (ADOPTED_S if is_adopted else 0))
        await self._heal()  # what is put right may be an answer begun anew, which is written then
        await asyncio.sleep(MENDED_S)

    async def _heal(self) -> None:
        """Wait until nothing is left over, ``QUIET_S`` at most."""
        quiet_until = self.clock.now + QUIET_S
        while not self.is_settled and self.clock.now < quiet_until:  # noqa: ASYNC110 - rows have no event
            await asyncio.sleep(0.5)

    @property
    def is_settled(self) -> bool:
        if any(len(worker.services.watch) for worker in self.world.workers if worker.is_running):
            return False  # also where the rows look ended: an attempt before may have ended them, and been late
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
                self._leave_out_ends_of(worker)
                await asyncio.sleep(what.size)
                world.start_worker()
            case "shut down" if worker.is_running:
                await worker.stop(what.size)
                self._leave_out_ends_of(worker)
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
                with world.redis_server.lock:  # who waits for a key is told
                    for database in world.redis_server.dbs.values():
                        database.clear()
            case "redis unreached":
                world.redis_unreached += count
            case "redis unheard":
                world.redis_unheard += count
            case "redis away for one" if worker.is_running:
                await worker.be_without_redis(what.size * 2)
            case "pause" if worker.is_running:
                await worker.pause(what.size * 2)
            case "regenerate":
                await self._regenerate(message_id, answer_id, until=min(self.clock.now + 3 * what.size, STORM_S))

    def _leave_out_ends_of(self, gone: SimWorker) -> None:
        """Drop the late ends of a process that is gone.

        Such an end is the turn's when it comes: the question counts as answered, and if who has taken the turn up
        dies then, with some of his own text over it, nobody takes it up any more.
        """
        self.world.leave_out(lambda write: write.sender is gone.connection and not write.is_text)

    async def _regenerate(self, message_id: str, answer_id: str, *, until: float) -> None:
        """As the receiver does it for a visitor who asks until he is let; what was stopped before may go on then."""
        while self.clock.now < until:
            if await self.world.regenerate(message_id):
                self.regenerated.add(answer_id)
                # A stop may have come while the receiver was at it: then it was for the answer before.
                pairs = zip(self.world.directus.writes, self.world.written_at, strict=False)
                opened = {"id": answer_id, "status": "streaming", "messageText": ""}
                opened_at = max(at for each, at in pairs if any(opened.items() <= row.items() for row in each.rows))
                if self.stopped_at.get(answer_id, opened_at) < opened_at:
                    del self.stopped_at[answer_id]
                return
            await asyncio.sleep(0.3)

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

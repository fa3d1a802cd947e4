"""The watch over a process's live turns: it keeps their leases and sees who calls them off.

One round trip to Redis each tick for all live turns, whatever they are doing: a stop reaches a
turn that waits for a silent model as soon as one that is writing.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from services import redis_keys
from services.errors import ServiceUnavailableError
from services.logging import get_logger
from worker.conversation_line import ConversationLine, Kept, Place, parse_newest
from worker.signals import LeaseLost, Signal, Stopped, Superseded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from services.redis import RedisClient
    from services.turn_leases import Claim, TurnLeases
    from worker.answer_stream import AnswerStream
    from worker.turn import Turn

__all__ = ["LiveTurn", "TurnWatch"]

log = get_logger(__name__)

TICK_S = 0.25
"""A stop must end a model's stream within a second."""
RENEW_S = 1.0
"""Leases last 5 s: four renewals may be missed before another worker takes a turn up."""
PATIENCE_S = 0.3
"""A write of visible text does not wait longer for Redis to say that nobody took the turn."""
STOOD_STILL_S = 1.0
"""A question with a time-out of PATIENCE_S that takes longer was asked by a process that was paused or starved."""
ASLEEP_S = redis_keys.TURN_FREE_TTL_S / 2
"""Whoever stood still for longer (a machine that was suspended) gives up his turns unasked: what refuses him in Redis
does not stay for ever. Where nobody took them up, the sweep asks for them again."""


class LiveTurn:
    """A turn that this process is working on."""

    def __init__(
        self, turn: Turn, claim: Claim, open_answer: Callable[[Callable[[Signal], None]], AnswerStream]
    ) -> None:
        self.turn = turn
        self.claim = claim
        self.place = Place(turn.conversation_id, turn.message_id, turn.asked_at)
        self.signal: Signal | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_on_screen = False
        """Whether an earlier attempt has shown something."""
        self.was_line_retaken = False
        """Whether Redis had forgotten who has the line, for a moment in which others may have come and gone."""
        self.lost_characters = 0
        """Text of an earlier attempt, which was paid for and which its worker's end kept from being counted."""
        self.answer = open_answer(self.interrupt)

    def interrupt(self, signal: Signal) -> None:
        """Call the turn off, once; nothing is written for it from here on."""
        if self.signal is not None:
            return
        self.signal = signal
        self.answer.close()
        if self.task is not None:
            self.task.cancel()

    @property
    def has_shown(self) -> bool:
        """Whether a visitor may have seen something of the answer."""
        return self.is_on_screen or self.answer.first_shown_at is not None or self.answer.final is not None

    @property
    def is_ending(self) -> bool:
        """Whether the last write is on its way."""
        return self.answer.final is not None


class TurnWatch:
    """Every live turn of the process."""

    def __init__(
        self,
        redis: RedisClient,
        leases: TurnLeases,
        line: ConversationLine,
        has_begun: Callable[[str, Sequence[str]], Awaitable[bool]],
    ) -> None:
        """``has_begun`` tells of a conversation whether any of these messages has an answer of its own by now."""
        self._has_begun = has_begun
        self._redis = redis
        self._leases = leases
        self._line = line
        self._live: dict[str, LiveTurn] = {}
        self._awake_at = time.time()  # the monotonic clock stands still with a machine

    def __len__(self) -> int:
        return len(self._live)

    def live(self) -> list[Turn]:
        """The turns in flight."""
        return [live.turn for live in self._live.values()]

    def enter(self, live: LiveTurn) -> None:
        """Begin to watch a turn."""
        self._live[live.claim.message_id] = live

    def leave(self, live: LiveTurn) -> None:
        """Watch it no more."""
        if self._live.get(live.claim.message_id) is live:
            del self._live[live.claim.message_id]

    async def still_ours(self, claims: Iterable[Claim]) -> dict[str, bool | None]:
        """By message id, whether a write may follow now; asked of Redis just before each write.

        None says that Redis is silent: to everybody, then nobody can take a turn up, or to this process alone.
        When this process has stood still meanwhile, neither Redis's answer nor its silence says anything of
        now: it is asked again.
        """
        wanted = list(claims)
        while not self._has_slept():
            asked_at = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    held: dict[str, bool | None] = {**await self._leases.holding(wanted)}
                    first = self._before_their_first([claim for claim in wanted if held[claim.message_id]])
                    held |= await self._have_line(first)
            except (ServiceUnavailableError, TimeoutError):
                first, held = [], dict.fromkeys(claim.message_id for claim in wanted)
            if time.monotonic() - asked_at < STOOD_STILL_S:
                for live in first:
                    if live.was_line_retaken and live.turn.covers and held[live.claim.message_id]:
                        place, covers = live.place, live.turn.covers
                        held[place.message_id] = not await self._has_begun(place.conversation_id, covers)
                return held
        return dict.fromkeys((claim.message_id for claim in wanted), False)

    def _before_their_first(self, claims: Sequence[Claim]) -> list[LiveTurn]:
        """Those of the turns that are about to show their first."""
        live = [self._live.get(claim.message_id) for claim in claims]
        return [
            each
            for each, claim in zip(live, claims, strict=True)
            if each is not None and each.claim is claim and not (each.answer.exists or each.is_on_screen)
        ]

    async def _have_line(self, first: Sequence[LiveTurn]) -> dict[str, bool]:
        """Of turns that are about to show their first, whether the line is theirs still, which is prolonged then.

        Redis may have been emptied since it was looked at last, and another message have the line, whose turn would
        have seen a row that was there, and sees none.
        """
        if not first:
            return {}
        held = await self._leases.renew([each.claim for each in first])
        kept = await self._keep(first)
        return {
            each.claim.message_id: held[each.claim.message_id] and has_line
            for each, has_line in zip(first, kept, strict=True)
        }

    async def _keep(self, watched: Sequence[LiveTurn]) -> list[bool]:
        """Prolong the places of turns in their lines; which of them have it."""
        kept = await self._line.keep([(live.place, live.claim.value) for live in watched])
        for live, how in zip(watched, kept, strict=True):
            live.was_line_retaken = live.was_line_retaken or how is Kept.RETAKEN
        return [how is not Kept.LOST for how in kept]

    def _has_slept(self) -> bool:
        """Whether this process stood still for hours, say, since this was asked last; then its turns are called off."""
        now = time.time()
        has_slept, self._awake_at = now - self._awake_at > ASLEEP_S, now
        if has_slept:
            log.warning("watch.slept", turns=len(self._live))
            for live in list(self._live.values()):
                live.interrupt(LeaseLost())
        return has_slept

    async def run(self) -> None:
        """Watch until cancelled; without Redis the turns go on unwatched."""
        renew_at = 0.0
        away = False
        while True:
            await asyncio.sleep(TICK_S)
            if self._has_slept() or not self._live:
                continue
            try:
                await self._look()
                if time.monotonic() >= renew_at:
                    renew_at = time.monotonic() + RENEW_S
                    await self._renew()
                away = False
            except ServiceUnavailableError as error:
                if not away:
                    log.warning("watch.redis_away", reason=str(error))
                away = True
            except Exception:  # an upkeep loop fails alone and goes on
                log.exception("watch.failed")

    async def _look(self) -> None:
        watched = list(self._live.values())
        keys: list[str] = []
        for live in watched:
            keys += [
                redis_keys.turn_lease(live.claim.message_id),
                redis_keys.cancel_flag(live.turn.answer_id),
                redis_keys.conversation_newest(live.turn.conversation_id),
            ]
        found: list[Any] = await self._redis.mget(keys)
        for position, live in enumerate(watched):
            lease, cancelled, newest = found[3 * position : 3 * position + 3]
            if lease is not None and _text(lease) != live.claim.value:
                live.interrupt(LeaseLost())
                continue
            if cancelled is not None and not live.is_ending:
                live.interrupt(Stopped())
            elif newest is not None and not live.has_shown:
                asked_at, message_id = parse_newest(newest)
                if asked_at > live.turn.asked_at:
                    live.interrupt(Superseded(message_id))

    async def _renew(self) -> None:
        watched = list(self._live.values())
        held = await self._leases.renew([live.claim for live in watched])
        for live in watched:
            if not held[live.claim.message_id]:
                live.interrupt(LeaseLost())
        kept = await self._keep(watched)
        for live, has_line in zip(watched, kept, strict=True):
            if not has_line and not live.has_shown:
                # Lost with Redis's memory, or slept through: who has the line now may be answering this message too.
                live.interrupt(LeaseLost())


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value

"""A worker that is cut off from Redis, but not from Directus, does not spoil the answer of who took its turn up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from services.errors import ServiceUnavailableError
from services.redis_keys import turn_lease
from tests.worker.test_answering import until
from worker import answer_pump, answering, late_writes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop

WINNERS = [f"winner{number} " for number in range(80)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_writes, "LOOK_S", 0.02)
    monkeypatch.setattr(late_writes, "STILL_FOR_S", 0.2)
    monkeypatch.setattr(answering, "SAVE_PATIENCE_S", 0.1)


def _cut_off(loser: Workshop) -> Callable[[], None]:
    """This worker alone reaches no Redis; what mends the line."""

    class Away:
        async def mget(self, *_: Any) -> Any:  # noqa: ANN401 - never returns
            raise ServiceUnavailableError("redis", "nobody is there")

    async def away(*_: Any, **__: Any) -> Any:  # noqa: ANN401 - never returns
        raise ServiceUnavailableError("redis", "nobody is there")

    watch: Any = loser.services.watch
    calls: list[tuple[Any, str]] = [(loser.services.turns, name) for name in ("save", "finish")]
    calls += [(loser.services.watched, "expected")]
    calls += [(loser.services.leases, name) for name in ("holding", "renew", "release")]
    kept = [getattr(owner, name) for owner, name in calls]
    redis, watch._redis = watch._redis, Away()
    for owner, name in calls:
        setattr(owner, name, away)

    def mend() -> None:
        watch._redis = redis
        for (owner, name), method in zip(calls, kept, strict=True):
            setattr(owner, name, method)

    return mend


async def _lapse(workshop: Workshop, message_id: str) -> None:
    """What a lease does that nobody renews."""
    await workshop.redis.delete(turn_lease(message_id))


@pytest.mark.parametrize("mended", [True, False])
async def test_who_is_cut_off_sees_in_the_row_that_its_turn_was_taken(
    make_workshop: Callable[..., Workshop], *, mended: bool
) -> None:
    """Both write for a while; the row ends with the winner's whole answer, whether or not Redis comes back."""
    loser, winner = make_workshop(), make_workshop()
    loser.provider.pieces = ["The loser's words. ", *["more "] * 60]
    winner.provider.pieces = WINNERS
    for workshop in (loser, winner):
        workshop.provider.pace_s = 0.02
    message_id = loser.ask()
    losing = asyncio.create_task(loser.answer(message_id))
    await until(lambda: (loser.answer_to(message_id) or {}).get("messageText"))
    mend = _cut_off(loser)
    await _lapse(winner, message_id)
    winning = asyncio.create_task(winner.answer(message_id, attempt=2))
    await asyncio.wait_for(asyncio.gather(losing, return_exceptions=True), 5)
    assert not winning.done(), "the loser stops as soon as it sees who writes"
    assert loser.provider.closed_early == 1
    if mended:
        mend()
    await asyncio.wait_for(winning, 5)
    await until(lambda: (winner.answer_to(message_id) or {})["messageText"] == "".join(WINNERS))
    row = winner.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["metadata"]["attempts"]) == ("completed", 2)
    assert winner.status_of(message_id) == "answered"
    mend()
    await until(lambda: not len(loser.services.late_writes))
    assert (winner.answer_to(message_id) or {})["messageText"] == "".join(WINNERS)


async def test_a_completion_by_who_was_cut_off_does_not_end_the_winners_answer(
    make_workshop: Callable[..., Workshop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loser comes to its end between two writes of the winner, unseen: the row holds the winner's answer whole."""
    loser, winner = make_workshop(), make_workshop()
    winner.provider.pieces = WINNERS
    winner.provider.pace_s = 0.02
    loser.provider.pieces = ["The loser's words. ", *["more "] * 40]
    loser.provider.pace_s = 0.02
    message_id = loser.ask()
    losing = asyncio.create_task(loser.answer(message_id))
    await until(lambda: (loser.answer_to(message_id) or {}).get("messageText"))
    rows: Any = loser.services.pump._rows

    async def sees_nothing(_: Any) -> None:  # noqa: ANN401 - streams
        """The loser's looks all fall between its own write and the winner's next."""

    rows.look_at = sees_nothing
    _cut_off(loser)
    await _lapse(winner, message_id)
    winning = asyncio.create_task(winner.answer(message_id, attempt=2))
    await until(lambda: (loser.answer_to(message_id) or {}).get("status") == "completed")
    assert not winning.done()
    await asyncio.wait_for(winning, 5)
    row = winner.answer_to(message_id)
    assert row is not None
    assert (row["messageText"], row["metadata"]["attempts"]) == ("".join(WINNERS), 2)
    await asyncio.gather(losing, return_exceptions=True)


async def test_a_row_that_another_has_made_is_not_adopted_while_redis_is_silent(
    make_workshop: Callable[..., Workshop],
) -> None:
    """Who is cut off before its first word must not take the winner's row for one of its own."""
    loser, winner = make_workshop(), make_workshop()
    loser.provider.pieces = ["The loser's words. "] * 60
    loser.provider.pace_s = 0.5
    winner.provider.pieces = WINNERS
    winner.provider.pace_s = 0.02
    message_id = loser.ask()
    losing = asyncio.create_task(loser.answer(message_id))
    await until(lambda: loser.provider.prompts)
    _cut_off(loser)
    await _lapse(winner, message_id)
    winning = asyncio.create_task(winner.answer(message_id, attempt=2))
    await asyncio.wait_for(asyncio.gather(losing, return_exceptions=True), 5)
    await asyncio.wait_for(winning, 5)
    row = winner.answer_to(message_id)
    assert row is not None
    assert row["messageText"] == "".join(WINNERS)


async def test_an_outage_of_redis_for_all_ends_no_answer(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can take a turn up then: the visitor's answer goes on to its end, and is looked at now and then only."""
    monkeypatch.setattr(answer_pump, "STATUS_CHECK_S", 0.2)
    workshop.provider.pieces = [f"word{number} " for number in range(50)]
    workshop.provider.pace_s = 0.02
    message_id = workshop.ask()
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: (workshop.answer_to(message_id) or {}).get("messageText"))
    mend = _cut_off(workshop)
    rows: Any = workshop.services.pump._rows
    look_at, looks = rows.look_at, []

    async def counted(streams: Any) -> None:  # noqa: ANN401 - streams
        looks.append(len(streams))
        await look_at(streams)

    rows.look_at = counted
    writes_before = len(workshop.directus.writes)
    await until(lambda: (workshop.answer_to(message_id) or {}).get("status") == "completed")
    mend()
    await asyncio.gather(turn, return_exceptions=True)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["messageText"] == "".join(workshop.provider.pieces)
    assert len(looks) < (len(workshop.directus.writes) - writes_before) / 2, "not before each write"

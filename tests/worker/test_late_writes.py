"""Who had a turn and lost it changes nothing any more: not the row, not the line, whenever it wakes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from services import redis_keys
from services.errors import ServiceUnavailableError
from services.queue.jobs import Queue
from services.queue.runner import RetryLater
from tests.worker.test_answering import until
from worker import late_writes, turn_watch
from worker.conversation_line import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from services.turn_leases import Claim
    from tests.worker.conftest import Workshop


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_writes, "LOOK_S", 0.02)
    monkeypatch.setattr(late_writes, "STILL_FOR_S", 0.2)
    monkeypatch.setattr(late_writes, "UNHEARD_STILL_FOR_S", 0.2)


def _paused_after_check(loser: Workshop, meanwhile: Callable[[], Any]) -> None:
    """From here on the loser's next fencing check says "yours", and then the process stands still."""
    pump: Any = loser.services.pump
    check = pump._still_ours

    async def check_then_pause(claims: Iterable[Claim]) -> dict[str, bool]:
        held: dict[str, bool] = await check(claims)
        pump._still_ours = check
        await meanwhile()
        return held

    pump._still_ours = check_then_pause


@pytest.mark.parametrize("long_after", [False, True])
async def test_a_write_that_arrives_after_the_winners_last_one_is_put_right(
    make_workshop: Callable[..., Workshop], monkeypatch: pytest.MonkeyPatch, *, long_after: bool
) -> None:
    """The pause between check and write that nothing can close: the row holds the winner's whole answer again."""
    monkeypatch.setattr("worker.answer_pump.CHECK_HOLDS_S", 1e9)
    loser, winner = make_workshop(), make_workshop()
    loser.provider.pieces = ["The loser's words. ", *["more "] * 500]
    loser.provider.pace_s = 0.01
    message_id = loser.ask()
    losing = asyncio.create_task(loser.answer(message_id))
    await until(lambda: (loser.answer_to(message_id) or {}).get("messageText"))
    await loser.services.pump.at_rest()  # the row is seen before the round that wrote it has looked behind itself
    won: list[dict[str, Any]] = []

    async def meanwhile() -> None:
        await loser.stand_still(message_id)
        await winner.answer(message_id, attempt=2)
        if long_after:  # the winner looks after its row no more: it is the loser who finds out
            await until(lambda: not len(winner.services.late_writes))
        won.append(dict(winner.answer_to(message_id) or {}))

    _paused_after_check(loser, meanwhile)
    seen: list[str] = []

    def late_one_landed() -> bool:
        seen.append((loser.answer_to(message_id) or {})["messageText"])
        return bool(won) and seen[-1].startswith("The loser's")

    await until(late_one_landed)
    await until(lambda: (loser.answer_to(message_id) or {})["messageText"] == "Hello there.")
    await asyncio.wait_for(losing, 2)
    await until(lambda: not len(loser.services.late_writes) and not len(winner.services.late_writes))
    row = loser.answer_to(message_id)
    assert row is not None
    assert {name: row[name] for name in won[0]} == won[0]


async def test_a_check_that_is_old_is_made_again(
    make_workshop: Callable[..., Workshop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between check and write lies a wait for Directus at times; a turn taken meanwhile is not written."""
    loser, winner = make_workshop(), make_workshop()
    loser.provider.pieces = ["The loser's words. ", *["more "] * 500]
    loser.provider.pace_s = 0.01
    message_id = loser.ask()
    losing = asyncio.create_task(loser.answer(message_id))
    await until(lambda: (loser.answer_to(message_id) or {}).get("messageText"))
    pump: Any = loser.services.pump
    await pump.at_rest()
    rows = pump._rows
    look_at = rows.look_at
    slept: list[bool] = []
    suspected: list[str] = []
    monkeypatch.setattr(loser.services.late_writes, "suspect", lambda message_id, _: suspected.append(message_id))

    async def slow_look(streams: Any) -> None:  # noqa: ANN401 - streams
        slept.append(True)
        await loser.stand_still(message_id)
        rows.look_at = look_at
        await winner.answer(message_id, attempt=2)
        await asyncio.sleep(0.6)

    rows.look_at = slow_look
    for stream in pump._streams.values():
        stream.last_seen_at = -1e9
    await asyncio.wait_for(losing, 5)
    assert slept
    assert not suspected, "nothing was written that would have to be put right"
    row = loser.answer_to(message_id)
    assert row is not None
    assert row["messageText"] == "Hello there."
    assert loser.directus.row("messages", message_id)["status"] == "answered"


async def test_a_process_that_stood_still_asks_again_whether_its_turns_are_its_own(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer of Redis, or its silence, from before the pause counts for nothing."""
    monkeypatch.setattr(turn_watch, "STOOD_STILL_S", 0.05)
    leases: Any = workshop.services.leases
    claim = await leases.claim("m")
    holding = leases.holding

    async def before_the_pause(claims: Iterable[Claim]) -> dict[str, bool]:
        held: dict[str, bool] = await holding(claims)
        leases.holding = holding
        await workshop.redis.delete(redis_keys.turn_lease("m"))
        await leases.claim("m")
        time.sleep(0.06)  # noqa: ASYNC251 - the process stands still
        return held

    leases.holding = before_the_pause
    assert await workshop.services.watch.still_ours([claim]) == {"m": False}


async def test_who_slept_for_hours_writes_nothing_though_redis_has_forgotten_who_won(
    make_workshop: Callable[..., Workshop],
) -> None:
    """A machine that was suspended in mid-answer: what refuses its writes lives for an hour."""
    sleeper, winner = make_workshop(), make_workshop()
    sleeper.provider.pieces, sleeper.provider.pace_s = ["The sleeper's words. ", *["more "] * 500], 0.01
    message_id = sleeper.ask()
    sleeping = asyncio.create_task(sleeper.answer(message_id))
    await until(lambda: (sleeper.answer_to(message_id) or {}).get("messageText"))
    await sleeper.services.pump.at_rest()
    watch: Any = sleeper.services.watch
    watched = dict(watch._live)
    await sleeper.stand_still(message_id)
    await winner.answer(message_id, attempt=2)
    await winner.redis.flushdb()
    whole = winner.answer_to(message_id)
    watch._live.update(watched)
    watch._awake_at -= 2 * 3600
    await asyncio.wait_for(sleeping, 2)
    assert whole is not None
    assert (whole["messageText"], whole["status"]) == ("Hello there.", "completed")
    assert winner.answer_to(message_id) == whole


async def test_who_lost_a_turn_does_not_free_its_line(make_workshop: Callable[..., Workshop]) -> None:
    """The next message of the conversation waits for the worker that has the turn now."""
    loser, winner = make_workshop(), make_workshop()
    for workshop in (loser, winner):
        workshop.provider.pieces = ["word "] * 60
        workshop.provider.pace_s = 0.02
    conversation_id = loser.conversation()
    first = loser.ask("One?", conversation_id)
    losing = asyncio.create_task(loser.answer(first))
    await until(lambda: (loser.answer_to(first) or {}).get("messageText"))
    await loser.stand_still(first)
    winning = asyncio.create_task(winner.answer(first, attempt=2))
    await asyncio.wait_for(losing, 2)
    second = loser.ask("Two?", conversation_id)
    await asyncio.wait_for(loser.answer(second), 0.3)
    assert loser.answer_to(second) is None, "it waits in line"
    await winning
    assert loser.status_of(first) == "answered"
    assert (await loser.services.queue.depth(Queue.TURNS)).waiting == 1, "now it is its turn"


async def test_a_turn_that_is_handed_over_keeps_its_place_in_line(make_workshop: Callable[..., Workshop]) -> None:
    """What waits behind it is not begun before another worker has ended it."""
    leaving, staying = make_workshop(), make_workshop()
    leaving.provider.pieces = ["word "] * 500
    leaving.provider.pace_s = 0.02
    conversation_id = leaving.conversation()
    first = leaving.ask("One?", conversation_id)
    turn = asyncio.create_task(leaving.answer(first))
    await until(lambda: (leaving.answer_to(first) or {}).get("messageText"))
    second = leaving.ask("Two?", conversation_id)
    await staying.answer(second)
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    assert (await staying.services.queue.depth(Queue.TURNS)).waiting == 0
    await staying.answer(first, attempt=2)
    assert (staying.status_of(first), staying.status_of(second)) == ("answered", None)
    assert (await staying.services.queue.depth(Queue.TURNS)).waiting == 1


async def test_an_answer_that_was_on_the_screen_is_not_superseded_by_who_takes_it_up(
    make_workshop: Callable[..., Workshop],
) -> None:
    """A worker dies in mid-answer and a later message comes before the next one shows anything: both are answered."""
    dying, next_one = make_workshop(), make_workshop()
    dying.provider.pieces = ["word "] * 500
    dying.provider.pace_s = 0.02
    next_one.provider.pace_s = 0.6
    conversation_id = dying.conversation()
    first = dying.ask("One?", conversation_id)
    turn = asyncio.create_task(dying.answer(first))
    await until(lambda: (dying.answer_to(first) or {}).get("messageText"))
    await dying.stand_still(first)
    going_on = asyncio.create_task(next_one.answer(first, attempt=2))
    await until(lambda: next_one.provider.prompts)
    second = dying.ask("Two?", conversation_id)
    await next_one.answer(second)
    await asyncio.wait_for(going_on, 5)
    await asyncio.wait_for(turn, 2)
    row = next_one.answer_to(first)
    assert row is not None
    assert (row["status"], next_one.status_of(first)) == ("completed", "answered")


async def test_the_next_turn_is_asked_for_also_while_its_last_job_is_still_ending(workshop: Workshop) -> None:
    """A job that found the line taken goes out slowly; its message need not wait for the sweep."""
    conversation_id = workshop.conversation()
    first, second = workshop.ask("One?", conversation_id), workshop.ask("Two?", conversation_id)
    queue: Any = workshop.services.queue
    enqueue = queue.enqueue
    asked_at: list[float] = []

    async def is_there_still(job: Any) -> bool:  # noqa: ANN401 - a job
        asked_at.append(time.monotonic())
        return time.monotonic() - asked_at[0] > 0.5 and await enqueue(job)

    queue.enqueue = is_there_still
    line = workshop.services.line
    await line.enter(Place(conversation_id, first, 1.0))
    assert not await line.enter(Place(conversation_id, second, 2.0))
    await workshop.services.directus.update_item("messages", first, {"status": "answered"})
    await workshop.answer(first)
    assert (await queue.depth(Queue.TURNS)).waiting == 1
    assert len(asked_at) <= 6, "it waits longer each time"


async def test_a_late_write_is_put_right_also_where_redis_was_silent_as_the_turn_ended(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt before has a text on its way; that the turn has ended, and how, only this process knows."""

    async def silent(*_: Any) -> bool:  # noqa: ANN401 - its own
        raise ServiceUnavailableError("redis", "nobody is there")

    message_id = workshop.ask()
    claim = await workshop.services.leases.claim(message_id)
    assert claim is not None
    await workshop.services.leases.release(claim)
    monkeypatch.setattr(workshop.services.turns, "finish", silent)
    with pytest.raises(RetryLater):
        await workshop.answer(message_id)
    answer = workshop.answer_to(message_id)
    assert answer is not None
    assert answer["status"] == "completed"
    late = {"id": answer["id"], "messageText": "Hel", "seq": 1}
    await workshop.services.directus.update_items("messages", [late])
    await until(lambda: (workshop.answer_to(message_id) or {})["messageText"] == answer["messageText"])

"""The watch over late writes outlives the process that began it: another goes on where it ends."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from services import redis_keys
from services.answer_ids import answer_id_of
from services.watched_rows import WatchedRows
from tests.worker.test_answering import until
from worker import late_writes
from worker.late_writes import LateWrites

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop

WHOLE = {"status": "completed", "seq": 2000, "messageText": "The whole answer.", "metadata": {"trace_id": "t"}}


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_writes, "LOOK_S", 0.02)
    monkeypatch.setattr(late_writes, "TEND_S", 0.05)
    monkeypatch.setattr(redis_keys, "WATCHED_ROWS_TENDED_S", 0.3)


async def ended_elsewhere(workshop: Workshop) -> tuple[str, str]:
    """A turn that another process has just ended, the second that had it; that process is dead by now."""
    message_id = workshop.ask()
    answer_id = answer_id_of(message_id)
    workshop.directus.put("messages", role="assistant", **WHOLE | {"id": answer_id})
    claim = await workshop.services.leases.claim(message_id, least_attempt=2)
    assert claim is not None
    await workshop.services.turns.finish(claim, WHOLE | {"id": answer_id})
    return message_id, answer_id


async def comes_late(workshop: Workshop, answer_id: str) -> None:
    late = {"messageText": "A part of an old", "seq": 7}
    await workshop.directus.directus().update_item("messages", answer_id, late)


async def watched(workshop: Workshop) -> set[str]:
    found: list[Any] = await workshop.redis.zrange(redis_keys.WATCHED_ROWS, 0, -1)
    return {each.decode() for each in found}


async def test_what_a_dead_process_watched_another_puts_right(workshop: Workshop) -> None:
    """It was killed right behind its turn's end: nobody alive had heard of the row."""
    message_id, answer_id = await ended_elsewhere(workshop)
    await until(lambda: len(workshop.services.late_writes))
    await comes_late(workshop, answer_id)
    await until(lambda: workshop.directus.row("messages", answer_id)["messageText"] == WHOLE["messageText"])
    assert workshop.directus.row("messages", answer_id)["seq"] == WHOLE["seq"]
    assert await watched(workshop) == {message_id}


async def test_a_row_that_stood_still_is_forgotten_by_all(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_writes, "UNHEARD_STILL_FOR_S", 0.2)
    await ended_elsewhere(workshop)
    await until(lambda: len(workshop.services.late_writes))
    await until(lambda: not len(workshop.services.late_writes))
    assert await watched(workshop) == set()
    await asyncio.sleep(0.5)
    assert not len(workshop.services.late_writes)


async def test_while_its_process_lives_nobody_else_takes_a_row(make_workshop: Callable[..., Workshop]) -> None:
    first, second = make_workshop(), make_workshop()
    message_id, answer_id = await ended_elsewhere(first)
    first.services.late_writes.suspect(message_id, answer_id, is_unheard=True)
    await asyncio.sleep(1)
    assert (len(first.services.late_writes), len(second.services.late_writes)) == (1, 0)


async def test_a_process_that_stops_hands_its_rows_over_at_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_keys, "WATCHED_ROWS_TENDED_S", 60)
    message_id, answer_id = await ended_elsewhere(workshop)
    staying = workshop.services
    stopping = LateWrites(staying.directus, WatchedRows(workshop.redis), staying.metrics, at_most=5)
    stopping.suspect(message_id, answer_id, is_unheard=True)
    keeping = asyncio.create_task(stopping.keep())
    await asyncio.sleep(0.2)
    assert not len(staying.late_writes)
    keeping.cancel()
    await until(lambda: len(staying.late_writes))
    assert keeping.cancelled()


async def test_a_last_write_that_redis_did_not_take_is_noted_when_it_is_back(workshop: Workshop) -> None:
    """Its own process knows it; should that die, who adopts the row needs it."""
    message_id = workshop.ask()
    answer_id = answer_id_of(message_id)
    row = WHOLE | {"id": answer_id}
    workshop.directus.put("messages", role="assistant", **row)
    workshop.services.late_writes.suspect(message_id, answer_id, is_unheard=True, last_row=row)
    await asyncio.sleep(0.2)
    assert await workshop.services.watched.expected([message_id]) == {message_id: [row]}
    assert await watched(workshop) == {message_id}


async def test_a_watch_is_full_and_adopts_no_more(make_workshop: Callable[..., Workshop]) -> None:
    """Rows beyond what a process looks after stay for the others."""
    workshop = make_workshop(worker_max_turns=1)
    orphans = [await ended_elsewhere(workshop) for _ in range(3)]
    await until(lambda: len(workshop.services.late_writes))
    await asyncio.sleep(0.3)
    assert len(workshop.services.late_writes) == 1
    assert await watched(workshop) == {message_id for message_id, _ in orphans}
    lapsed: list[Any] = await workshop.redis.zrangebyscore(redis_keys.WATCHED_ROWS, "-inf", time.time())
    assert len(lapsed) == 2


async def test_what_was_named_anew_meanwhile_is_not_let_go(workshop: Workshop) -> None:
    """A process gives a row up in the very moment when the receiver opens its answer anew."""
    watched_rows = WatchedRows(workshop.redis)
    until = await watched_rows.tend(["m", "n"])
    await watched_rows.expect("m", [WHOLE | {"id": "a"}])
    await watched_rows.let_go({"m": until, "n": until})
    assert await watched(workshop) == {"m"}

"""A write of which nobody heard what became of it may come behind the last one, and changes nothing for good."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any, cast

import pytest

from services import redis_keys
from services.answer_ids import answer_id_of
from services.errors import ServiceUnavailableError
from tests.worker.fault_world import World, script_of
from tests.worker.test_answering import until
from worker import late_writes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.worker.conftest import Workshop

Rows = list[dict[str, Any]]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Everything outside; its models write slowly."""
    world = World(1, {})
    world.random.choice = lambda options: options[-1]  # type: ignore[method-assign, assignment]  # the slowest pace
    yield world
    await world.close()


class Held:
    """The writes of a worker's answers that its Directus was silent at, to be done when the test says so."""

    def __init__(
        self, workshop: Workshop, chosen: Callable[[Rows], bool], *, done: bool = False, then: Callable[[], Any] = list
    ) -> None:
        """Hold the first write that is ``chosen``; ``done`` has it done at once, unheard all the same.

        ``then`` is what befalls before it is tried again.
        """
        self._directus = cast("Any", workshop.services.directus)
        self._update = self._directus.update_items
        self._chosen = chosen
        self._done = done
        self._then = then
        self.rows: Rows = []
        self._directus.update_items = self._take

    async def _take(self, collection: str, rows: Sequence[dict[str, Any]], **options: Any) -> Any:  # noqa: ANN401 - update_items' own
        if self.rows or not self._chosen([*rows]):
            return await self._update(collection, rows, **options)
        self.rows = copy.deepcopy([*rows])
        if self._done:
            await self._update(collection, rows, **options)
        self._then()
        raise ServiceUnavailableError("directus", "ReadTimeout")

    async def let_go(self) -> None:
        """Do it now."""
        await self._update("messages", self.rows)


def _is_text(rows: Rows) -> bool:
    return any("status" not in row and row.get("messageText") for row in rows)


def _is_last(rows: Rows) -> bool:
    return any(row.get("status") == "completed" for row in rows)


@pytest.mark.parametrize("late_s", [20.0, 45.0])
@pytest.mark.parametrize("answers", [1, 6])
async def test_a_write_that_was_given_up_and_is_done_after_the_last_one_is_put_right(
    world: World, answers: int, late_s: float
) -> None:
    """Directus goes on with a request that a proxy has cut; one answer goes by PATCH, many go through the Flow."""
    world.start_worker()
    ids = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(answers)]
    for message_id in ids:
        conversation = world.directus.put("conversations", source="mini")
        world.directus.put(
            "messages", id=message_id, conversation_id=conversation["id"], role="user", messageText="dolphins?"
        )
        await world.deliver(message_id)
    answer_ids = [answer_id_of(message_id) for message_id in ids]

    def rows() -> list[dict[str, Any]]:
        return [world.directus.tables.rows["messages"].get(answer_id) or {} for answer_id in answer_ids]

    def are_whole() -> bool:
        return all((row["status"], row["messageText"]) == ("completed", script_of("dolphins?")) for row in rows())

    await until(lambda: all(row.get("messageText") for row in rows()), 20)
    asked = world.directus.requests
    world.directus_late_s.append(late_s)
    await until(lambda: not world.directus_late_s, 5)
    await until(are_whole, 20)
    await until(lambda: any(row["seq"] < max(_seqs(world, row["id"])) for row in rows()), late_s)
    assert not are_whole(), "the late one stands there"
    await until(are_whole, 2)
    await asyncio.sleep(70)
    assert are_whole()
    assert world.directus.requests - asked < 1000, "one read at a time looks after all of them"


async def test_a_write_that_a_dead_worker_had_given_up_is_put_right_by_who_took_its_turn_up(world: World) -> None:
    """Nobody told him of it, and it comes long after his last write."""
    dying = world.start_worker()
    conversation = world.directus.put("conversations", source="mini")
    question = world.directus.put("messages", conversation_id=conversation["id"], role="user", messageText="dolphins?")
    answer_id = answer_id_of(question["id"])
    await world.deliver(question["id"])

    def row() -> dict[str, Any]:
        return world.directus.tables.rows["messages"].get(answer_id) or {}

    def is_whole() -> bool:
        return (row()["status"], row()["messageText"]) == ("completed", script_of("dolphins?"))

    await until(lambda: row().get("messageText"), 20)
    world.directus_late_s.append(55.0)
    await until(lambda: world.late_writes, 5)
    dying.kill()
    world.start_worker()
    await until(is_whole, 40)
    assert world.late_writes, "it is still to come"
    await until(lambda: not world.late_writes, 55)
    assert not is_whole(), "the late one stands there"
    await until(is_whole, 2)


def _seqs(world: World, answer_id: str) -> list[int]:
    return [row["seq"] for write in world.directus.writes for row in write.rows if row["id"] == answer_id]


async def test_an_answer_whose_writes_were_all_heard_costs_nothing_more(workshop: Workshop) -> None:
    """Nothing is kept in Redis, and no row is looked after."""
    message_id = workshop.ask()
    await workshop.answer(message_id)
    assert not len(workshop.services.late_writes)
    assert await workshop.redis.get(redis_keys.turn_rows(message_id)) is None


async def test_a_last_write_that_was_done_unheard_ends_the_answer_and_is_looked_after(workshop: Workshop) -> None:
    """It is nobody else's; and what was given up before it may come yet."""
    workshop.provider.pieces = ["word "] * 40
    workshop.provider.pace_s = 0.02
    message_id = workshop.ask()
    early, last = Held(workshop, _is_text), Held(workshop, _is_last, done=True)
    await asyncio.wait_for(workshop.answer(message_id), 5)
    assert early.rows
    assert last.rows
    whole = workshop.answer_to(message_id)
    assert whole is not None
    assert (whole["status"], whole["seq"]) == ("completed", last.rows[0]["seq"]), "it is not written again"
    metrics: Any = workshop.services.metrics
    assert not [name for name in metrics._pending if "called_off" in name]
    await early.let_go()
    await until(lambda: workshop.answer_to(message_id) == whole)


@pytest.mark.parametrize("which", [_is_text, _is_last], ids=["a text", "the last one"])
async def test_a_stop_stays_one_whatever_comes_late(workshop: Workshop, which: Callable[[Rows], bool]) -> None:
    """Neither is the answer completed after all, nor does its text get shorter than it was."""
    workshop.provider.pieces = [f"word{number} " for number in range(30)]
    workshop.provider.pace_s = 0.02
    message_id = workshop.ask()

    def stop() -> None:
        workshop.directus.tables.update("messages", answer_id_of(message_id), {"status": "cancelled"})

    held = Held(workshop, which, then=stop if which is _is_last else list)
    turn = asyncio.create_task(workshop.answer(message_id))
    if which is _is_text:
        await until(lambda: "word9 " in (workshop.answer_to(message_id) or {}).get("messageText", ""))
        stop()
    await asyncio.wait_for(turn, 3)
    stopped = workshop.answer_to(message_id)
    assert stopped is not None
    await held.let_go()
    assert workshop.answer_to(message_id) != stopped
    await until(lambda: (workshop.answer_to(message_id) or {})["seq"] == stopped["seq"])
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["outcome"]) == ("cancelled", "cancelled")
    assert row["messageText"].startswith(stopped["messageText"])
    await asyncio.sleep(late_writes.UNHEARD_STILL_FOR_S + 1)
    assert not len(workshop.services.late_writes)


async def test_a_stop_keeps_the_text_also_where_an_older_one_came_just_before_it(workshop: Workshop) -> None:
    """The row says what the visitor reads, who keeps the highest seq."""
    workshop.provider.pieces = [f"word{number} " for number in range(30)]
    workshop.provider.pace_s = 0.02
    message_id = workshop.ask()
    held = Held(workshop, _is_text)
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: "word9 " in (workshop.answer_to(message_id) or {}).get("messageText", ""))
    workshop.provider.pace_s = 30  # nothing more comes that would be written over it
    await asyncio.sleep(0.3)
    on_screen = (workshop.answer_to(message_id) or {})["messageText"]
    await held.let_go()
    assert (workshop.answer_to(message_id) or {})["messageText"] != on_screen
    workshop.directus.tables.update("messages", answer_id_of(message_id), {"status": "cancelled"})
    await asyncio.wait_for(turn, 3)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["status"] == "cancelled"
    assert row["messageText"].startswith(on_screen)


async def test_a_mark_that_was_given_up_is_made_again_while_the_line_is_held(workshop: Workshop) -> None:
    """Else an earlier question that a stopped answer covers is answered by itself, before it counts as covered."""
    workshop.provider.pace_s = 30
    conversation_id = workshop.conversation()
    earlier = workshop.ask("One?", conversation_id)
    message_id = workshop.ask("Two?", conversation_id)
    await workshop.redis.set(redis_keys.cancel_flag(answer_id_of(message_id)), "1")
    workshop.directus.fail_next(1, status=504, method="PATCH")
    await asyncio.wait_for(workshop.answer(message_id), 5)
    assert (workshop.answer_to(message_id) or {})["status"] == "cancelled"
    assert (workshop.status_of(earlier), workshop.status_of(message_id)) == ("superseded", "answered")


@pytest.mark.parametrize(
    ("status", "may_come"), [(None, True), (502, True), (504, True), (524, True), (500, False), (503, False)]
)
async def test_only_what_directus_has_not_answered_itself_may_come_late(
    workshop: Workshop, status: int | None, *, may_come: bool
) -> None:
    """Its own word that it can't, or failed, is the end of that call."""
    workshop.provider.pieces = ["word "] * 20
    workshop.provider.pace_s = 0.02
    message_id = workshop.ask()
    directus: Any = workshop.services.directus
    update = directus.update_items

    async def once(*_: Any, **__: Any) -> Any:  # noqa: ANN401 - never returns
        directus.update_items = update
        raise ServiceUnavailableError("directus", "not now", status=status)

    directus.update_items = once
    await asyncio.wait_for(workshop.answer(message_id), 5)
    assert workshop.status_of(message_id) == "answered"
    assert len(workshop.services.late_writes) == may_come


async def test_a_short_look_does_not_take_the_place_of_a_long_one(workshop: Workshop) -> None:
    """Who names a row again for another reason does not make the wait shorter."""
    message_id, late = workshop.ask(), workshop.services.late_writes
    claim = await workshop.services.leases.claim(message_id)
    assert claim is not None
    await workshop.services.turns.finish(claim, {"seq": 1, "status": "completed"})
    row = workshop.directus.put("messages", role="assistant", status="completed", seq=1, messageText="whole")
    late.suspect(message_id, row["id"], is_unheard=True)
    late.suspect(message_id, row["id"])
    await asyncio.sleep(late_writes.STILL_FOR_S + 2)
    assert len(late) == 1
    await asyncio.sleep(late_writes.UNHEARD_STILL_FOR_S)
    assert not len(late)

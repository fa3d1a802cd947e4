"""A message that was covered meanwhile is not answered too; a turn that goes on elsewhere keeps its place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from services.errors import ServiceUnavailableError
from services.queue.jobs import AnswerJob, Queue
from services.queue.runner import RetryLater
from tests.worker.test_answering import until
from worker.answer_stream import SEQ_GAP_AFTER_TAKEOVER
from worker.conversation_line import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop


def _covered_before_it_enters(late: Workshop, quick: Workshop, later: str) -> None:
    """From here on, ``quick`` answers the later message while the earlier one is between its row and the line."""
    line: Any = late.services.line
    enter = line.enter

    async def meanwhile(place: Place) -> bool:
        line.enter = enter
        await quick.answer(later)
        is_free: bool = await enter(place)
        return is_free

    line.enter = meanwhile


async def test_a_message_that_was_covered_before_it_entered_the_line_is_not_answered_too(
    make_workshop: Callable[..., Workshop],
) -> None:
    late, quick = make_workshop(), make_workshop()
    conversation_id = late.conversation()
    first = late.ask("One?", conversation_id)
    await asyncio.sleep(0.01)
    second = late.ask("Two?", conversation_id)
    _covered_before_it_enters(late, quick, second)
    await late.answer(first)
    assert (late.status_of(first), late.status_of(second)) == ("superseded", "answered")
    assert late.answer_to(first) is None
    assert late.provider.prompts == []


async def test_a_saved_turn_that_was_covered_meanwhile_is_not_gone_on_with(
    make_workshop: Callable[..., Workshop],
) -> None:
    """A worker dies before it shows anything; until the next one takes the turn up, a later message covers it."""
    dying, late, quick = make_workshop(), make_workshop(), make_workshop()
    dying.provider.pace_s = 30
    conversation_id = dying.conversation()
    first = dying.ask("One?", conversation_id)
    turn = asyncio.create_task(dying.answer(first))
    await until(lambda: dying.provider.prompts)
    await dying.stand_still(first)
    await late.services.line.leave(Place(conversation_id, first, 0.0))  # its lock has lapsed
    second = dying.ask("Two?", conversation_id)
    _covered_before_it_enters(late, quick, second)
    await late.answer(first, attempt=2)
    assert (late.answer_to(first), late.provider.prompts) == (None, [])
    assert late.status_of(first) == "superseded"
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)


async def test_a_message_that_was_deleted_before_its_turn_costs_no_model(workshop: Workshop) -> None:
    message_id = workshop.ask()
    line: Any = workshop.services.line
    enter = line.enter

    async def meanwhile(place: Place) -> bool:
        await workshop.services.directus.delete_items("messages", [message_id])
        is_free: bool = await enter(place)
        return is_free

    line.enter = meanwhile
    await workshop.answer(message_id)
    assert workshop.provider.prompts == []
    assert workshop.directus.rows("messages") == []


async def test_a_turn_that_is_held_is_tried_again_and_keeps_its_place_in_line(
    make_workshop: Callable[..., Workshop],
) -> None:
    """A hook that is repeated after Redis lost the job neither takes the turn nor lets the next message in."""
    holder, other = make_workshop(), make_workshop()
    holder.provider.pieces = ["word "] * 60
    holder.provider.pace_s = 0.02
    conversation_id = holder.conversation()
    first = holder.ask("One?", conversation_id)
    turn = asyncio.create_task(holder.answer(first))
    await until(lambda: (holder.answer_to(first) or {}).get("messageText"))
    second = holder.ask("Two?", conversation_id)
    await other.answer(second)
    with pytest.raises(RetryLater) as put_off:
        await other.answer(first)
    assert put_off.value.delay_s <= 1
    assert (await other.services.queue.depth(Queue.TURNS)).waiting == 0
    await turn
    assert other.provider.prompts == []
    assert len(holder.provider.prompts) == 1
    await other.answer(first, attempt=2)
    row = other.answer_to(first)
    assert row is not None
    assert (row["metadata"]["attempts"], row["status"]) == (1, "completed")


async def test_a_turn_that_ended_lets_the_next_one_in_though_the_watch_sees_its_mark(workshop: Workshop) -> None:
    """Between the turn's end and its recording's, the lease shows the mark of the end, which is not our claim."""
    conversation_id = workshop.conversation()
    first, second = workshop.ask("One?", conversation_id), workshop.ask("Two?", conversation_id)
    await workshop.services.line.enter(Place(conversation_id, first, 1.0))
    await workshop.services.line.enter(Place(conversation_id, second, 2.0))
    turns: Any = workshop.services.turns
    finish = turns.finish

    async def then_renewed(*claim_and_row: Any) -> bool:  # noqa: ANN401 - finish's own
        ended: bool = await finish(*claim_and_row)
        await workshop.services.watch._renew()
        return ended

    turns.finish = then_renewed
    await workshop.answer(first)
    assert workshop.status_of(first) == "answered"
    assert (await workshop.services.queue.depth(Queue.TURNS)).waiting == 1


async def test_a_failure_frees_the_turn_for_the_next_try(workshop: Workshop) -> None:
    """Directus is away when the talk is to be read: the try after it waits for no lease to lapse."""
    message_id = workshop.ask()
    directus: Any = workshop.services.directus
    enter = workshop.services.line.enter

    async def then_away(place: Place) -> bool:
        workshop.directus.away = True
        return await enter(place)

    workshop.services.line.enter = then_away  # type: ignore[method-assign]  # the moment when Directus goes
    directus._wire._retry_for_s = 0
    with pytest.raises(RetryLater):
        await workshop.answer(message_id)
    workshop.directus.away = False
    workshop.services.line.enter = enter  # type: ignore[method-assign]  # and is back
    await workshop.answer(message_id, attempt=2)
    assert workshop.status_of(message_id) == "answered"


async def test_a_hand_over_without_redis_still_keeps_the_place_in_line(
    make_workshop: Callable[..., Workshop],
) -> None:
    """The claim can't be given back; the turn goes on elsewhere all the same, and who waits behind it waits."""
    leaving, other = make_workshop(), make_workshop()
    leaving.provider.pieces = ["word "] * 500
    leaving.provider.pace_s = 0.02
    conversation_id = leaving.conversation()
    first = leaving.ask("One?", conversation_id)
    turn = asyncio.create_task(leaving.answer(first))
    await until(lambda: (leaving.answer_to(first) or {}).get("messageText"))
    await other.answer(leaving.ask("Two?", conversation_id))
    leases: Any = leaving.services.leases

    async def away(_claim: object, **_: object) -> None:
        raise ServiceUnavailableError("redis", "cut off")

    leases.release = away
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert (await other.services.queue.depth(Queue.TURNS)).waiting == 0


async def test_who_is_let_in_next_carries_the_trace_of_the_turn_before(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question without a trace of its own can be followed in the logs from what began its turn."""
    conversation_id = workshop.conversation()
    first, second = workshop.ask("One?", conversation_id), workshop.ask("Two?", conversation_id)
    line, queue = workshop.services.line, workshop.services.queue
    await line.enter(Place(conversation_id, first, 1.0))
    await line.enter(Place(conversation_id, second, 2.0))
    await workshop.services.directus.update_item("messages", first, {"status": "answered"})
    asked: list[AnswerJob] = []

    async def enqueue(job: AnswerJob) -> bool:
        asked.append(job)
        return True

    monkeypatch.setattr(queue, "enqueue", enqueue)
    await workshop.answer(first)
    assert [(job.message_id, job.trace_id) for job in asked] == [(second, "trace-1")]


async def test_a_turn_that_was_read_too_soon_is_gone_on_with_where_it_was_left(
    make_workshop: Callable[..., Workshop],
) -> None:
    """Between the read of the saved turn and the claim the worker before pays a step, saves it and hands over."""
    before, after = make_workshop(), make_workshop()
    before.provider.pace_s = 3.0
    message_id = before.ask()
    turns: Any = after.services.turns
    load, reads = turns.load, 0

    async def load_and_stand_still(message_id: str) -> Any:  # noqa: ANN401 - its own
        nonlocal reads
        reads += 1
        saved = await load(message_id)
        if reads == 1:
            turn = asyncio.create_task(before.answer(message_id))
            await until(lambda: before.provider.prompts)
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)
        return saved

    turns.load = load_and_stand_still
    await after.answer(message_id)
    assert after.status_of(message_id) == "answered"
    assert (before.assistant.understand_calls, after.assistant.understand_calls) == (1, 0)


async def test_a_later_attempt_writes_ahead_of_an_earlier_one_that_no_row_shows_yet(workshop: Workshop) -> None:
    """The first one's row may be on its way still: a screen keeps the highest ``seq``."""
    message_id = workshop.ask()
    claim = await workshop.services.leases.claim(message_id)
    assert claim is not None
    await workshop.services.leases.release(claim)
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["seq"] > SEQ_GAP_AFTER_TAKEOVER


async def test_an_answer_never_shrinks_on_the_screen_when_another_worker_begins_it_anew(
    make_workshop: Callable[..., Workshop],
) -> None:
    """What the dead one has shown stays until the new text is as long."""
    dead, other = make_workshop(), make_workshop()
    dead.provider.pieces, dead.provider.pace_s = ["What the dead one wrote. ", *["more "] * 500], 0.02
    other.provider.pieces, other.provider.pace_s = ["word "] * 120, 0.02
    message_id = dead.ask()
    turn = asyncio.create_task(dead.answer(message_id))
    await until(lambda: len((dead.answer_to(message_id) or {}).get("messageText") or "") > 200)
    await dead.services.pump.at_rest()
    await dead.stand_still(message_id)
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    shown = len((dead.answer_to(message_id) or {})["messageText"])
    written = len(other.directus.writes)
    await other.answer(message_id, attempt=2)
    lengths = [
        len(row["messageText"])
        for write in other.directus.writes[written:]
        for row in write.rows
        if "messageText" in row
    ]
    assert len(lengths) > 5
    assert lengths == sorted(lengths)
    assert lengths[0] >= shown

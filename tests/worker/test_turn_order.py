"""One answer each and in order, also where the line has forgotten who came first: outages outlast it, pauses too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from services import redis_keys
from services.answer_ids import answer_id_of
from services.queue.jobs import AnswerJob
from services.queue.runner import RetryLater
from tests.worker.test_answering import until
from worker.intake import FRESH_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop
    from worker.conversation_line import Place


async def seen_through(workshop: Workshop, *message_ids: str) -> None:
    """What the queue and the sweep do: each message is asked for until it is settled."""
    for _ in range(30):
        for message_id in message_ids:
            if workshop.status_of(message_id) is None:
                try:
                    await workshop.answer(message_id, attempt=2)
                except RetryLater as later:
                    await asyncio.sleep(later.delay_s)


async def line_lapses(workshop: Workshop, conversation_id: str) -> None:
    await workshop.redis.delete(redis_keys.conversation_lock(conversation_id))


def row_of(workshop: Workshop, message_id: str) -> dict[str, Any]:
    row = workshop.answer_to(message_id)
    assert row is not None
    return row


def shown(workshop: Workshop, message_id: str, **fields: Any) -> None:  # noqa: ANN401 - a row's
    """An answer that was begun by a worker that is no more."""
    conversation_id = workshop.directus.row("messages", message_id)["conversation_id"]
    row = {"id": answer_id_of(message_id), "conversation_id": conversation_id, "role": "assistant", "seq": 3}
    workshop.directus.put("messages", **row | {"status": "streaming", "messageText": "Half of"} | fields)


async def ends_in_order(workshop: Workshop) -> list[str]:
    """The answers that were completed, in the order of their last writes."""
    ids = {answer_id_of(row["id"]): row["id"] for row in workshop.directus.rows("messages") if row["role"] == "user"}
    return [
        ids[row["id"]]
        for write in workshop.directus.writes
        for row in write.rows
        if row["id"] in ids and row.get("status") == "completed"
    ]


@pytest.mark.parametrize("away_s", [10.5, 12.0, 14.0])
async def test_two_messages_and_a_directus_that_is_away_for_longer_than_the_line_holds(
    make_workshop: Callable[..., Workshop], away_s: float
) -> None:
    """The first one's reads outlast its place in the line; the second comes in, and only one of them goes on."""
    one, other = make_workshop(), make_workshop()
    for each in (one, other):
        each.provider.pieces, each.provider.pace_s = ["word "] * 40, 0.05
        directus: Any = each.services.directus
        directus._wire._retry_for_s = 15.0
    conversation_id = one.conversation()
    first = one.ask("One?", conversation_id)
    enter = one.services.line.enter

    async def then_away(place: Place) -> bool:
        is_free = await enter(place)
        one.directus.away = True
        return is_free

    one.services.line.enter = then_away  # type: ignore[method-assign]  # the moment when Directus goes
    turns = [asyncio.create_task(one.answer(first))]
    await until(lambda: one.directus.away)
    one.services.line.enter = enter  # type: ignore[method-assign]  # once
    await asyncio.sleep(0.05)
    second = one.ask("Two?", conversation_id)
    turns.append(asyncio.create_task(other.answer(second)))
    await asyncio.sleep(away_s)
    one.directus.away = False
    await asyncio.gather(*turns, return_exceptions=True)
    await seen_through(one, first, second)
    assert one.status_of(second) == "answered"
    if one.answer_to(first) is None:
        assert one.status_of(first) == "superseded"
        assert row_of(one, second)["metadata"]["covers"] == [first]
    else:
        assert (one.status_of(first), row_of(one, second)["metadata"]["covers"]) == ("answered", [])
        assert await ends_in_order(one) == [first, second]


async def test_who_reads_for_longer_than_the_line_holds_reads_again(make_workshop: Callable[..., Workshop]) -> None:
    """He has found a message to cover when Directus falls silent; until it speaks, that one's own turn has the line."""
    slow, other = make_workshop(), make_workshop()
    conversation_id = slow.conversation()
    first = slow.ask("One?", conversation_id)
    await asyncio.sleep(0.05)
    second = slow.ask("Two?", conversation_id)
    directus: Any = slow.services.directus
    read_by_ids = directus.read_by_ids

    reads: list[Any] = []

    async def silent(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - its own
        found = await read_by_ids(*args, **options)
        reads.append(found)
        if len(reads) == 2:  # the last one before it begins
            await asyncio.sleep(11)
        return found

    directus.read_by_ids = silent
    turn = asyncio.create_task(slow.answer(second))
    await asyncio.sleep(10.5)
    await other.answer(first)
    with pytest.raises(RetryLater):
        await turn
    await seen_through(slow, second)
    assert (slow.status_of(first), slow.status_of(second)) == ("answered", "answered")
    assert row_of(slow, second)["metadata"]["covers"] == []


async def test_a_turn_whose_line_is_anothers_gives_way_before_it_shows_anything(
    make_workshop: Callable[..., Workshop],
) -> None:
    """Redis was emptied, and another message of the conversation was quicker to come back."""
    workshop = make_workshop()
    workshop.provider.pace_s = 3.0
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    turn = asyncio.create_task(workshop.answer(first))
    await until(lambda: workshop.provider.prompts)
    await workshop.redis.set(redis_keys.conversation_lock(conversation_id), "another")
    await asyncio.wait_for(turn, 2)
    assert (workshop.answer_to(first), workshop.status_of(first)) == (None, None)


async def test_a_turn_whose_line_is_anothers_shows_nothing_also_before_the_watch_has_seen_it(
    workshop: Workshop,
) -> None:
    """The watch looks once a second; that other's turn has begun and finds no row of ours."""

    async def not_yet() -> None:
        """The watch's next look is still to come."""

    workshop.provider.pace_s = 0.5
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    turn = asyncio.create_task(workshop.answer(first))
    await until(lambda: workshop.provider.prompts)
    watch: Any = workshop.services.watch
    watch._renew = not_yet
    await workshop.redis.set(redis_keys.conversation_lock(conversation_id), "another")
    await asyncio.wait_for(turn, 3)
    assert (workshop.answer_to(first), workshop.status_of(first)) == (None, None)


async def test_who_was_at_a_message_and_slept_is_refused_once_another_answer_covers_it(
    make_workshop: Callable[..., Workshop],
) -> None:
    """Nobody took his turn up, so its lease was simply gone, and he would have gone on."""
    sleeper, other = make_workshop(), make_workshop()
    sleeper.provider.pieces, sleeper.provider.pace_s = ["late "] * 5, 3.0
    conversation_id = sleeper.conversation()
    first = sleeper.ask("One?", conversation_id)
    turn = asyncio.create_task(sleeper.answer(first))
    await until(lambda: sleeper.provider.prompts)
    watch: Any = sleeper.services.watch
    live = dict(watch._live)
    await sleeper.stand_still(first)
    await line_lapses(sleeper, conversation_id)
    second = sleeper.ask("Two?", conversation_id)
    await other.answer(second)
    watch._live.update(live)
    await turn
    assert row_of(other, second)["metadata"]["covers"] == [first]
    assert (sleeper.status_of(first), sleeper.answer_to(first)) == ("superseded", None)


async def test_a_message_that_somebody_alive_is_at_is_not_covered(make_workshop: Callable[..., Workshop]) -> None:
    """Its place in the line is lost with Redis's memory, for a second; its lease is not."""
    one, other = make_workshop(), make_workshop()
    one.provider.pace_s = 0.6
    conversation_id = one.conversation()
    first = one.ask("One?", conversation_id)
    turn = asyncio.create_task(one.answer(first))
    await until(lambda: one.provider.prompts)
    second = one.ask("Two?", conversation_id)
    await line_lapses(one, conversation_id)
    with pytest.raises(RetryLater):
        await other.answer(second)
    await turn
    await seen_through(other, first, second)
    assert sum(one.answer_to(each) is not None for each in (first, second)) >= 1
    assert "covers" not in (one.answer_to(first) or {}).get("metadata", {}) or one.status_of(first) == "answered"
    assert (one.status_of(first) == "superseded") == (first in row_of(other, second)["metadata"]["covers"])


async def test_an_answer_on_the_screen_is_ended_before_the_next_one_begins(workshop: Workshop) -> None:
    """All workers were down for longer than the line holds; both jobs are due at once, the later one first."""
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    await asyncio.sleep(0.05)
    shown(workshop, first)
    await asyncio.sleep(0.05)
    second = workshop.ask("Two?", conversation_id)
    await asyncio.sleep(FRESH_S)
    await seen_through(workshop, second, first)
    assert await ends_in_order(workshop) == [first, second]
    assert (workshop.status_of(first), workshop.status_of(second)) == ("answered", "answered")
    said = [message.text for message in workshop.provider.prompts[-1].messages]
    assert said == ["One?", "Hello there.", "Two?"], "what was answered meanwhile is known"


async def test_a_turn_that_found_the_line_taken_by_us_and_ended_its_job_comes_first_all_the_same(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    await asyncio.sleep(0.05)
    shown(workshop, first)
    await asyncio.sleep(0.05)
    second = workshop.ask("Two?", conversation_id)
    queue = workshop.services.queue

    async def is_there(_job: object) -> bool:
        await workshop.answer(first)  # another worker's, which only notes that it waits
        return False

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(queue, "enqueue", is_there)
        with pytest.raises(RetryLater):
            await workshop.answer(second)
    assert workshop.answer_to(second) is None
    await seen_through(workshop, second, first)
    assert await ends_in_order(workshop) == [first, second]


async def test_nobody_waits_for_an_answer_that_is_put_off_for_long(workshop: Workshop) -> None:
    """Directus refuses its row until a person mends it; the visitor asks on."""
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    await asyncio.sleep(0.05)
    shown(workshop, first)
    await asyncio.sleep(0.05)
    second = workshop.ask("Two?", conversation_id)
    job = AnswerJob(message_id=first)
    await workshop.services.queue.enqueue(job)
    due_ms = 1000 * (600 + (await workshop.services.queue.due_in_s(job) or 0))
    await workshop.redis.zincrby(job.queue, due_ms, job.job_id)
    await workshop.answer(second)
    assert (workshop.status_of(first), workshop.status_of(second)) == (None, "answered")


@pytest.mark.parametrize("asked_before_s", [FRESH_S, 0.0])
async def test_a_message_that_an_answer_on_the_screen_covers_has_none_of_its_own(
    workshop: Workshop, asked_before_s: float
) -> None:
    """The covering turn's worker is gone; the sweep asks for the covered message first, or its hook comes again."""
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    await asyncio.sleep(0.05)
    second = workshop.ask("Two?", conversation_id)
    await asyncio.sleep(asked_before_s)
    shown(workshop, second, metadata={"covers": [first]})
    with pytest.raises(RetryLater):
        await workshop.answer(first)
    await seen_through(workshop, first, second)
    assert (workshop.status_of(first), workshop.answer_to(first)) == ("superseded", None)
    assert row_of(workshop, second)["metadata"]["covers"] == [first]


async def test_marks_that_directus_breaks_at_cost_no_second_answer_of_a_covered_message(workshop: Workshop) -> None:
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    await asyncio.sleep(0.05)
    second = workshop.ask("Two?", conversation_id)
    workshop.directus.breaks_at = lambda row: row["id"] in (first, second)
    await workshop.answer(second)
    assert (row_of(workshop, second)["status"], workshop.status_of(first)) == ("completed", None)
    workshop.directus.breaks_at = None
    await asyncio.sleep(FRESH_S)
    await seen_through(workshop, first, second)
    assert (workshop.status_of(first), workshop.answer_to(first)) == ("superseded", None)
    assert len(workshop.provider.prompts) == 1


async def test_a_creation_that_is_done_late_is_taken_away_where_another_answer_covers_its_message(
    workshop: Workshop,
) -> None:
    """Its worker stood still with the request on its way, and another one's turn gave way meanwhile."""
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    assert await workshop.services.leases.claim(first) is not None
    await workshop.stand_still(first)
    second = workshop.ask("Two?", conversation_id)
    await workshop.answer(second)
    assert workshop.status_of(first) == "superseded"
    shown(workshop, first, messageText="", seq=0)
    await until(lambda: workshop.answer_to(first) is None)
    assert row_of(workshop, second)["status"] == "completed"


async def test_a_stop_that_is_seen_before_the_model_is_asked_costs_no_model(workshop: Workshop) -> None:
    """A visitor stops a question that waits; the flag is there when its turn begins."""
    message_id = workshop.ask()
    limit = workshop.services.turn_limit
    turns_away = limit.turns_away

    async def slowly(live: Any) -> bool:  # noqa: ANN401 - its own
        away = await turns_away(live)
        await asyncio.sleep(0.4)
        return away

    limit.turns_away = slowly  # type: ignore[method-assign]  # it waits for Redis that long, at most
    await workshop.redis.set(redis_keys.cancel_flag(answer_id_of(message_id)), "1")
    await workshop.answer(message_id)
    assert workshop.provider.prompts == []
    assert row_of(workshop, message_id)["status"] == "cancelled"


async def test_a_text_that_is_all_held_back_makes_no_row(workshop: Workshop) -> None:
    """A row that shows nothing would keep the turn from giving way, and nobody would end it."""

    def clean(text: str, _view: object, *, whole: bool) -> str:
        return text if whole or len(text) > 3 else ""

    workshop.assistant.clean = clean  # type: ignore[method-assign, assignment]  # as a beginning "W" of "www." is held back
    workshop.provider.pieces, workshop.provider.pace_s = ["H", "ello ", "world"], 0.6
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    turn = asyncio.create_task(workshop.answer(first))
    await until(lambda: workshop.provider.prompts)
    await asyncio.sleep(0.9)
    assert workshop.answer_to(first) is None
    second = workshop.ask("Two?", conversation_id)
    await workshop.answer(second)
    await turn
    await seen_through(workshop, second)
    assert (workshop.status_of(first), workshop.status_of(second)) == ("superseded", "answered")


@pytest.mark.parametrize("later", [10, 60])
async def test_an_old_answer_is_written_anew_however_much_was_said_since(workshop: Workshop, later: int) -> None:
    """What came behind it neither hides its own rows nor what was said before it."""
    conversation_id = workshop.conversation()
    before = workshop.ask("Zero?", conversation_id)
    await workshop.answer(before)
    await asyncio.sleep(1)
    first = workshop.ask("One?", conversation_id)
    await asyncio.sleep(0.05)
    shown(workshop, first, messageText="", seq=1003)
    for _ in range(later):
        await asyncio.sleep(1)
        other = workshop.ask("And?", conversation_id)
        await workshop.services.directus.update_item("messages", other, {"status": "answered"})
        shown(workshop, other, status="completed", messageText="So.")
    await workshop.answer(first)
    assert (workshop.status_of(first), row_of(workshop, first)["status"]) == ("answered", "completed")
    said = [message.text for message in workshop.provider.prompts[-1].messages]
    assert (set(said[:-1]), said[-1]) == ({"Zero?", "Hello there."}, "One?")


async def test_a_lost_message_is_answered_however_much_was_said_since(workshop: Workshop) -> None:
    conversation_id = workshop.conversation()
    lost = workshop.ask("One?", conversation_id)
    for _ in range(60):
        await asyncio.sleep(1)
        other = workshop.ask("And?", conversation_id)
        await workshop.services.directus.update_item("messages", other, {"status": "answered"})
        shown(workshop, other, status="completed", messageText="So.")
    await workshop.answer(lost)
    assert row_of(workshop, lost)["status"] == "completed"


async def test_nobody_waits_for_a_later_answer_that_is_put_off_for_long(workshop: Workshop) -> None:
    conversation_id = workshop.conversation()
    lost = workshop.ask("One?", conversation_id)
    await asyncio.sleep(FRESH_S + 1)
    later = workshop.ask("Two?", conversation_id)
    await asyncio.sleep(0.05)
    shown(workshop, later)
    job = AnswerJob(message_id=later)
    await workshop.services.queue.enqueue(job)
    with pytest.raises(RetryLater):
        await workshop.answer(lost)
    await workshop.redis.zincrby(job.queue, 600_000, job.job_id)
    await workshop.answer(lost)
    assert row_of(workshop, lost)["status"] == "completed"


@pytest.mark.parametrize("disguise", [{"role": "user"}, {"conversation_id": None}])
async def test_a_strangers_row_under_an_answers_id_holds_nobody_up(
    workshop: Workshop, disguise: dict[str, Any]
) -> None:
    """Answers' ids can be worked out by whoever knows the question's."""
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    await asyncio.sleep(0.05)
    shown(workshop, first, **disguise)
    second = workshop.ask("Two?", conversation_id)
    await workshop.answer(second)
    assert row_of(workshop, second)["status"] == "completed"


async def test_an_answer_that_came_to_nothing_covers_nothing(workshop: Workshop) -> None:
    """Its question was deleted, and the sweep has ended it."""
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    await asyncio.sleep(FRESH_S + 1)
    second = workshop.ask("Two?", conversation_id)
    shown(workshop, second, status="failed", messageText="", metadata={"covers": [first]})
    await workshop.services.directus.delete_items("messages", [second])
    await workshop.answer(first)
    assert row_of(workshop, first)["status"] == "completed"

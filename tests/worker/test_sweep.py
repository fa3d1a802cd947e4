"""What the sweep finds left over, and what it leaves alone."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import LockNotOwnedError

from services import redis_keys
from services.answer_ids import answer_id_of
from services.queue.jobs import Queue
from tests.worker.test_answering import until
from worker import sweep as sweeping
from worker.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop


@pytest.fixture(autouse=True)
def _at_any_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written just now is old enough."""
    monkeypatch.setattr(sweeping, "OLDER_THAN_S", -60)


def sweep_of(workshop: Workshop) -> Sweep:
    services = workshop.services
    return Sweep(services.directus, services.queue, workshop.redis, services.metrics)


async def sweep(workshop: Workshop) -> int:
    """One sweep, however short ago the last one was."""
    await workshop.redis.delete(redis_keys.SWEEP_LOCK)
    return await sweep_of(workshop).sweep_alone()


def stray(workshop: Workshop, message_id: str, text: str = "Half of") -> None:
    """An answer that was begun, and that nobody writes any more."""
    conversation_id = workshop.directus.row("messages", message_id)["conversation_id"]
    workshop.directus.put(
        "messages",
        id=answer_id_of(message_id),
        conversation_id=conversation_id,
        role="assistant",
        status="streaming",
        messageText=text,
        seq=3,
    )


def make_old(workshop: Workshop, message_id: str, days: float) -> None:
    """Date a question and its answer back."""
    then = (datetime.fromtimestamp(time.time(), UTC) - timedelta(days=days)).isoformat()
    for each in (message_id, answer_id_of(message_id)):
        if each in workshop.directus.tables.rows["messages"]:
            workshop.directus.tables.rows["messages"][each]["date_created"] = then


async def waiting_jobs(workshop: Workshop) -> int:
    return (await workshop.services.queue.depth(Queue.TURNS)).waiting


async def test_a_message_nobody_reported_is_asked_for_once(workshop: Workshop) -> None:
    workshop.ask()
    assert await sweep(workshop) == 1
    assert await sweep(workshop) == 0, "it waits already"
    assert await waiting_jobs(workshop) == 1


async def test_settled_old_and_homeless_messages_are_left_alone(workshop: Workshop) -> None:
    """Neither what is answered, nor what nobody waits for any more, nor what no conversation holds."""
    for status in ("answered", "superseded"):
        workshop.ask(status=status)
    make_old(workshop, workshop.ask(), days=1.1)
    homeless = workshop.ask()
    workshop.directus.tables.rows["messages"][homeless]["conversation_id"] = None
    assert await sweep(workshop) == 0
    assert await waiting_jobs(workshop) == 0


async def test_a_live_turn_and_who_waits_behind_it_are_not_counted_as_healed(workshop: Workshop) -> None:
    workshop.provider.pieces = ["word "] * 200
    workshop.provider.pace_s = 0.02
    conversation_id = workshop.conversation()
    first = workshop.ask("One?", conversation_id)
    turn = asyncio.create_task(workshop.answer(first))
    await until(lambda: (workshop.answer_to(first) or {}).get("messageText"))
    await workshop.answer(workshop.ask("Two?", conversation_id))
    assert await sweep(workshop) == 0
    assert await waiting_jobs(workshop) == 0
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)


async def test_who_waits_behind_a_turn_that_is_gone_is_asked_for(workshop: Workshop) -> None:
    """The line is empty and nobody was called: the worker that should have died."""
    conversation_id = workshop.conversation()
    message_id = workshop.ask("Two?", conversation_id)
    await workshop.redis.zadd(redis_keys.conversation_waiting(conversation_id), {message_id: 1.0})
    assert await sweep(workshop) == 1


async def test_an_answer_that_is_asked_for_anew_while_the_sweep_looks_is_not_ended(workshop: Workshop) -> None:
    """It streamed when the sweep read it, ended, and was opened anew before the sweep's own write."""
    message_id = workshop.ask(status="answered")
    stray(workshop, message_id)
    sweeping_one = sweep_of(workshop)
    leases: Any = sweeping_one._leases
    held_among = leases.held_among

    async def then_opened(message_ids: list[str]) -> Any:  # noqa: ANN401 - its own
        held = await held_among(message_ids)
        if message_id in message_ids:
            rows = workshop.directus.tables.rows["messages"]
            rows[answer_id_of(message_id)] |= {"status": "streaming", "messageText": "", "seq": 1003}
            rows[message_id]["status"] = None
        return held

    leases.held_among = then_opened
    await sweeping_one.sweep_alone()
    answer = workshop.answer_to(message_id)
    assert answer is not None
    assert answer["status"] == "streaming"


async def test_an_answer_whose_question_is_settled_is_ended(workshop: Workshop) -> None:
    message_id = workshop.ask(status="answered")
    stray(workshop, message_id)
    assert await sweep(workshop) == 1
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["outcome"], row["messageText"]) == ("failed", "error", "Half of")


async def test_an_answer_whose_question_another_one_covers_is_taken_away(workshop: Workshop) -> None:
    """It was made late: what covers the question answers it."""
    message_id = workshop.ask(status="superseded")
    stray(workshop, message_id, text="")
    assert await sweep(workshop) == 1
    assert workshop.answer_to(message_id) is None


async def test_an_answer_whose_question_is_gone_is_ended(workshop: Workshop) -> None:
    message_id = workshop.ask()
    stray(workshop, message_id)
    await workshop.services.directus.delete_items("messages", [message_id])
    assert await sweep(workshop) == 1
    assert workshop.directus.row("messages", answer_id_of(message_id))["status"] == "failed"


async def test_an_answer_that_is_still_due_is_asked_for_and_not_ended(workshop: Workshop) -> None:
    message_id = workshop.ask()
    stray(workshop, message_id)
    assert await sweep(workshop) == 1
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["status"] == "streaming"
    await workshop.answer(message_id)
    ended = workshop.answer_to(message_id)
    assert ended is not None
    assert (ended["status"], ended["messageText"]) == ("completed", "Hello there.")


async def test_after_an_outage_of_days_no_answer_is_left_streaming(workshop: Workshop) -> None:
    """Nobody waits for it any more: it is ended, not written."""
    message_id = workshop.ask()
    stray(workshop, message_id)
    make_old(workshop, message_id, days=40)
    assert await sweep(workshop) == 1
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["status"] == "failed"
    assert await waiting_jobs(workshop) == 0


async def test_an_old_answer_asked_for_anew_is_brought_to_its_end(workshop: Workshop) -> None:
    """Its question is days old, but it was asked again a moment ago: the job was lost, the wish was not."""
    again = {"trace_id": "t", "asked_again_at": datetime.fromtimestamp(time.time(), UTC).isoformat()}
    message_id = workshop.ask(metadata=again)
    stray(workshop, message_id, "")
    make_old(workshop, message_id, days=3)
    assert await sweep(workshop) == 1
    assert (await waiting_jobs(workshop), (workshop.answer_to(message_id) or {})["status"]) == (1, "streaming")


@pytest.mark.parametrize("odd", ["soon", 17, None, ["2026"]])
async def test_odd_metadata_of_a_question_does_not_stop_the_sweep(workshop: Workshop, odd: object) -> None:
    message_id = workshop.ask(metadata={"asked_again_at": odd})
    stray(workshop, message_id)
    make_old(workshop, message_id, days=2)
    assert await sweep(workshop) == 1


async def test_an_answer_that_ends_while_the_sweep_looks_is_not_overwritten(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the read of the answers and that of their questions the turn ends: it stays completed."""
    workshop.provider.pieces = ["Word. "] * 6
    workshop.provider.pace_s = 0.05
    message_id = workshop.ask()
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: (workshop.answer_to(message_id) or {}).get("messageText"))
    one = sweep_of(workshop)
    read = one._questions_of

    async def meanwhile(*wanted: Any) -> Any:  # noqa: ANN401 - rows
        await turn
        return await read(*wanted)

    monkeypatch.setattr(one, "_questions_of", meanwhile)
    assert await one.sweep_alone() == 0
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["status"], workshop.status_of(message_id)) == ("completed", "answered")


async def test_an_answer_whose_turn_is_held_is_not_ended(workshop: Workshop) -> None:
    """A worker is at it, whatever the question's mark says at this moment."""
    message_id = workshop.ask(status="answered")
    stray(workshop, message_id)
    assert await workshop.services.leases.claim(message_id)
    assert await sweep(workshop) == 0
    assert (workshop.answer_to(message_id) or {})["status"] == "streaming"


async def test_what_is_asked_for_already_hides_nothing_behind_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest pages wait in the queue; the sweep goes on past them."""
    monkeypatch.setattr(sweeping, "PAGE", 2)
    for _ in range(5):
        workshop.ask()
    assert await sweep(workshop) == 5
    workshop.ask()
    assert await sweep(workshop) == 1


async def test_of_all_processes_one_sweeps_at_a_time_and_not_again_at_once(
    make_workshop: Callable[..., Workshop],
) -> None:
    first, second = make_workshop(), make_workshop()
    first.ask()
    healed = await asyncio.gather(sweep_of(first).sweep_alone(), sweep_of(second).sweep_alone())
    assert sorted(healed) == [0, 1]
    first.ask()
    assert await sweep_of(second).sweep_alone() == 0, "somebody has swept a moment ago"
    assert await first.redis.pttl(redis_keys.SWEEP_LOCK) <= sweeping.REST_S * 1000


async def test_a_sweeper_that_was_overtaken_sweeps_no_further(workshop: Workshop) -> None:
    """Its lock lapsed while it stood still: another has the next page, and the other's lock stays."""
    workshop.ask()
    one = sweep_of(workshop)
    directus: Any = workshop.services.directus
    read = directus.read_items

    async def stand_still(*wanted: Any, **rest: Any) -> Any:  # noqa: ANN401 - a query
        rows = await read(*wanted, **rest)
        await workshop.redis.set(redis_keys.SWEEP_LOCK, "another")
        return rows

    directus.read_items = stand_still
    with pytest.raises(LockNotOwnedError):
        await one.sweep_alone()
    assert await workshop.redis.get(redis_keys.SWEEP_LOCK) == b"another"


def watch_reads(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """For each read of rows from now on, how many were asked for and how many came."""
    directus: Any = workshop.services.directus
    read = directus.read_items
    reads: list[tuple[int, int]] = []

    async def watched(*wanted: Any, **rest: Any) -> Any:  # noqa: ANN401 - a query
        rows = await read(*wanted, **rest)
        reads.append((rest["limit"], len(rows)))
        return rows

    monkeypatch.setattr(directus, "read_items", watched)
    return reads


def long_conversation(workshop: Workshop, questions: int) -> list[str]:
    """The ids of its answered questions, the oldest first, an hour apart."""
    conversation_id = workshop.conversation()
    asked = [workshop.ask(f"{number}?", conversation_id, status="answered") for number in range(questions)]
    for number, message_id in enumerate(asked):
        make_old(workshop, message_id, days=(questions - number) / 24)
    return asked


async def test_a_long_conversation_is_not_read_for_its_newest_answer(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many questions it has had, each read is bounded, and one of them is enough for live answers."""
    monkeypatch.setattr(sweeping, "QUESTIONS", 5)
    for _ in range(3):
        stray(workshop, long_conversation(workshop, 40)[-1])
    reads = watch_reads(workshop, monkeypatch)
    assert await sweep(workshop) == 3
    assert all(0 < limit <= sweeping.PAGE for limit, _ in reads)
    assert [came for _, came in reads] == [0, 3, 5], "the unanswered, the strays, the newest questions"


async def test_the_question_of_a_stray_is_found_however_far_back_it_is(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for anew at the other end of a long conversation: its turn is wanted, and its answer not ended."""
    monkeypatch.setattr(sweeping, "QUESTIONS", 5)
    asked = long_conversation(workshop, 23)
    again = datetime.fromtimestamp(time.time(), UTC).isoformat()
    row = workshop.directus.tables.rows["messages"][asked[0]]
    row.update(status=None, metadata={"asked_again_at": again})
    for each in (asked[0], asked[7], asked[22]):
        stray(workshop, each)
    assert await sweep(workshop) == 3
    status = {each: (workshop.answer_to(each) or {})["status"] for each in (asked[0], asked[7], asked[22])}
    assert status == {asked[0]: "streaming", asked[7]: "failed", asked[22]: "failed"}
    assert await waiting_jobs(workshop) == 1


async def test_a_stray_whose_question_is_gone_from_a_long_conversation_is_ended_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of its conversation is looked through for it, page by page, and at the next sweep nothing is."""
    monkeypatch.setattr(sweeping, "QUESTIONS", 5)
    asked = long_conversation(workshop, 23)
    stray(workshop, asked[11])
    await workshop.services.directus.delete_items("messages", [asked[11]])
    reads = watch_reads(workshop, monkeypatch)
    assert await sweep(workshop) == 1
    assert workshop.directus.row("messages", answer_id_of(asked[11]))["status"] == "failed"
    assert [came for _, came in reads] == [0, 1, 5, 5, 5, 5, 5, 2]
    reads.clear()
    assert await sweep(workshop) == 0
    assert [came for _, came in reads] == [0, 0]


async def test_a_sweeper_that_is_overtaken_while_it_looks_for_questions_ends_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "QUESTIONS", 5)
    asked = long_conversation(workshop, 23)
    stray(workshop, asked[0])
    directus: Any = workshop.services.directus
    read = directus.read_items

    async def overtaken(*wanted: Any, **rest: Any) -> Any:  # noqa: ANN401 - a query
        if rest["page"] == 3:
            await workshop.redis.set(redis_keys.SWEEP_LOCK, "another")
        return await read(*wanted, **rest)

    monkeypatch.setattr(directus, "read_items", overtaken)
    with pytest.raises(LockNotOwnedError):
        await sweep_of(workshop).sweep_alone()
    assert (workshop.answer_to(asked[0]) or {})["status"] == "streaming"


async def test_an_outage_of_directus_puts_the_sweep_off(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop outlives it, and finds the message when Directus is back."""
    monkeypatch.setattr(sweeping, "SWEEP_EVERY_S", 0.02)
    monkeypatch.setattr(sweeping, "REST_S", 0.01)
    workshop.ask()
    workshop.directus.away = True
    loop = asyncio.create_task(sweep_of(workshop).run())
    await asyncio.sleep(0.1)
    workshop.directus.away = False
    async with asyncio.timeout(5):
        while not await waiting_jobs(workshop):  # noqa: ASYNC110 - the queue has no event for it
            await asyncio.sleep(0.02)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)


async def test_a_reindex_is_asked_for_when_its_time_has_come(workshop: Workshop) -> None:
    """For a deleted row whose hook was lost; the first sweep begins to count, and of those in time none asks."""
    services = workshop.services

    async def swept(after_s: float) -> int:
        """How many reindexes wait after a sweep that much later."""
        began = await workshop.redis.get(redis_keys.REINDEXED_AT)
        if began is not None:
            await workshop.redis.set(redis_keys.REINDEXED_AT, float(began) - after_s)
        await workshop.redis.delete(redis_keys.SWEEP_LOCK)
        sweeper = Sweep(services.directus, services.queue, workshop.redis, services.metrics, reindex_every_s=60)
        await sweeper.sweep_alone()
        return (await services.queue.depth(Queue.REINDEX)).waiting

    assert await swept(0) == 0
    assert await swept(30) == 0
    assert await swept(31) == 1
    assert await swept(0) == 1, "it counts anew"
    await workshop.redis.flushall()
    await Sweep(services.directus, services.queue, workshop.redis, services.metrics).sweep_alone()
    assert await workshop.redis.get(redis_keys.REINDEXED_AT) is None, "0 is never"

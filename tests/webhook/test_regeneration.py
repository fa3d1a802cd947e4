"""POST /api/messages/{id}/regenerate: the same answer, written anew, its old text kept."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from arq.constants import job_key_prefix

from services.errors import ServiceUnavailableError
from services.queue.jobs import AnswerJob
from services.redis_keys import cancel_flag, turn, turn_lease
from services.turn_leases import TurnLeases
from services.watched_rows import WatchedRows
from tests.webhook.conftest import Door, Visitor, some_id
from webhook.regeneration import SETTLED_WITHIN_S


async def answered(door: Door, status: str = "completed") -> tuple[Visitor, str, str]:
    """A visitor, the question and its ended answer."""
    visitor = await door.visitor()
    ids = (await door.ask(visitor)).json()
    door.directus.put(
        "messages",
        id=ids["answer_id"],
        conversation_id=visitor.conversation_id,
        role="assistant",
        status=status,
        seq=7,
        messageText="The first answer",
        metadata={"provider": "anthropic", "model": "m"},
    )
    await door.directus.directus().update_item("messages", ids["message_id"], {"status": "answered"})
    await end_job(door, ids["message_id"])
    return visitor, ids["message_id"], ids["answer_id"]


async def end_job(door: Door, message_id: str) -> None:
    """What a runner does at last for a question's job."""
    job = AnswerJob(message_id=message_id)
    await door.redis.zrem(job.queue, job.job_id)
    await door.redis.delete(job_key_prefix + job.job_id)


async def asked_once(door: Door) -> None:
    """Wait for the first answer of the queue."""
    while not door.queue.new:  # noqa: ASYNC110 - the queue has no event
        await asyncio.sleep(0.01)


async def again(door: Door, visitor: Visitor, message_id: str) -> int:
    headers = visitor.headers | {"X-Correlation-ID": "once-more"}
    answer = await door.http.post(f"/api/messages/{message_id}/regenerate", headers=headers)
    return int(answer.status_code)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_an_ended_answer_begins_again_and_keeps_what_it_said(door: Door, status: str) -> None:
    visitor, message_id, answer_id = await answered(door, status)
    await door.redis.set(cancel_flag(answer_id), "1")
    assert await again(door, visitor, answer_id) == 202
    row = door.directus.row("messages", answer_id)
    assert (row["status"], row["messageText"]) == ("streaming", "")
    assert row["seq"] > 7
    assert [before["text"] for before in row["metadata"]["previous"]] == ["The first answer"]
    question = door.directus.row("messages", message_id)
    assert (question["status"], question["metadata"]["trace_id"]) == (None, "once-more")
    assert await door.redis.get(cancel_flag(answer_id)) is None, "an old stop does not stop the new answer"


async def test_what_the_old_turn_left_to_be_watched_is_forgotten_before_its_answer_is_opened(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worker would put the old answer back over the new one; here Redis goes right behind the write."""

    async def silent(*_: object) -> None:
        raise ServiceUnavailableError("redis", "nobody is there")

    visitor, message_id, answer_id = await answered(door)
    await WatchedRows(door.redis).expect(message_id, [{"id": answer_id, "seq": 7}])
    monkeypatch.setattr(WatchedRows, "expect", silent)
    assert await again(door, visitor, answer_id) == 202
    assert await WatchedRows(door.redis).expected([message_id]) == {}


async def test_the_question_names_its_answer_too(door: Door) -> None:
    visitor, message_id, answer_id = await answered(door)
    assert await again(door, visitor, message_id) == 202
    assert door.directus.row("messages", answer_id)["status"] == "streaming"


async def test_a_directus_that_takes_longer_than_the_turn_is_ours_is_a_503(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The visitor is told; the turn is free again, and its answer as it was, or opened a moment later."""
    monkeypatch.setattr("webhook.regeneration._OPENED_WITHIN_S", 0.2)
    visitor, message_id, _ = await answered(door)
    door.directus.latency_s = 0.5
    assert await again(door, visitor, message_id) == 503
    door.directus.latency_s = 0.0
    assert await TurnLeases(door.redis).held_among([message_id]) == set()


async def test_an_answer_that_is_being_written_is_a_409(door: Door) -> None:
    visitor, _, answer_id = await answered(door, "streaming")
    assert await again(door, visitor, answer_id) == 409
    assert door.directus.row("messages", answer_id)["messageText"] == "The first answer"


async def test_anothers_answer_is_a_404_and_stays(door: Door) -> None:
    _, _, answer_id = await answered(door)
    stranger = await door.visitor()
    assert await again(door, stranger, answer_id) == 404
    assert await again(door, stranger, some_id()) == 404
    assert await again(door, stranger, "17") == 404
    assert door.directus.row("messages", answer_id)["status"] == "completed"


async def test_without_a_token_it_is_a_401(door: Door) -> None:
    _, _, answer_id = await answered(door)
    assert (await door.http.post(f"/api/messages/{answer_id}/regenerate")).status_code == 401


async def test_both_rows_are_opened_in_one_write_or_none(door: Door) -> None:
    """Between two writes a sweep would find an answer without a question that waits for it, and end it."""
    visitor, message_id, answer_id = await answered(door)
    door.directus.writes.clear()
    door.directus.fail_next(1, method="PATCH")
    assert await again(door, visitor, answer_id) == 503
    assert door.directus.writes == []
    assert door.directus.row("messages", answer_id)["status"] == "completed"
    assert await again(door, visitor, answer_id) == 202
    (write,) = door.directus.writes
    assert {row["id"] for row in write.rows} == {message_id, answer_id}


async def test_of_two_who_ask_at_once_one_is_told_that_it_is_being_written(door: Door) -> None:
    visitor, _, answer_id = await answered(door)
    door.directus.latency_s = 0.02
    both = await asyncio.gather(again(door, visitor, answer_id), again(door, visitor, answer_id))
    assert sorted(both) == [202, 409]
    assert len(door.directus.row("messages", answer_id)["metadata"]["previous"]) == 1


async def test_who_waited_while_another_had_it_written_anew_is_told_so(door: Door) -> None:
    """The other's answer may have ended by the time that he gets the turn: it is the one he asked for."""
    visitor, message_id, answer_id = await answered(door)
    leases, directus = TurnLeases(door.redis), door.directus.directus()
    other = await leases.claim(message_id)
    assert other is not None

    async def written_anew() -> None:
        await asyncio.sleep(0.2)
        at = datetime.now(UTC).isoformat()
        await directus.update_item("messages", message_id, {"metadata": {"asked_again_at": at}})
        await directus.update_item("messages", answer_id, {"messageText": "The other's", "seq": 2007})
        await leases.release(other)

    status, _ = await asyncio.gather(again(door, visitor, answer_id), written_anew())
    assert status == 409
    assert door.directus.row("messages", answer_id)["messageText"] == "The other's"


async def test_without_redis_it_is_a_503_and_nothing_is_opened(door: Door) -> None:
    """An old stop could not be taken back, and would stop the new answer."""
    visitor, message_id, answer_id = await answered(door)
    door.break_redis()
    assert await again(door, visitor, answer_id) == 503
    assert door.directus.row("messages", answer_id)["status"] == "completed"
    assert door.directus.row("messages", message_id)["status"] == "answered"


async def test_what_the_last_turn_left_saved_is_not_gone_on_with(door: Door) -> None:
    visitor, message_id, answer_id = await answered(door)
    await door.redis.set(turn(message_id), "{}")
    assert await again(door, visitor, answer_id) == 202
    assert await door.redis.get(turn(message_id)) is None


async def test_what_the_answer_covered_is_kept_and_when_it_was_asked_for_noted(door: Door) -> None:
    visitor, message_id, answer_id = await answered(door)
    earlier = some_id()
    metadata = door.directus.row("messages", answer_id)["metadata"] | {"covers": [earlier]}
    await door.directus.directus().update_item("messages", answer_id, {"metadata": metadata})
    assert await again(door, visitor, answer_id) == 202
    assert door.directus.row("messages", answer_id)["metadata"]["covers"] == [earlier]
    noted = datetime.fromisoformat(door.directus.row("messages", message_id)["metadata"]["asked_again_at"])
    assert abs((datetime.now(UTC) - noted).total_seconds()) < 10


@pytest.mark.parametrize(
    ("status", "words"), [("superseded", "together with a later one"), ("answered", "deleted"), (None, "on its way")]
)
async def test_a_question_without_an_answer_of_its_own_is_told_why(door: Door, status: str | None, words: str) -> None:
    visitor, message_id, answer_id = await answered(door)
    directus = door.directus.directus()
    await directus.delete_items("messages", [answer_id])
    await directus.update_item("messages", message_id, {"status": status})
    answer = await door.http.post(f"/api/messages/{message_id}/regenerate", headers=visitor.headers)
    assert answer.status_code == 409
    assert words in answer.json()["message"]


async def test_while_a_worker_is_still_at_a_stopped_answer_it_is_a_409_and_the_stop_stays(door: Door) -> None:
    """Opened now, the old turn would write on, or its ending over the new answer."""
    visitor, message_id, answer_id = await answered(door, "cancelled")
    await door.redis.set(cancel_flag(answer_id), "1")
    await door.redis.set(turn_lease(message_id), "1:a-live-worker")
    door.directus.writes.clear()
    answer = await door.http.post(f"/api/messages/{answer_id}/regenerate", headers=visitor.headers)
    assert answer.status_code == 409
    assert "still being ended" in answer.json()["message"]
    assert door.directus.writes == []
    assert await door.redis.get(cancel_flag(answer_id)) == b"1"
    await door.redis.delete(turn_lease(message_id))
    assert await again(door, visitor, answer_id) == 202, "a dead worker's lease has lapsed"


async def test_a_stopped_answer_begins_again_once_its_worker_has_settled_it(door: Door) -> None:
    """What the worker writes at last is what the new answer begins with: its text, and ahead of its seq."""
    visitor, message_id, answer_id = await answered(door, "cancelled")
    await door.redis.set(turn_lease(message_id), "1:a-live-worker")

    async def settle() -> None:
        await asyncio.sleep(0.2)
        last = {"messageText": "The first answer, further", "seq": 2007, "outcome": "cancelled"}
        await door.directus.directus().update_item("messages", answer_id, last)
        await door.redis.set(turn_lease(message_id), "1:free")

    status, _ = await asyncio.gather(again(door, visitor, answer_id), settle())
    assert status == 202
    row = door.directus.row("messages", answer_id)
    assert (row["status"], row["messageText"]) == ("streaming", "")
    assert row["seq"] > 2007
    assert [before["text"] for before in row["metadata"]["previous"]] == ["The first answer, further"]


async def test_no_worker_begins_the_turn_while_its_answer_is_being_opened(door: Door) -> None:
    """The old turn's job may be tried again at this very moment: it would read rows that are half the old turn's."""
    visitor, message_id, answer_id = await answered(door)
    door.directus.latency_s = 0.05
    leases = TurnLeases(door.redis)
    held: list[bool] = []

    async def look() -> None:
        while True:
            await asyncio.sleep(0.005)
            is_held = bool(await leases.held_among([message_id]))
            if door.directus.row("messages", answer_id)["status"] == "streaming":
                return
            held.append(is_held)

    status, _ = await asyncio.gather(again(door, visitor, answer_id), look())
    assert status == 202
    first = held.index(True)
    assert all(held[first:]), "from before the rows are read until they are written"
    claim = await leases.claim(message_id)
    assert claim is not None, "and a worker's from then on"
    assert claim.attempt == 2, "who slept through it is refused"


async def test_a_receiver_that_stood_still_past_its_lease_opens_nothing(door: Door) -> None:
    visitor, message_id, answer_id = await answered(door)
    door.directus.latency_s = 0.05
    door.directus.writes.clear()

    async def another_takes_it() -> None:
        while not await TurnLeases(door.redis).held_among([message_id]):  # noqa: ASYNC110 - a lease has no event
            await asyncio.sleep(0.001)
        await door.redis.set(turn_lease(message_id), "2:the-sweeps-worker")

    status, _ = await asyncio.gather(again(door, visitor, answer_id), another_takes_it())
    assert status == 409
    assert door.directus.writes == []


async def test_an_answer_that_streams_is_refused_without_a_wait(door: Door) -> None:
    visitor, message_id, answer_id = await answered(door, "streaming")
    await door.redis.set(turn_lease(message_id), "1:a-live-worker")
    began = time.perf_counter()
    assert await again(door, visitor, answer_id) == 409
    assert time.perf_counter() - began < SETTLED_WITHIN_S


async def test_the_turn_is_asked_for_again_while_the_old_ones_job_is_just_ending(door: Door) -> None:
    """Else the sweep would find it, with an empty answer on the screen for 10 to 20 s."""
    visitor, message_id, answer_id = await answered(door)
    await door.queue.enqueue(AnswerJob(message_id=message_id))
    door.queue.asked.clear()
    door.queue.new.clear()

    async def end() -> None:
        await asked_once(door)
        await end_job(door, message_id)

    status, _ = await asyncio.gather(again(door, visitor, answer_id), end())
    assert (status, door.queue.new) == (202, [False, True])
    assert {(job.job_id, job.trace_id) for job in door.queue.asked} == {(f"turn:{message_id}", "once-more")}


async def test_a_job_that_does_not_end_is_left_to_the_sweep(door: Door) -> None:
    visitor, message_id, answer_id = await answered(door)
    await door.queue.enqueue(AnswerJob(message_id=message_id))
    began = time.perf_counter()
    assert await again(door, visitor, answer_id) == 202
    assert time.perf_counter() - began < 4
    assert door.queue.new[-1] is False
    assert door.directus.row("messages", message_id)["status"] is None, "the sweep finds it"


async def test_a_turn_that_somebody_has_begun_meanwhile_is_not_asked_for_again(door: Door) -> None:
    visitor, message_id, answer_id = await answered(door)
    await door.queue.enqueue(AnswerJob(message_id=message_id))
    door.queue.new.clear()

    async def begin() -> None:
        await asked_once(door)
        await door.redis.set(turn_lease(message_id), "2:the-sweeps-worker")

    status, _ = await asyncio.gather(again(door, visitor, answer_id), begin())
    assert (status, door.queue.new) == (202, [False, False])

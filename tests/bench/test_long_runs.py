"""What a burst and a soak are judged by: it must see an answer too few, one too many, and a slow leak."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.burst import tallied
from bench.hooks import Hooks
from bench.live_answers import Question
from bench.soak import Sample, growth, key_kind, kinds_of_keys, warm_up_s
from services.answer_ids import answer_id_of
from services.redis import connect_redis
from services.redis_keys import TURN_FREE_TTL_S

FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
QUESTIONS = [Question(FIRST, "c", "?"), Question(SECOND, "d", "?")]
STILL = Sample(0.0, 280.0, 60, 80.0, 40, 12.0, 1_500, 9)


def answer(message_id: str, status: str = "completed") -> dict[str, Any]:
    return {"id": answer_id_of(message_id), "role": "assistant", "status": status}


def figure(samples: list[Sample], name: str) -> float:
    (found,) = [one.value for one in growth(samples) if one.name.startswith(f"soak: {name}")]
    assert found is not None
    return found


def test_each_question_wants_a_completed_answer_of_its_own() -> None:
    asked = [{"id": FIRST, "role": "user", "status": "answered"}]
    assert tallied(QUESTIONS, [*asked, answer(FIRST), answer(SECOND)]) == (0, 0)
    assert tallied(QUESTIONS, [*asked, answer(FIRST)]) == (1, 0)
    assert tallied(QUESTIONS, [answer(FIRST), answer(SECOND, "streaming")]) == (1, 0)


def test_one_answer_too_many_does_not_make_good_one_too_few() -> None:
    """Counted together, one missing and one double would look like two."""
    stranger = {"id": "another", "role": "assistant", "status": "completed"}
    assert tallied(QUESTIONS, [answer(FIRST), stranger]) == (1, 1)


def test_a_slow_leak_shows_in_the_slope_and_not_in_what_stands_still() -> None:
    """10 kB a turn at 5 turns/s are 180 MB/h."""
    leaking = [replace(STILL, at=5.0 * step, worker_mb=280 + 0.25 * step) for step in range(180)]
    assert figure(leaking, "worker's memory, growth") == pytest.approx(180)
    assert figure(leaking, "receiver's memory, growth") == pytest.approx(0)
    assert not next(one for one in growth(leaking) if one.name == "soak: worker's memory, growth").ok


def test_open_files_are_compared_by_their_medians() -> None:
    """A connection opened for a moment is no growth, one that stays each minute is."""
    peak = [replace(STILL, at=5.0 * step, worker_files=60 + 30 * (step == 90)) for step in range(100)]
    assert figure(peak, "worker's open files") == 0
    leaking = [replace(STILL, at=5.0 * step, worker_files=60 + step // 12) for step in range(100)]
    assert figure(leaking, "worker's open files") > 2


def test_a_soak_that_outlives_the_keys_warms_up_until_as_many_go_as_come() -> None:
    assert warm_up_s(20 * 60) == 5 * 60
    assert warm_up_s(85 * 60) > TURN_FREE_TTL_S + 60
    assert warm_up_s(8 * 3600) == 2 * 3600


def test_from_then_on_a_key_more_for_each_turn_is_growth() -> None:
    """5 turns/s leave 18,000 an hour."""
    growing = [replace(STILL, at=5.0 * step, redis_keys=1_500 + 25 * step) for step in range(200)]
    wavering = [replace(STILL, at=5.0 * step, redis_keys=18_000 + 40 * (step % 2)) for step in range(200)]
    full, warming = growth(growing, are_keys_full=True), growth(growing)
    assert not next(one for one in full if one.name == "soak: Redis's keys, growth").ok
    assert next(one for one in warming if one.name == "soak: Redis's keys, growth").ok
    assert all(one.ok for one in growth(wavering, are_keys_full=True))


@pytest.mark.parametrize(("ttl_s", "lives"), [(-1, "forever"), (86_400, "long"), (3_600, "short"), (4, "short")])
def test_keys_are_told_apart_by_how_long_they_live(ttl_s: int, lives: str) -> None:
    """And named without the ids in them, so that growth of one kind can be seen."""
    assert key_kind(f"erleah:turn:{FIRST}", ttl_s) == (lives, "erleah:turn:*")


async def test_the_keys_of_a_redis_are_counted_by_kind() -> None:
    redis = connect_redis("embedded://")
    for message_id in (FIRST, SECOND):
        await redis.set(f"erleah:turn:{message_id}", "{}", ex=86_400)
    await redis.hset("erleah:metrics", "a", "1")  # type: ignore[misc]  # redis-py types it as sync or async
    try:
        assert await kinds_of_keys(redis) == {("long", "erleah:turn:*"): 2, ("forever", "erleah:metrics"): 1}
    finally:
        await redis.aclose()


async def test_a_refused_hook_is_counted_and_each_call_timed_once() -> None:
    hooks = Hooks()
    call = b"POST /hooks/message-created HTTP/1.1\r\n"
    await hooks.asked(call)
    hooks.answered(call, b"HTTP/1.1 202 Accepted\r\n")
    hooks.answered(call, b"the rest of a long reply")
    assert (len(hooks.times_ms), hooks.refused) == (1, 0)
    await hooks.asked(call)
    hooks.answered(call, b"HTTP/1.1 503 Service Unavailable\r\n")
    assert (len(hooks.times_ms), hooks.refused) == (2, 1)
    with pytest.raises(RuntimeError, match="only 2 calls"):
        _ = hooks.p99_ms

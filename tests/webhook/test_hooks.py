"""The two hooks: who gets in, what is accepted, what is asked of the queue."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.queue.jobs import AnswerJob, IndexItemJob, ReindexJob
from tests.webhook.conftest import SECRET, Door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CREATED = "/hooks/message-created"
CHANGED = "/hooks/content-changed"


def created(message_id: str, **payload: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a row
    return {"event": "messages.items.create", "collection": "messages", "key": message_id, "payload": payload}


async def test_a_users_message_becomes_one_job_under_the_callers_trace(door: Door) -> None:
    message_id = str(uuid4())
    answer = await door.hook(CREATED, created(message_id, role="user"), **{"X-Correlation-ID": "flow-17"})
    assert answer.status_code == 202
    assert answer.json() == {"accepted": True, "job_id": f"turn:{message_id}"}
    (job,) = door.queue.asked
    assert isinstance(job, AnswerJob)
    assert (job.message_id, job.trace_id, job.conference_id) == (message_id, "flow-17", None)


async def test_a_payload_without_a_role_is_accepted_for_defaults_are_not_in_it(door: Door) -> None:
    answer = await door.hook(CREATED, created(str(uuid4()), messageText="hello"))
    assert answer.status_code == 202


async def test_fifty_reports_of_one_message_are_all_accepted_and_make_one_job(door: Door) -> None:
    body = created(str(uuid4()))
    answers = await asyncio.gather(*(door.hook(CREATED, body) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert door.queue.new.count(True) == 1


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="missing"),
        pytest.param([("X-Erleah-Secret", "wrong")], id="wrong"),
        pytest.param([("X-Erleah-Secret", "")], id="empty"),
        pytest.param([("X-Erleah-Secret", SECRET), ("X-Erleah-Secret", SECRET)], id="repeated"),
        pytest.param([("X-Erleah-Secret", f"{SECRET}, {SECRET}")], id="joined"),
        pytest.param([("X-Erleah-Secret", SECRET.upper())], id="another case"),
    ],
)
@pytest.mark.parametrize("path", [CREATED, CHANGED])
async def test_without_exactly_one_right_secret_nobody_gets_in(
    door: Door, path: str, headers: list[tuple[str, str]]
) -> None:
    answer = await door.http.post(path, json=created(str(uuid4())), headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == "unauthorised"
    assert SECRET not in answer.text
    assert door.queue.asked == []


async def test_the_body_of_a_call_without_secret_is_not_read(door: Door) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield b"x" * 1024

    answer = await door.http.post(CREATED, content=body())
    assert (answer.status_code, read) == (401, 0)


async def test_a_body_over_256_kib_is_refused_by_its_length(door: Door) -> None:
    answer = await door.http.post(CREATED, content=b"x" * (256 * 1024 + 1), headers={"X-Erleah-Secret": SECRET})
    assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "10"}, {"Content-Length": "many"}], ids=str)
async def test_a_body_over_256_kib_is_refused_whatever_its_length_says(door: Door, headers: dict[str, str]) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(64):  # 4 MiB: more than may be read, and no more than a broken bound may cost
            read += 64 * 1024
            yield b"x" * (64 * 1024)

    answer = await door.http.post(CREATED, content=body(), headers={"X-Erleah-Secret": SECRET, **headers})
    assert answer.status_code == 413
    assert read <= 512 * 1024


async def test_a_body_of_256_kib_is_read(door: Door) -> None:
    head = b'{"event": "messages.items.create", "collection": "messages", "key": "%s", "payload": {"t": "' % (
        str(uuid4()).encode()
    )
    content = head + b"x" * (256 * 1024 - len(head) - 3) + b'"}}'
    assert len(content) == 256 * 1024
    answer = await door.http.post(CREATED, content=content, headers={"X-Erleah-Secret": SECRET})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="text"),
        pytest.param(b'{"event": ', id="half"),
        pytest.param(b"\xff\xfe{}", id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"a":' * 30_000 + b"1" + b"}" * 30_000, id="deep and whole"),
        pytest.param(b'{"key": ' + b"9" * 100_000 + b"}", id="a number of 100,000 digits"),
        pytest.param(b'{"key": NaN}', id="NaN"),
    ],
)
async def test_what_is_not_json_is_a_422(door: Door, content: bytes) -> None:
    answer = await door.http.post(CREATED, content=content, headers={"X-Erleah-Secret": SECRET})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == "body"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([1, 2], "body"),
        ("text", "body"),
        ({}, "event"),
        ({"event": 7, "collection": "messages", "key": "x"}, "event"),
        ({"event": "messages.items.create", "key": "x"}, "collection"),
        ({"event": "messages.items.create", "collection": "messages"}, "key"),
        ({"event": "messages.items.create", "collection": "messages", "key": "17"}, "key"),
        ({"event": "messages.items.create", "collection": "messages", "key": "../users/me"}, "key"),
        ({"event": "messages.items.create", "collection": "messages", "key": {"a": 1}}, "key"),
        ({"event": "messages.items.create", "collection": "messages", "key": "x" * 129}, "key"),
    ],
)
async def test_a_body_of_the_wrong_shape_is_a_422_that_names_the_field(door: Door, body: object, field: str) -> None:
    answer = await door.hook(CREATED, body)
    assert answer.status_code == 422
    error = answer.json()
    assert error["error"] == "invalid_input"
    assert any(problem["field"].split(".")[0] == field for problem in error["detail"]), error
    assert field in error["message"]
    assert door.queue.asked == []


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"event": "sessions.items.create", "collection": "sessions", "key": 17}, "collection is not messages"),
        ({"event": "messages.items.update", "collection": "messages", "keys": ["x"]}, "event is not a create"),
        (created(str(uuid4()), role="assistant"), "not a user's message"),
        (created(str(uuid4()), role={"$ne": "user"}), "not a user's message"),
    ],
)
async def test_what_is_no_users_message_is_not_accepted_and_says_why(
    door: Door, event: dict[str, Any], reason: str
) -> None:
    answer = await door.hook(CREATED, event)
    assert (answer.status_code, answer.json()) == (200, {"accepted": False, "reason": reason})
    assert door.queue.asked == []


async def test_half_a_surrogate_pair_in_a_text_does_not_lose_the_message(door: Door) -> None:
    content = b'{"event": "messages.items.create", "collection": "messages", "key": "%s", "payload": {"t": "\\ud83d"}}'
    answer = await door.http.post(CREATED, content=content % str(uuid4()).encode(), headers={"X-Erleah-Secret": SECRET})
    assert answer.status_code == 202


@pytest.mark.parametrize("path", [CREATED, CHANGED])
async def test_without_redis_a_hook_is_a_503_that_says_when_to_come_back(door: Door, path: str) -> None:
    door.break_redis()
    collection = "messages" if path == CREATED else "sessions"
    body = {"event": f"{collection}.items.create", "collection": collection, "key": str(uuid4())}
    answer = await door.hook(path, body)
    assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("collection", ["sessions", "exhibitors", "speakers", "conferences", "sessions_speakers"])
async def test_a_created_row_of_the_index_is_one_job(door: Door, collection: str) -> None:
    row_id = str(uuid4())
    event = {"event": f"{collection}.items.create", "collection": collection, "key": row_id, "payload": {"a": 1}}
    answer = await door.hook(CHANGED, event)
    assert answer.status_code == 202
    (job,) = door.queue.asked
    assert isinstance(job, IndexItemJob)
    assert (job.collection, job.item_id, answer.json()["job_id"]) == (collection, row_id, job.job_id)


@pytest.mark.parametrize("action", ["update", "delete"])
async def test_each_row_of_an_update_or_delete_is_a_job_of_its_own(door: Door, action: str) -> None:
    event = {"event": f"sessions_speakers.items.{action}", "collection": "sessions_speakers", "keys": [3, 4, 4]}
    answer = await door.hook(CHANGED, event)
    assert (answer.status_code, answer.json()["jobs"]) == (202, 2)
    assert [job.item_id for job in door.queue.asked if isinstance(job, IndexItemJob)] == ["3", "4"]


async def test_the_same_row_changed_twice_is_two_jobs_for_the_second_change_must_not_be_lost(door: Door) -> None:
    event = {"event": "sessions.items.update", "collection": "sessions", "keys": [str(uuid4())]}
    await door.hook(CHANGED, event)
    await door.hook(CHANGED, event)
    assert door.queue.new == [True, True]


async def test_a_change_of_very_many_rows_asks_for_one_reindex(door: Door) -> None:
    event = {"event": "speakers.items.update", "collection": "speakers", "keys": list(range(5000))}
    answer = await door.hook(CHANGED, event)
    assert answer.status_code == 202
    (job,) = door.queue.asked
    assert isinstance(job, ReindexJob)
    assert (job.entity_type, job.full) == ("speakers", False)


async def test_very_many_rows_are_not_left_to_a_reindex_that_may_have_passed_them(door: Door) -> None:
    await door.queue.enqueue(ReindexJob(entity_type="speakers"))
    door.queue.asked.clear()
    event = {"event": "speakers.items.update", "collection": "speakers", "keys": list(range(600))}
    await door.hook(CHANGED, event)
    assert sum(isinstance(job, IndexItemJob) for job in door.queue.asked) == 600


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"event": "messages.items.create", "collection": "messages", "key": "x"}, "collection is not indexed"),
        ({"event": "sessions.items.read", "collection": "sessions", "keys": ["x"]}, "event is not a create"),
    ],
)
async def test_a_change_of_what_is_not_indexed_is_not_accepted(door: Door, event: dict[str, Any], reason: str) -> None:
    answer = await door.hook(CHANGED, event)
    assert answer.status_code == 200
    assert answer.json()["accepted"] is False
    assert answer.json()["reason"].startswith(reason)


async def test_a_change_that_names_no_row_is_a_422(door: Door) -> None:
    answer = await door.hook(CHANGED, {"event": "sessions.items.update", "collection": "sessions", "keys": []})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == "keys"


async def test_neither_secret_nor_text_of_a_hook_is_logged(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await door.hook(CREATED, created(str(uuid4()), messageText="my knee hurts"))
        await door.hook(CREATED, {"event": "my knee hurts"})
        await door.http.post(CREATED, json={}, headers={"X-Erleah-Secret": f"{SECRET}x"})
    assert "knee" not in caplog.text
    assert SECRET not in caplog.text


async def test_a_get_of_a_hook_is_a_405_in_the_shape_of_every_error(door: Door) -> None:
    answer = await door.http.get(CREATED)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert set(answer.json()) == {"error", "message", "request_id"}

"""Directus under pressure, or broken at some calls: a tap between a worker's process and the real one says so.

Answers grow meanwhile, and each is whole and ended once when Directus takes writes again.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import pytest_asyncio

from chaos.writes import PassingWrites, rows_in
from services.answer_ids import answer_id_of
from standins.models import Script
from standins.tap import Tap
from tests.e2e.stack import Stack, eventually, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

PRESSED_S = 3.0
TEXT = " ".join(f"This is sentence {number} of an answer under pressure." for number in range(1, 9))
GROWS = Script(text=TEXT, tokens_per_second=36)
"""Under two seconds: the answers are over before the pressure is."""
GROWS_LONG = Script(text=TEXT, tokens_per_second=14)
"""Over four seconds: several answers are live at once for most of it."""

CODES = {503: "UNDER_PRESSURE", 429: "REQUESTS_EXCEEDED", 500: "INTERNAL_SERVER_ERROR"}
"""Directus's own words for them."""


def refusal(status: int) -> bytes:
    """Directus's answer with that status, as it stands on the wire."""
    error = {"message": "Not now.", "extensions": {"code": CODES[status]}}
    body = json.dumps({"errors": [error]}).encode()
    head = f"HTTP/1.1 {status} Not now\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}"
    return f"{head}\r\nConnection: keep-alive\r\n\r\n".encode() + body


def is_any_write(request: bytes) -> bool:
    """Whether that is a write, to whatever place in Directus."""
    return request.startswith((b"PATCH ", b"POST ", b"DELETE "))


def is_of_many(request: bytes) -> bool:
    """Whether that is a write of more than one answer; the mark on its question may come with each."""
    return is_any_write(request) and len([row for row in rows_in(request) if "seq" in row]) > 1


@dataclass
class Pressure:
    """Answers each request that ``meets`` it with ``status``, in Directus's place."""

    status: int
    meets: Callable[[bytes], bool]
    refused: list[bytes] = field(default_factory=list)

    def __call__(self, request: bytes) -> bytes | None:
        if not self.meets(request):
            return None
        self.refused.append(request)
        return refusal(self.status)

    @property
    def has_met_an_end(self) -> bool:
        """Whether an answer's last write was among those that it met."""
        return any(row.get("status") == "completed" for request in self.refused for row in rows_in(request))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tapped(shared_stack: Stack) -> AsyncIterator[Tap]:
    """A tap between the worker and Directus for this module, since a worker takes seconds to start."""
    tap = Tap(int(shared_stack.directus.url.rpartition(":")[2]))
    await tap.start()
    await asyncio.to_thread(shared_stack.worker.stop)
    try:
        await asyncio.to_thread(shared_stack.worker.start, {"DIRECTUS_URL": f"http://127.0.0.1:{tap.port}"})
        yield tap
    finally:
        await asyncio.to_thread(shared_stack.worker.stop)
        await tap.stop()
        await asyncio.to_thread(shared_stack.worker.start)


@pytest.fixture
def tap(tapped: Tap, stack: Stack) -> Iterator[Tap]:
    """The tap, handing everything on until a test says otherwise, and again behind it."""
    assert stack.worker.is_running
    yield tapped
    tapped.let_go()


def question() -> str:
    """A question that only a model understands, unlike any other."""
    return f"Zorblat quandary {uuid4().hex[:8]} fluxions?"


async def grow(stack: Stack, answers: int) -> list[str]:
    """Ask so many questions at once and wait until all of their answers grow; the messages' ids."""
    asked = await asyncio.gather(*(stack.ask(question()) for _ in range(answers)))
    await asyncio.gather(*(stack.begun(message_id) for message_id in asked))
    return asked


async def are_whole(stack: Stack, asked: list[str]) -> None:
    """Assert that each message has its one answer, whole and ended, and that no row of this time is left streaming."""
    for message_id in asked:
        await stack.answered(message_id)
        (row,) = await stack.answers(message_id)
        assert (row["id"], row["status"], row["messageText"]) == (answer_id_of(message_id), "completed", TEXT)
        assert (row["degraded"], row["metadata"]["attempts"]) == (0, 1)
        assert (await stack.row(message_id))["status"] == "answered"

    async def none_streams() -> bool:
        return not await stack.call("GET", "/items/messages", params={"filter[status][_eq]": "streaming"})

    await eventually(none_streams)


@pytest.mark.parametrize("status", [503, 429])
async def test_pressure_in_mid_answer_is_waited_out(stack: Stack, tap: Tap, status: int) -> None:
    """Every write is refused for 3 s, also an answer's last: the one attempt goes on, and no model is asked again."""
    stack.model.reply_with(GROWS)
    asked = await grow(stack, 2)
    pressure = tap.answer = Pressure(status, is_any_write)
    await asyncio.sleep(PRESSED_S)
    await until(lambda: pressure.has_met_an_end)
    tap.answer = None
    await are_whole(stack, asked)
    assert len([each for each in stack.model.requests if each.streamed]) == len(asked)


async def test_rows_are_written_alone_where_writes_of_many_break(stack: Stack, tap: Tap) -> None:
    """Each write of more than one answer gets a 500: all of them go on growing, a row at a time."""
    stack.model.reply_with(GROWS_LONG)
    asked = await grow(stack, 3)
    before = {message_id: await length(stack, message_id) for message_id in asked}
    writes = PassingWrites([tap])
    pressure = tap.answer = Pressure(500, is_of_many)
    await asyncio.sleep(PRESSED_S)
    tap.answer = None
    alone = [write for write in writes.seen if write.rows == 1]
    after = {message_id: await length(stack, message_id) for message_id in asked}
    assert len(pressure.refused) >= 2, "once is no reason yet to write rows alone"
    assert {answer_id for write in alone for answer_id in write.seqs} == set(map(answer_id_of, asked))
    assert {write.status for write in alone} <= {200, None}, "the newest may not have been answered yet"
    assert all(after[message_id] > before[message_id] for message_id in asked), (before, after)
    await are_whole(stack, asked)


async def length(stack: Stack, message_id: str) -> int:
    """How much of the answer is in Directus."""
    row: dict[str, Any] | None = await stack.answer(message_id)
    return len(row["messageText"] or "") if row else 0

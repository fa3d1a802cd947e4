"""Whatever the Flow that writes answers does, the answers are written: a PATCH decides where it fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from services.errors import ServiceUnavailableError
from tests.services.test_logging import json_logs, logged
from worker import array_write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.worker.conftest import Workshop

    Flow = Callable[[str, Any], Awaitable[Any]]

PIECES = [f"word{number} " for number in range(40)]
TURNS_S = 6.0
"""How long these take, with room for pauses between tries."""


class Changed:
    """The Flow as somebody has changed it: ``change`` is given what is sent and the Flow as it was."""

    def __init__(self, workshop: Workshop, change: Callable[[Any, Flow, str], Awaitable[Any]]) -> None:
        directus: Any = workshop.services.directus
        self._flow: Flow = directus.run_flow
        self._change = change
        self.calls = 0
        directus.run_flow = self._run

    async def _run(self, flow_id: str, body: Any) -> Any:  # noqa: ANN401 - any JSON
        self.calls += 1
        return await self._change(body, self._flow, flow_id)


async def _answer_many(workshop: Workshop, within_s: float = TURNS_S) -> None:
    """Eight turns at once, each to its whole answer."""
    workshop.provider.pieces = PIECES
    workshop.provider.pace_s = 0.02
    asked = [workshop.ask() for _ in range(8)]
    await asyncio.wait_for(asyncio.gather(*(workshop.answer(each) for each in asked)), within_s)
    for message_id in asked:
        row = workshop.answer_to(message_id)
        assert row is not None
        assert (row["status"], row["messageText"]) == ("completed", "".join(PIECES))
        assert workshop.status_of(message_id) == "answered"


@pytest.mark.parametrize(
    "shape",
    [
        lambda rows: [row["id"] for row in rows],
        lambda rows: [{"id": row["id"]} for row in rows],
        lambda rows: [{"status": row["status"]} for row in rows],
        lambda rows: [{"id": row["id"], "status": {"is": row["status"]}} for row in rows],
        lambda rows: [{"id": number, "status": row["status"]} for number, row in enumerate(rows)],
        lambda rows: [[row["id"], row["status"]] for row in rows],
        lambda rows: [None for _ in rows],
        lambda rows: {"data": rows},
        lambda _: "done",
        lambda _: 17,
        lambda _: None,
        lambda _: [],
    ],
    ids=["ids", "no status", "no id", "status", "numbers", "pairs", "nulls", "dict", "text", "number", "none", "empty"],
)
async def test_a_flow_whose_answer_nobody_can_read_has_failed(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], shape: Callable[[Any], Any]
) -> None:
    """A step was appended, say, and its result is what comes back: a PATCH follows, and the Flow is left alone."""

    async def change(body: Any, flow: Flow, flow_id: str) -> Any:  # noqa: ANN401 - any JSON
        return shape(await flow(flow_id, body))

    flow = Changed(workshop, change)
    with json_logs():
        await _answer_many(workshop)
    errors = capsys.readouterr().err
    assert flow.calls == 1, "it is paused"
    assert errors.count("pump.flow_paused") == 1
    assert logged(errors, "pump.flow_paused")["for_s"] == array_write.FLOW_PAUSE_S
    assert "pump.round_failed" not in errors


async def test_a_flow_that_writes_half_of_the_rows_has_failed(workshop: Workshop) -> None:
    """What it left out is in the PATCH, and what it wrote is not written twice over differently."""

    async def change(body: Any, flow: Flow, flow_id: str) -> Any:  # noqa: ANN401 - any JSON
        return await flow(flow_id, body[: len(body) // 2])

    flow = Changed(workshop, change)
    await _answer_many(workshop)
    assert flow.calls == 1


async def test_a_flow_that_breaks_in_mid_load_costs_no_answer(workshop: Workshop) -> None:
    """It served for a while; then each call ends with status 500, after the rows were written or before."""
    served = 3

    async def change(body: Any, flow: Flow, flow_id: str) -> Any:  # noqa: ANN401 - any JSON
        if broken.calls <= served:
            return await flow(flow_id, body)
        if broken.calls % 2:
            await flow(flow_id, body)
        raise ServiceUnavailableError("directus", "it broke", status=500)

    broken = Changed(workshop, change)
    await _answer_many(workshop)
    assert broken.calls == served + 1
    assert not len(workshop.services.late_writes), "it said so itself: nothing comes late of it"


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_flow_that_is_silent_where_a_patch_is_not_is_left_alone(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], *, is_done: bool
) -> None:
    """Each of its calls ends with a time-out, whether or not it has written the rows: the next try is a PATCH."""

    async def change(body: Any, flow: Flow, flow_id: str) -> Any:  # noqa: ANN401 - any JSON
        if is_done:
            await flow(flow_id, body)
        raise ServiceUnavailableError("directus", "ReadTimeout")

    flow = Changed(workshop, change)
    with json_logs():
        await _answer_many(workshop)
    assert flow.calls == array_write.FLOW_SILENCES
    assert capsys.readouterr().err.count("pump.flow_paused") == 1


async def test_a_flow_that_was_silent_once_is_gone_on_with(workshop: Workshop) -> None:
    """As in every outage of Directus: one round by PATCH, and the cheaper way again."""

    async def change(body: Any, run: Flow, flow_id: str) -> Any:  # noqa: ANN401 - any JSON
        if flow.calls == 2:
            raise ServiceUnavailableError("directus", "ReadTimeout")
        return await run(flow_id, body)

    flow = Changed(workshop, change)
    await _answer_many(workshop)
    assert flow.calls > 2 + array_write.FLOW_SILENCES


async def test_a_flow_that_takes_its_time_is_waited_for(workshop: Workshop) -> None:
    """A slow answer is an answer."""

    async def change(body: Any, run: Flow, flow_id: str) -> Any:  # noqa: ANN401 - any JSON
        written = await run(flow_id, body)
        await asyncio.sleep(0.7)
        return written

    flow = Changed(workshop, change)
    await _answer_many(workshop, within_s=TURNS_S * 2)
    assert flow.calls > 1
    assert not len(workshop.services.late_writes)

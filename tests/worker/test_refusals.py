"""What Directus refuses or breaks at costs the one row and no other, and settles no question."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.answer_ids import answer_id_of
from services.queue.runner import RetryLater
from tests.services.test_logging import json_logs, logged
from tests.worker.test_answering import until
from worker import row_writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop


LEAST_PAUSE_S = 10.0
"""A refused turn asks no model again before this."""


@pytest.mark.parametrize("action", ["create", "update", "read"])
async def test_a_question_stays_open_while_erleah_may_not_write_its_answer(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    """The turn is put off, longer each time, with what it has understood; with the permission back it is answered."""
    message_id = workshop.ask()
    workshop.provider.pieces = ["word "] * 20
    workshop.provider.pace_s = 0.01
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: workshop.provider.prompts)
    workshop.directus.denied = {("messages", action)}
    pauses = []
    with json_logs(), pytest.raises(RetryLater) as put_off:
        await asyncio.wait_for(turn, 3)
    pauses.append(put_off.value.delay_s)
    line = logged(capsys.readouterr().err, "turn.refused")
    assert line["level"] == "error"
    assert line["reason"].endswith("run `erleah bootstrap`")
    assert workshop.status_of(message_id) is None
    if action != "read":  # without that permission the job can't begin
        with pytest.raises(RetryLater) as put_off:
            await asyncio.wait_for(workshop.answer(message_id, attempt=2), 3)
        pauses.append(put_off.value.delay_s)
        assert pauses[1] > pauses[0] >= LEAST_PAUSE_S
    workshop.directus.denied = set()
    await workshop.answer(message_id, attempt=3)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["messageText"]) == ("completed", "word " * 20)
    assert workshop.status_of(message_id) == "answered"
    assert workshop.assistant.understand_calls == 1, "what was paid for is kept"


async def test_a_stop_that_cannot_be_written_is_not_forgotten(workshop: Workshop) -> None:
    """The visitor stopped it, Directus takes no answer rows: the question is not called answered."""
    workshop.provider.pace_s = 30
    message_id = workshop.ask()
    turn = asyncio.create_task(workshop.answer(message_id))
    await until(lambda: workshop.provider.prompts)
    workshop.directus.denied = {("messages", "create")}
    await workshop.redis.set(f"erleah:cancel:{answer_id_of(message_id)}", "1")
    with pytest.raises(RetryLater):
        await asyncio.wait_for(turn, 2)
    assert workshop.status_of(message_id) is None


async def test_a_row_that_breaks_directus_holds_up_no_other_answer(workshop: Workshop) -> None:
    """Status 500 at one row: the others are written on, and that turn is put off."""
    workshop.provider.pieces = [f"word{number} " for number in range(60)]
    workshop.provider.pace_s = 0.02
    poisoned, *healthy = [workshop.ask() for _ in range(5)]
    workshop.directus.breaks_at = lambda row: row["id"] == answer_id_of(poisoned) and "word3" in row["messageText"]
    turns = [asyncio.create_task(workshop.answer(each)) for each in (poisoned, *healthy)]
    await until(lambda: all("word59" in (workshop.answer_to(each) or {}).get("messageText", "") for each in healthy), 8)
    results = await asyncio.wait_for(asyncio.gather(*turns, return_exceptions=True), 5)
    assert isinstance(results[0], RetryLater)
    assert results[1:] == [None] * 4
    assert [workshop.status_of(each) for each in healthy] == ["answered"] * 4
    assert workshop.status_of(poisoned) is None


@pytest.mark.parametrize("others", [0, 3])
async def test_a_mark_that_breaks_directus_costs_no_second_answer(workshop: Workshop, others: int) -> None:
    """Status 500 at the question's row, as of somebody's own Flow on user messages; the sweep marks it afterwards."""
    workshop.provider.pieces = [f"word{number} " for number in range(20)]
    workshop.provider.pace_s = 0.01
    asked = [workshop.ask() for _ in range(1 + others)]
    workshop.directus.breaks_at = lambda row: row["id"] == asked[0]
    await asyncio.wait_for(asyncio.gather(*(workshop.answer(each) for each in asked)), 8)
    for each in asked:
        row = workshop.answer_to(each)
        assert row is not None
        assert (row["status"], row["metadata"]["attempts"]) == ("completed", 1)
        assert row["messageText"] == "".join(workshop.provider.pieces)
    assert [workshop.status_of(each) for each in asked] == [None, *["answered"] * others]
    assert len(workshop.provider.prompts) == 1 + others
    workshop.directus.breaks_at = None
    await workshop.answer(asked[0], attempt=2)
    assert workshop.status_of(asked[0]) == "answered"
    assert len(workshop.provider.prompts) == 1 + others, "nothing is paid for again"


async def test_a_row_that_breaks_directus_at_its_creation_holds_up_no_other_answer(workshop: Workshop) -> None:
    workshop.provider.pieces = [f"word{number} " for number in range(60)]
    workshop.provider.pace_s = 0.02
    poisoned, *healthy = [workshop.ask() for _ in range(3)]
    workshop.directus.breaks_at = lambda row: row["id"] == answer_id_of(poisoned)
    turns = [asyncio.create_task(workshop.answer(each)) for each in (poisoned, *healthy)]
    results = await asyncio.wait_for(asyncio.gather(*turns, return_exceptions=True), 8)
    assert isinstance(results[0], RetryLater)
    assert [workshop.status_of(each) for each in healthy] == ["answered"] * 2


async def test_where_directus_breaks_at_everything_no_row_is_to_blame(workshop: Workshop) -> None:
    """Its database is away, say: all answers wait for it, and none is put off."""
    workshop.provider.pieces = [f"word{number} " for number in range(30)]
    workshop.provider.pace_s = 0.02
    asked = [workshop.ask() for _ in range(3)]
    turns = [asyncio.create_task(workshop.answer(each)) for each in asked]
    await until(lambda: all((workshop.answer_to(each) or {}).get("messageText") for each in asked))
    workshop.directus.breaks_at = lambda _: True
    await asyncio.sleep(1.5)
    workshop.directus.breaks_at = None
    await asyncio.wait_for(asyncio.gather(*turns), 8)
    assert [workshop.status_of(each) for each in asked] == ["answered"] * 3


async def test_a_row_that_breaks_directus_for_long_is_put_off_also_where_it_is_the_only_one(
    make_workshop: Callable[..., Workshop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_writer, "BREAKS_ALONE_S", 0.5)
    workshop = make_workshop()
    message_id = workshop.ask()
    workshop.directus.breaks_at = lambda row: row.get("role") == "assistant"
    with pytest.raises(RetryLater):
        await asyncio.wait_for(workshop.answer(message_id), 8)
    assert workshop.status_of(message_id) is None


async def test_a_refused_row_is_told_with_its_turns_trace(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pump writes outside the turn's task: without the trace nobody could tell whose row it was."""
    workshop.directus.denied = {("messages", "create")}
    with json_logs(), pytest.raises(RetryLater):
        await workshop.answer(workshop.ask())
    assert logged(capsys.readouterr().err, "pump.row_refused")["trace_id"] == "trace-1"


@pytest.mark.parametrize("provisioned", ["now", "before there was the Flow"])
async def test_many_answers_are_written_with_the_flow_and_without_it(workshop: Workshop, provisioned: str) -> None:
    workshop.directus.has_answers_flow = provisioned == "now"
    workshop.provider.pieces = [f"word{number} " for number in range(30)]
    workshop.provider.pace_s = 0.02
    asked = [workshop.ask() for _ in range(8)]
    await asyncio.wait_for(asyncio.gather(*(workshop.answer(each) for each in asked)), 8)
    for message_id in asked:
        row = workshop.answer_to(message_id)
        assert row is not None
        assert (row["status"], row["messageText"]) == ("completed", "".join(workshop.provider.pieces))
        assert row["metadata"]["trace_id"]
        assert workshop.status_of(message_id) == "answered"


async def test_a_row_that_somebody_deleted_costs_the_others_nothing(workshop: Workshop) -> None:
    """The Flow leaves it out, and its turn learns of it as from a PATCH; the others go on, through the Flow."""
    workshop.provider.pieces = [f"word{number} " for number in range(40)]
    workshop.provider.pace_s = 0.02
    gone, *others = [workshop.ask() for _ in range(8)]
    turns = [asyncio.create_task(workshop.answer(each)) for each in (gone, *others)]
    await until(lambda: all((workshop.answer_to(each) or {}).get("messageText") for each in (gone, *others)))
    del workshop.directus.tables.rows["messages"][answer_id_of(gone)]
    await asyncio.wait_for(asyncio.gather(*turns, return_exceptions=True), 8)
    assert workshop.answer_to(gone) is None
    assert [workshop.status_of(each) for each in others] == ["answered"] * 7

"""Before its last write an answer's row is looked at, lest a stop be written over; not where it was made just now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.worker.conftest import Workshop


@pytest.mark.parametrize(("pace_s", "looks"), [(0.0, 0), (0.06, 1)], ids=["made just now", "has grown"])
async def test_a_row_is_looked_at_before_its_last_write(workshop: Workshop, pace_s: float, looks: int) -> None:
    """Three pieces at once are one round of the pump, which makes the row and writes it whole."""
    workshop.provider.pieces = ["One ", "two ", "three."]
    workshop.provider.pace_s = pace_s
    rows: Any = workshop.services.pump._rows
    look_at, looked = rows.look_at, []

    async def counted(streams: Any) -> None:  # noqa: ANN401 - streams
        looked.extend(streams)
        await look_at(streams)

    rows.look_at = counted
    message_id = workshop.ask()
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["messageText"]) == ("completed", "One two three.")
    assert len(looked) == looks

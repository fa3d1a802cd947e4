"""Traffic counts every question it wrote: one that it forgot would look like an answer to nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from chaos.traffic import Traffic

if TYPE_CHECKING:
    from chaos.house import House


class SlowTraffic(Traffic):
    """Its Directus takes a while for each row."""

    def __init__(self) -> None:
        super().__init__(cast("House", type("HouseOfTest", (), {"conference_id": "c"})), [0])
        self.written: list[str] = []

    async def _create(self, collection: str, row: dict[str, Any]) -> None:
        if collection == "messages":
            self.written.append(row["id"])
        await asyncio.sleep(0.05)


async def test_each_question_that_was_written_is_counted_when_the_flow_ends() -> None:
    """Also those that were on their way at the end."""
    traffic = SlowTraffic()
    async with traffic.flowing(rate=100):
        await asyncio.sleep(0.12)
    assert len(traffic.written) > 5
    assert sorted(traffic.asked) == sorted(traffic.written)


async def test_a_flow_lasts_as_long_as_it_is_told() -> None:
    traffic = SlowTraffic()
    await asyncio.wait_for(traffic.flow(0.1, rate=100), 2)
    before = len(traffic.written)
    await asyncio.sleep(0.1)
    assert len(traffic.written) == before

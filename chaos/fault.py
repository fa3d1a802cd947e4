"""A fault, and the scene it plays in: messages flow, the fault strikes, quiet returns, rows are counted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.tally import Tally, count, longest_recovery_s
from chaos.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chaos.house import House

__all__ = ["Fault", "Scene"]

_QUIET_WITHIN_S = 60.0
"""Two sweeps and an answer; a message that has none by then is lost."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done (``strike``), and what is promised of it.

    ``promised_s``: the longest recovery, or without a mark the longest time from a question to its end; with
    ``goes_on`` until an answer is seen to go on, else until its end. A fault that measures times of its own
    (``Scene.measured``) is held to those instead.
    ``one_call``: whether each text has to be one model call's.
    """

    name: str
    strike: Callable[[Scene], Awaitable[None]]
    promised_s: float
    one_call: bool = True
    is_long: bool = False
    goes_on: bool = False


class Scene:
    """One fault being played. A fault asks its questions through ``traffic``, and says what it did."""

    def __init__(self, house: House, fault: Fault, numbers: list[int], *, quick: bool) -> None:
        self.house = house
        self.traffic = Traffic(house, numbers)
        self.tally = Tally(fault.name, promised_s=fault.promised_s)
        self._fault = fault
        self._quick = quick
        self.marks: list[float] = []
        """When recovery began to be counted, monotonic seconds."""
        self.measured: list[float] = []
        """Seconds that the fault has measured where no row of Directus tells them."""

    def seconds(self, usual: float) -> float:
        """How long to do something: half as long in a quick run."""
        return usual / 2 if self._quick else usual

    def injected(self, times: int = 1, *, mark: bool = False) -> None:
        """The fault has struck; with ``mark`` recovery is counted from now."""
        self.tally.injected += times
        if mark:
            self.mark()

    def mark(self) -> None:
        """Recovery is counted from now: what was stopped is back, or will not come back."""
        self.marks.append(time.monotonic())

    def note(self, text: str) -> None:
        """Say what else was seen."""
        self.tally.notes.append(text)

    def broken(self, text: str) -> None:
        """A promise was not kept; said once, however often it was broken so."""
        if text not in self.tally.broken:
            self.tally.broken.append(text)

    async def play(self) -> Tally:
        """Strike, wait for quiet, count. A fault that fails by itself is a broken row, not the end of the run."""
        await self.house.mend()
        await self.house.calls(forget=True)
        async with self.traffic:
            try:
                await self._fault.strike(self)
            except Exception as error:  # noqa: BLE001 - the other faults are played all the same
                while isinstance(error, ExceptionGroup):
                    error = error.exceptions[0]  # the others of a group follow from it
                self.broken(f"could not be played: {type(error).__name__}: {error}")
            await self.house.mend()
            if not await self.traffic.settled(_QUIET_WITHIN_S):
                self.note(f"not quiet after {_QUIET_WITHIN_S:g} s")
            count(self.tally, self.traffic.asked.values(), await self.traffic.rows(), one_call=self._fault.one_call)
        self.tally.longest_recovery_s = (
            round(max(self.measured), 2)
            if self.measured
            else longest_recovery_s(self.traffic.asked.values(), self.marks, goes_on=self._fault.goes_on)
        )
        if not self.tally.is_kept:
            self._name_suspects()
        return self.tally

    def _name_suspects(self) -> None:
        """For whoever reads the logs: the messages that took longest, or never ended."""
        asked = self.traffic.asked.values()
        slowest = sorted(asked, key=lambda each: (each.ended_at or float("inf")) - each.at)[-3:]
        for each in slowest:
            took = "never ended" if each.ended_at is None else f"{each.ended_at - each.at:.1f} s"
            self.note(f"{each.message_id} ({self.traffic.tags.get(each.message_id)}): {took}")

"""What a step returns: where the turn goes from here."""

from __future__ import annotations

from dataclasses import dataclass

from worker.turn import State

__all__ = ["Continue", "Finish", "NextStep"]


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with another state's step."""

    state: State


@dataclass(frozen=True, slots=True)
class Finish:
    """The turn is over; its answer has been written whole."""

    state: State = State.COMPLETED


NextStep = Continue | Finish

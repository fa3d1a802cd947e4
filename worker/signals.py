"""What can call a turn off while it runs. None of these is a failure, and none is logged as one.

A signal is put beside the turn's task by whoever sees it first (the watch, the answer pump, a
shutdown); the task is then cancelled, and ``worker/ending.py`` matches the signal once.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HandedOver", "LeaseLost", "Refused", "RowGone", "Signal", "Stopped", "Superseded"]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The visitor or an editor cancelled the answer: what was written stays, nothing follows."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A later message came before anything was shown; its turn answers both."""

    by_message_id: str


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Another worker has taken the turn up; this one writes nothing more."""


@dataclass(frozen=True, slots=True)
class RowGone:
    """The answer's row was deleted or ended by someone else: there is nowhere to write."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Directus refuses a row that is there: nothing is settled, the turn is tried again later."""

    reason: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    """This process shuts down; another worker goes on from the last saved state."""


Signal = Stopped | Superseded | LeaseLost | RowGone | Refused | HandedOver

"""What is looked up ahead: the tools' calls for a guessed understanding, while the model still makes its own.

A guess that proves right has its results there when the plan asks for them; one that proves wrong is
dropped, and has cost a search that no visitor waited for. Nothing of it is saved: a turn that another
worker takes up looks things up itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from assistants.interface import ToolCall, ToolOutcome

__all__ = ["Speculation"]


@dataclass(slots=True)
class Speculation:
    """The calls of one turn that were begun ahead. Each is taken once, or dropped."""

    _begun: list[tuple[ToolCall, asyncio.Task[ToolOutcome]]] = field(default_factory=list)
    _called_off: list[asyncio.Task[ToolOutcome]] = field(default_factory=list)

    def begin(self, calls: Iterable[ToolCall], make: Callable[[ToolCall], Coroutine[None, None, ToolOutcome]]) -> None:
        """Start these calls; ``make`` does one and records a failure rather than raise it."""
        for call in calls:
            self._begun.append((call, asyncio.create_task(make(call), name=f"ahead: {call.tool}")))

    def take(self, planned: ToolCall, same: Callable[[ToolCall, ToolCall], bool]) -> asyncio.Task[ToolOutcome] | None:
        """The call that was begun for what is planned now, finished or not; None when there is none."""
        for position, (call, task) in enumerate(self._begun):
            if same(call, planned):
                del self._begun[position]
                return task
        return None

    def call_off(self) -> None:
        """Cancel what nobody took."""
        for _, task in self._begun:
            task.cancel()
            self._called_off.append(task)
        self._begun.clear()

    async def end(self) -> None:
        """Cancel what nobody took, and wait until all of it has ended."""
        self.call_off()
        await asyncio.gather(*self._called_off, return_exceptions=True)
        self._called_off.clear()

"""What an answer may cost and has cost so far: to be read whenever, also when its stream is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.llm.calls import Budget, Usage
from services.llm.prices import tokens_in, usage_of

if TYPE_CHECKING:
    from services.llm.calls import CallBegun

__all__ = ["Meter"]


class Meter:
    """The sum of an answer's calls, the running one included.

    A call that has ended says what it cost. Of one that runs, or was cut off, the provider has told the
    prompt's tokens when it began, and the output is estimated from the text that has come.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget
        self._paid = Usage()
        self._call: CallBegun | None = None
        self._characters = 0

    @property
    def usage(self) -> Usage:
        """What all calls have cost until now."""
        output = tokens_in(self._characters)
        if self._call is None:
            return self._paid + Usage(output_tokens=output)
        return self._paid + self._call.usage + usage_of(self._call.model, fresh=0, output=output)

    @property
    def left(self) -> Budget | None:
        """What further calls may cost, None for any amount."""
        if self._budget is None:
            return None
        spent = self.usage
        tokens = self._budget.tokens - spent.input_tokens - spent.output_tokens
        return Budget(tokens, self._budget.cost_usd - spent.cost_usd)

    @property
    def is_spent(self) -> bool:
        """Whether the running call has brought all beyond what they may cost; a template costs nothing more."""
        left = self.left if self._characters else None
        return left is not None and (left.tokens < 0 or left.cost_usd < 0)

    def begin(self, call: CallBegun) -> None:
        """A provider has begun to work, and to charge."""
        self._call = call

    def wrote(self, characters: int) -> None:
        """The running call has sent so much text."""
        self._characters += characters

    def pay(self, usage: Usage | None) -> None:
        """The running call has ended and cost this; None when nothing."""
        self._paid += usage or Usage()
        self._call = None
        self._characters = 0

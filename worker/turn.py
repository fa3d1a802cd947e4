"""A turn: one user message and the work to answer it. This is what is saved between steps.

Nothing in here is a connection or a task; those are in ``worker/services.py``. The two do not mix,
so that any worker can take up any turn from Redis.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assistants.interface import ToolCall, ToolOutcome, TurnView, Understanding
from services.llm.calls import ChatMessage, Usage

__all__ = ["ACTIVE", "SAVED", "TERMINAL", "Said", "State", "Turn", "UnknownTurnVersionError"]

# Versions of a saved turn. Raise ``Turn.version`` with every change that an older or newer worker could
# not read, and add its sentence here.
# 1: the first shape.


class UnknownTurnVersionError(Exception):
    """A saved turn of another version, or a damaged one: it is begun again, never guessed."""


class State(StrEnum):
    """Where a turn is."""

    UNDERSTAND = "understand"
    PLAN = "plan"
    EXECUTE = "execute"
    REFLECT = "reflect"
    RESPOND = "respond"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = frozenset({State.UNDERSTAND, State.PLAN, State.EXECUTE, State.REFLECT, State.RESPOND})
"""States that have a step."""

TERMINAL = frozenset(State) - ACTIVE
"""States that are also the status of the answer's row."""


SAVED = "saved"
"""The entry of ``timings_ms`` for the time that looking up ahead has saved."""


class Said(BaseModel):
    """One earlier message of the conversation."""

    role: Literal["user", "assistant"]
    text: str


class Turn(BaseModel):
    """All that is known of a turn; times in ``timings_ms`` are milliseconds, others Unix seconds."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    message_id: str
    answer_id: str
    conversation_id: str
    assistant: str
    scope_id: str | None
    trace_id: str

    question: str
    covers: list[str] = Field(default_factory=list)
    """Ids of earlier user messages that this turn's answer covers too."""
    history: list[Said] = Field(default_factory=list)
    now: datetime
    """The turn's clock: fixed, so that a step done again sees the same day."""
    asked_at: float
    queued_at: float
    started_at: float

    state: State = State.UNDERSTAND
    attempt: int = 1
    iterations: int = 0
    understanding: Understanding | None = None
    planned: list[ToolCall] = Field(default_factory=list)
    outcomes: list[ToolOutcome] = Field(default_factory=list)
    degraded_because: str | None = None
    """Why no model is asked to write any more (time is up, a step failed); None while all is well."""

    switched_from: list[str] = Field(default_factory=list)
    """Providers that broke off after they had begun to write; another went on in their place."""

    timings_ms: dict[str, float] = Field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cost_usd: float = 0.0

    @classmethod
    def load(cls, saved: bytes | str) -> Turn:
        """Read a saved turn.

        Raises UnknownTurnVersionError for any but the current version.
        """
        try:
            return cls.model_validate_json(saved)
        except ValidationError as error:
            raise UnknownTurnVersionError(f"{error.error_count()} fields do not fit") from None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in TERMINAL

    @property
    def usage(self) -> Usage:
        """What the turn has cost so far."""
        return Usage(self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cost_usd)

    def view(self) -> TurnView:
        """What the assistant may see of it."""
        return TurnView(
            question=self.question,
            scope_id=self.scope_id,
            now=self.now,
            history=tuple(ChatMessage(said.role, said.text) for said in self.history),
            understanding=self.understanding,
            outcomes=tuple(self.outcomes),
        )

    def pay(self, usage: Usage) -> None:
        """Add what a call cost."""
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.cache_read_tokens += usage.cache_read_tokens
        self.cost_usd += usage.cost_usd

    def spent(self, state: State, milliseconds: float) -> None:
        """Add time to a state's sum (execute and reflect may run several times)."""
        self.timings_ms[state.value] = round(self.timings_ms.get(state.value, 0.0) + milliseconds, 2)

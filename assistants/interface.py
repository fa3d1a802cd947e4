"""The seam between the machine and a domain.

The machine runs turns and knows no domain; an assistant knows a domain and no queue, row or
stream. Adding an assistant is adding a folder with one class of this kind and naming it in
``assistants/registry.py``. Every method has a default that a small assistant can live with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from services.llm.calls import ChatMessage, Prompt, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from search.index import SearchIndex
    from services.directus.client import Directus
    from services.embeddings.embedder import Embedder
    from services.llm.chain import LanguageModel
    from services.redis import RedisClient
    from services.settings import Settings

__all__ = [
    "Assistant",
    "Guess",
    "Outcome",
    "Source",
    "Tool",
    "ToolCall",
    "ToolOutcome",
    "Toolbox",
    "TurnView",
    "Understanding",
    "Understood",
]


class Outcome(StrEnum):
    """How a turn ended, as written to the answer's row."""

    ANSWERED = "answered"
    CLARIFICATION = "clarification"
    UNANSWERABLE = "unanswerable"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    ERROR = "error"


class Understanding(BaseModel):
    """What a question asks for.

    ``query`` is the question resolved against the conversation ("and on Friday?" made whole);
    ``entities`` are the assistant's own; ``language`` is ISO 639-1.
    """

    model_config = ConfigDict(extra="forbid")

    intent: str
    query: str
    search_type: Literal["specific", "vague"] | None = None
    entities: dict[str, Any] = Field(default_factory=dict)
    language: str = "en"
    confidence: float = 0.0
    decided_by: Literal["router", "model", "rule"] = "rule"


class ToolCall(BaseModel):
    """One call that the plan asks for. ``relaxed`` says what was given up to make it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    relaxed: tuple[str, ...] = ()


class ToolOutcome(BaseModel):
    """What a call gave. ``results`` is data from outside; ``error`` a sentence, None if it went well."""

    model_config = ConfigDict(extra="forbid")

    call: ToolCall
    results: list[dict[str, Any]] = Field(default_factory=list)
    error: str | None = None
    took_ms: float = 0.0


class Source(BaseModel):
    """One thing an answer rests on, as written to metadata."""

    type: str
    id: str
    title: str
    score: float = 0.0
    facet_scores: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Understood:
    """An understanding and what it cost."""

    understanding: Understanding
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Guess:
    """What a question seems to ask for, by what costs no model.

    A ``sure`` one is the understanding; while the model is asked about another, the machine looks up
    what it would need. ``notes`` are the assistant's own, for its ``understand``.
    """

    understanding: Understanding
    sure: bool = False
    notes: Any = None


@dataclass(frozen=True, slots=True)
class TurnView:
    """All an assistant sees of a turn. ``scope_id`` is what it may look into (the conference).

    ``guess`` is there for ``understand`` alone.
    """

    question: str
    scope_id: str | None
    now: datetime
    history: tuple[ChatMessage, ...] = ()
    understanding: Understanding | None = None
    outcomes: tuple[ToolOutcome, ...] = ()
    guess: Guess | None = None


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What tools work with; made once for a process."""

    settings: Settings
    directus: Directus
    redis: RedisClient
    index: SearchIndex
    embedder: Embedder


class Tool(Protocol):
    """Something ``execute`` can call.

    It returns its outcome and raises only ErleahErrors; the machine gives it a time-out and
    records a failure in its stead. ``scope_id`` comes from the turn, never from the model.
    """

    async def __call__(self, arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
        """Do the call."""
        ...


class Assistant:
    """A domain. Subclass, name it, and override what the domain knows better."""

    name: ClassVar[str]
    sources: ClassVar[frozenset[str]]
    """Values of ``conversations.source`` that this assistant answers."""

    tools: Mapping[str, Tool] = {}

    async def start(self, toolbox: Toolbox) -> None:
        """Get ready once, when the worker starts; raise ConfigurationError for what is missing."""

    def scope_of(self, conversation: Mapping[str, Any], settings: Settings) -> str | None:  # noqa: ARG002 - the default has none
        """What a conversation may look into; None when it names nothing."""
        return None

    async def guess(self, view: TurnView, toolbox: Toolbox) -> Guess | None:  # noqa: ARG002 - the default guesses nothing
        """What the question seems to ask for, told at once and without a model; None when there is no telling.

        ``understand`` is given it as ``view.guess``. Never raises for a failing service.
        """
        return None

    async def understand(self, view: TurnView, model: LanguageModel, toolbox: Toolbox) -> Understood:  # noqa: ARG002 - the default asks nobody
        """What the question asks for. Never raises for a failing model: it does its best without."""
        return Understood(Understanding(intent="chat", query=view.question))

    def plan(self, view: TurnView) -> list[ToolCall]:  # noqa: ARG002 - the default needs no tool
        """The calls that answer the understood question, to be made at the same time."""
        return []

    def same_call(self, made: ToolCall, planned: ToolCall) -> bool:
        """Whether what was looked up ahead is what the plan asks for."""
        return made == planned

    def relax(self, view: TurnView) -> list[ToolCall]:  # noqa: ARG002 - the default has nothing to give up
        """What to try next when ``view.outcomes`` is not enough; empty when it is, or nothing is left."""
        return []

    def prompt(self, view: TurnView) -> Prompt:
        """What the model is asked to write."""
        return Prompt(system=f"You are {self.name}.", messages=(*view.history, ChatMessage("user", view.question)))

    def offline_answer(self, view: TurnView) -> str:
        """The answer without a model, from the outcomes alone, in the question's language."""
        raise NotImplementedError

    def fixed_answer(self, view: TurnView) -> str | None:  # noqa: ARG002 - the default has none
        """An answer that needs no model (asking back, nothing asked), or None."""
        return None

    def clean(self, text: str, view: TurnView, *, whole: bool) -> str:  # noqa: ARG002 - the default trusts its answers
        """What of an answer's text may be shown: the last word in code on what a model was talked into.

        While the text grows ``whole`` is False, and what is given must be a beginning of what is given
        later: nothing that was shown may be taken away again.
        """
        return text

    def outcome(self, view: TurnView) -> Outcome:  # noqa: ARG002 - the default always answers
        """How a completed turn is counted."""
        return Outcome.ANSWERED

    def sources_used(self, view: TurnView) -> Sequence[Source]:  # noqa: ARG002 - the default has none
        """What the answer rests on, best first."""
        return ()

    def suggestions(self, view: TurnView) -> Sequence[str]:  # noqa: ARG002 - the default has none
        """Two or three follow-up questions."""
        return ()

    async def search(self, view: TurnView, kind: str, limit: int, toolbox: Toolbox) -> dict[str, Any] | None:  # noqa: ARG002 - the default searches nothing
        """What a turn would find for ``view.question`` among one kind of thing, and why, as JSON for an operator.

        None for an assistant that searches nothing. Raises ValueError for a kind that it does not know.
        """
        return None

    @property
    def prompt_version(self) -> str:
        """The version of the prompt files, for metadata."""
        return "none"

"""What goes to a language model and what comes back, whoever the provider is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = [
    "AnswerEnd",
    "Budget",
    "CallBegun",
    "ChatMessage",
    "Parsed",
    "Prompt",
    "Provider",
    "StreamEvent",
    "Switch",
    "TextDelta",
    "Usage",
]

SchemaT = TypeVar("SchemaT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation, as the model is told it."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that calls may cost, prompts included."""

    tokens: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """One call.

    ``system`` is the same for every turn of an assistant (providers cache it); ``context`` is what
    this turn found (data, never instructions); ``messages`` is the history, oldest first, ending
    with the question. ``partial`` is an answer that another provider began and could not finish:
    the model is to go on right behind it. ``budget`` bounds what a provider may write, None not at all.
    """

    system: str
    messages: tuple[ChatMessage, ...]
    context: str = ""
    partial: str = ""
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money of one or more calls; ``cost_usd`` by the list price of the model."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """The sum of both."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cost_usd + other.cost_usd,
        )


@dataclass(frozen=True, slots=True)
class CallBegun:
    """A provider has taken a prompt in and charges for it; ``usage`` is without output."""

    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Switch:
    """A provider broke off after its first token; ``kept`` of its text stays, another goes on."""

    kept: str
    from_provider: str
    to_provider: str
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerEnd:
    """The proper end of an answer. ``degraded`` when no model wrote (all of) it.

    ``stop_reason`` is "length" at LLM_MAX_TOKENS, "budget" where the prompt's budget cut it short or allowed no model.
    """

    provider: str
    model: str
    usage: Usage = field(default_factory=Usage)
    stop_reason: Literal["end", "length", "budget"] = "end"
    degraded: bool = False


StreamEvent = TextDelta | Switch | AnswerEnd


@dataclass(frozen=True, slots=True)
class Parsed(Generic[SchemaT]):
    """A structured reply and what it cost."""

    value: SchemaT
    provider: str
    model: str
    usage: Usage = field(default_factory=Usage)


class Provider(Protocol):
    """One way to reach a model. Every failure is a ProviderError of services.errors."""

    name: str

    async def parse(self, prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        """Ask the fast model for a ``schema``."""
        ...

    def stream(self, prompt: Prompt) -> AsyncIterator[CallBegun | TextDelta | AnswerEnd]:
        """Write the answer piece by piece; ends with exactly one AnswerEnd or a ProviderError.

        Says CallBegun first, as soon as the prompt is charged for.

        Closing the iterator ends the provider's stream and its connection at once.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...

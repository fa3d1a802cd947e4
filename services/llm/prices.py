"""What tokens cost, by list price, and how many there may have been when nobody said.

Anthropic: the model pages under platform.claude.com/docs/en/models, read in November 2026. (Two
price trackers report that Sonnet 5.5's cache reads were cut to $0.10 on 2026-10-07; the model page
says $0.20, and the dearer figure is used.) OpenAI: openai.com/api/pricing, gpt-4o-mini as of 2026.

A model that is not among them counts as the dearest that is, so that a budget of money holds for it too: told too
much, an operator names a higher budget; told nothing, he would read it off a bill.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from services.errors import ProviderOverBudgetError
from services.llm.calls import Usage
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.llm.calls import Prompt

__all__ = [
    "DEAREST",
    "PRICES",
    "Price",
    "estimated_usage",
    "is_price_known",
    "output_room",
    "price_of",
    "prompt_tokens",
    "tokens_in",
    "tokens_told",
    "usage_of",
]

_MILLION = 1_000_000

_CHARACTERS_PER_TOKEN = 4
"""English text, by OpenAI's rule of thumb (help.openai.com, "What are tokens"); other scripts have more tokens."""

_LEAST_OUTPUT = 32
"""Tokens of about one sentence: with less, the answer without a model says more."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens.

    ``long_prompt`` holds for prompts of more than ``long_from`` tokens, cached ones counted, and
    then for every token of the call.
    """

    input: float
    output: float
    cache_read: float
    cache_write: float
    long_from: int | None = None
    long_prompt: Price | None = None

    def cost_usd(self, *, fresh: int, written: int, read: int, output: int) -> float:
        """The price of one call; ``fresh``, ``written`` and ``read`` are the prompt's tokens (see ``usage_of``)."""
        if self.long_from is not None and self.long_prompt is not None and fresh + written + read > self.long_from:
            return self.long_prompt.cost_usd(fresh=fresh, written=written, read=read, output=output)
        total = fresh * self.input + written * self.cache_write + read * self.cache_read + output * self.output
        return total / _MILLION


PRICES: Mapping[str, Price] = {
    "claude-haiku-5-5": Price(
        0.10, 0.50, cache_read=0.01, cache_write=0.125, long_from=100_000, long_prompt=Price(0.50, 2.50, 0.05, 0.625)
    ),
    "claude-sonnet-5-5": Price(2.0, 10.0, cache_read=0.20, cache_write=2.50),
    "claude-opus-5-5": Price(4.0, 20.0, cache_read=0.20, cache_write=5.0),
    "gpt-4o-mini": Price(0.15, 0.60, cache_read=0.075, cache_write=0.15),
}

_EACH = [each for price in PRICES.values() for each in (price, price.long_prompt) if each is not None]

DEAREST = Price(
    max(each.input for each in _EACH),
    max(each.output for each in _EACH),
    cache_read=max(each.cache_read for each in _EACH),
    cache_write=max(each.cache_write for each in _EACH),
)
"""What an unknown model counts as: of each kind of token the dearest known price."""

_VERSION = re.compile(r"([-@](\d{8}|\d{4}-\d{2}-\d{2})|-latest)$")
"""``gpt-4o-mini-2024-07-18``, ``claude-sonnet-5-5@20261001``: the same model at the same price. Another number or
word at the end (``gpt-4o-mini-audio``) is another model."""


def price_of(model: str) -> Price:
    """The list price of a model; DEAREST when unknown, which is logged once a model.

    A name may have the maker before it (``anthropic/claude-sonnet-5-5``) and a date or ``latest`` behind.
    """
    price = PRICES.get(_name_of(model))
    if price is None:
        _say_unknown(model)
        return DEAREST
    return price


def is_price_known(model: str) -> bool:
    """Whether ``price_of`` has the model's own price; says nothing to the log."""
    return _name_of(model) in PRICES


def _name_of(model: str) -> str:
    return _VERSION.sub("", model.rsplit("/", 1)[-1])


def usage_of(model: str, *, fresh: int, output: int, written: int = 0, read: int = 0) -> Usage:
    """The usage of one call to ``model``.

    ``fresh``, ``written`` and ``read`` are the prompt's tokens that the cache did not know, was given
    and had; the first two make ``input_tokens``. An unknown model costs what the dearest known one does.
    """
    cost = price_of(model).cost_usd(fresh=fresh, written=written, read=read, output=output)
    return Usage(fresh + written, output, read, cost)


def tokens_told(usage: object, name: str) -> int:
    """A count in an SDK's usage; 0 where the server left it out or sent what is none (the SDKs do not check)."""
    told = getattr(usage, name, None)
    return told if isinstance(told, int) and told > 0 else 0


def estimated_usage(model: str, prompt: Prompt, written: int = 0) -> Usage:
    """About what a call has used that broke before it said; ``written`` is the characters it sent."""
    return usage_of(model, fresh=prompt_tokens(prompt), output=tokens_in(written))


def output_room(provider: str, model: str, prompt: Prompt, *, at_most: int) -> int:
    """How many tokens a call may write: ``at_most``, or what its prompt leaves of the budget.

    The prompt counts as fresh: whether a cache knows it, only the provider can tell.

    Raises ProviderOverBudgetError when too little is left for a sentence.
    """
    if prompt.budget is None:
        return at_most
    asked = estimated_usage(model, prompt)
    room = prompt.budget.tokens - asked.input_tokens
    room = min(room, int((prompt.budget.cost_usd - asked.cost_usd) * _MILLION / price_of(model).output))
    if room < _LEAST_OUTPUT:
        raise ProviderOverBudgetError(provider, f"what is left of the turn's budget pays no answer of {provider}")
    return min(room, at_most)


def prompt_tokens(prompt: Prompt) -> int:
    """About how many tokens a prompt is: by its bytes, for a Chinese character is a token where four letters are."""
    texts = (prompt.system, prompt.context, prompt.partial, *(message.text for message in prompt.messages))
    return tokens_in(sum(len(text.encode(errors="replace")) for text in texts))


def tokens_in(characters: int) -> int:
    """About how many tokens so many characters of text are."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


@lru_cache(maxsize=256)
def _say_unknown(model: str) -> None:
    get_logger(__name__).warning(
        "model_price_unknown",
        model=model,
        counted_as=f"${DEAREST.input:g} a million tokens in, ${DEAREST.output:g} out: the dearest price known",
        what="its costs are a bound; TURN_MAX_COST_USD and TURN_MAX_TOKENS say what a turn may use",
    )

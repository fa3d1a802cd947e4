"""What tokens cost."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from services.llm.calls import ChatMessage, Prompt, Usage
from services.llm.prices import estimated_usage, usage_of


def test_each_kind_of_token_has_its_own_price() -> None:
    usage = usage_of("claude-sonnet-5-5", fresh=1_000_000, written=1_000_000, read=1_000_000, output=1_000_000)
    assert usage.cost_usd == pytest.approx(2.0 + 2.5 + 0.2 + 10.0)
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (2_000_000, 1_000_000, 1_000_000)


def test_a_long_prompt_makes_the_whole_call_dearer() -> None:
    """Haiku 5.5 is priced by the prompt's length, cached tokens counted."""
    assert usage_of("claude-haiku-5-5", fresh=100_000, output=1000).cost_usd == pytest.approx(0.0105)
    assert usage_of("claude-haiku-5-5", fresh=1, read=100_000, output=0).cost_usd == pytest.approx(0.0050005)


def test_a_dated_name_has_the_price_of_its_model() -> None:
    dated = usage_of("gpt-4o-mini-2024-07-18", fresh=1000, output=0)
    assert dated == usage_of("gpt-4o-mini", fresh=1000, output=0)


def test_an_unknown_model_costs_nothing_and_says_so_once() -> None:
    with capture_logs() as lines:
        first = usage_of("llama-unheard-of", fresh=10, output=10)
        usage_of("llama-unheard-of", fresh=10, output=10)
    assert first == Usage(10, 10, 0, 0.0)
    assert [line["event"] for line in lines] == ["model_price_unknown"]


def test_an_estimate_counts_four_characters_a_token_over_all_that_was_sent() -> None:
    prompt = Prompt("s" * 40, (ChatMessage("user", "q" * 40),), context="c" * 40, partial="p" * 40)
    usage = estimated_usage("gpt-4o-mini", prompt, written=10)
    assert (usage.input_tokens, usage.output_tokens) == (40, 3)

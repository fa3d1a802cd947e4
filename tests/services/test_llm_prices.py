"""What tokens cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.errors import ProviderOverBudgetError
from services.llm.calls import Budget, ChatMessage, Prompt
from services.llm.prices import DEAREST, PRICES, estimated_usage, is_price_known, output_room, prompt_tokens, usage_of

ROOT = Path(__file__).resolve().parents[2]


def test_each_kind_of_token_has_its_own_price() -> None:
    usage = usage_of("claude-sonnet-5-5", fresh=1_000_000, written=1_000_000, read=1_000_000, output=1_000_000)
    assert usage.cost_usd == pytest.approx(2.0 + 2.5 + 0.2 + 10.0)
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (2_000_000, 1_000_000, 1_000_000)


def test_a_prompt_in_chinese_has_more_tokens_than_one_of_as_many_letters() -> None:
    """Four English letters are a token, and one Chinese character about one; a lone surrogate is text, too."""
    english, chinese = (Prompt(system=text, messages=()) for text in ("a" * 4000, "会" * 4000))
    assert prompt_tokens(english) == 1000
    assert 2500 < prompt_tokens(chinese) < 4500
    assert prompt_tokens(Prompt(system="\ud800", messages=())) == 1


def test_a_long_prompt_makes_the_whole_call_dearer() -> None:
    """Haiku 5.5 is priced by the prompt's length, cached tokens counted."""
    assert usage_of("claude-haiku-5-5", fresh=100_000, output=1000).cost_usd == pytest.approx(0.0105)
    assert usage_of("claude-haiku-5-5", fresh=1, read=100_000, output=0).cost_usd == pytest.approx(0.0050005)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-mini-2024-07-18",
        "gpt-4o-mini-20240718",
        "gpt-4o-mini@20240718",
        "gpt-4o-mini-latest",
        "openai/gpt-4o-mini",
    ],
)
def test_a_dated_name_has_the_price_of_its_model(name: str) -> None:
    assert usage_of(name, fresh=1000, output=0) == usage_of("gpt-4o-mini", fresh=1000, output=0)
    assert is_price_known(name)


@pytest.mark.parametrize("name", ["gpt-4o-mini-audio", "ft:gpt-4o-mini:acme", "claude-sonnet-5-6", "llama-unheard-of"])
def test_an_unknown_model_costs_no_less_than_any_known_one(name: str) -> None:
    """Whatever kind its tokens are, and however long its prompt is: a budget of money holds for it too."""
    assert not is_price_known(name)
    for tokens in (
        {"fresh": 1000, "output": 0},
        {"fresh": 0, "output": 1000},
        {"fresh": 0, "output": 0, "read": 1000},
        {"fresh": 0, "output": 0, "written": 1000},
        {"fresh": 200_000, "output": 1000},
    ):
        known = max(usage_of(model, **tokens).cost_usd for model in PRICES)
        assert usage_of(name, **tokens).cost_usd >= known > 0


def test_an_unknown_model_is_told_once_with_what_it_is_counted_as() -> None:
    with capture_logs() as lines:
        for _ in range(2):
            usage_of("llama-said-once", fresh=10, output=10)
    (line,) = lines
    assert (line["event"], line["model"], line["log_level"]) == ("model_price_unknown", "llama-said-once", "warning")
    assert f"${DEAREST.output:g} out" in line["counted_as"]
    assert "TURN_MAX_COST_USD" in line["what"]


@pytest.mark.parametrize("page", ["docs/operating.md", ".env.example"])
def test_operators_read_what_an_unknown_model_counts_as(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert f"${DEAREST.input:g} a million tokens in" in text
    assert f"${DEAREST.output:g} out" in text


def test_a_budget_of_money_bounds_what_an_unknown_model_may_write() -> None:
    """As much as the dearest known one might; and where that is no sentence, it is not asked."""
    prompt = Prompt("", (ChatMessage("user", "q" * 4000),), budget=Budget(tokens=50_000, cost_usd=0.01))
    asked = 1000 * DEAREST.input / 1e6
    room = output_room("openai", "llama-unheard-of", prompt, at_most=1024)
    assert room == int((0.01 - asked) * 1e6 / DEAREST.output) < 1024
    with pytest.raises(ProviderOverBudgetError):
        output_room("openai", "llama-unheard-of", replace(prompt, budget=Budget(50_000, asked)), at_most=1024)


def test_an_estimate_counts_four_characters_a_token_over_all_that_was_sent() -> None:
    prompt = Prompt("s" * 40, (ChatMessage("user", "q" * 40),), context="c" * 40, partial="p" * 40)
    usage = estimated_usage("gpt-4o-mini", prompt, written=10)
    assert (usage.input_tokens, usage.output_tokens) == (40, 3)

"""How long understanding by a model takes beside the model: our own code, the SDK and a loopback connection."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import assistants.conference
from assistants.conference.model_understanding import ask_model
from services.llm.anthropic import AnthropicProvider
from services.llm.chain import LanguageModel
from services.prompts import PromptFiles
from services.settings import Settings
from standins.models import ModelStandIn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ms_round_a_model"]

_PROMPTS = Path(assistants.conference.__file__).parent / "prompts"


async def ms_round_a_model(questions: Sequence[str]) -> float:
    """The median, in milliseconds, of understanding each of at least one question by a stand-in that answers at once.

    The stand-in's own work is in it, since it runs in this process; a provider's network is not.
    """
    async with ModelStandIn() as standin:
        settings = Settings(
            directus_api_key="none",
            directus_webhook_secret="none",  # noqa: S106 - nothing asks for it
            anthropic_api_key="none",
            anthropic_base_url=standin.anthropic_url,
        )
        prompts = PromptFiles(_PROMPTS, settings.prompt_version)
        model = LanguageModel([AnthropicProvider(settings)])
        try:
            await ask_model(questions[0], (), model, prompts)  # the first opens the connection and reads the prompt
            taken = []
            for question in questions:
                began = time.perf_counter()
                await ask_model(question, (), model, prompts)
                taken.append(1000 * (time.perf_counter() - began))
        finally:
            await model.aclose()
    return statistics.median(taken)

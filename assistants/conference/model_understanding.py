"""The model's part of understanding: one structured call, asked when the router is not sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from assistants.conference.intents import Intent, SearchType
from services.llm.calls import ChatMessage, Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.llm.calls import Parsed
    from services.llm.chain import LanguageModel
    from services.prompts import PromptFiles

__all__ = ["ModelUnderstanding", "ask_model"]

UNDERSTAND = "understand"


class ModelUnderstanding(BaseModel):
    """What the model makes of a question; every word of it is checked again before it is used."""

    intent: Intent = Field(description="what kind of question it is")
    search_type: SearchType = Field(description="specific: a clear target; vague: a need, advice or browsing")
    topics: list[str] = Field(description="subjects asked about, in the question's words")
    names: list[str] = Field(description="people, companies, products and titles that are named")
    time: str | None = Field(description="the words for a time, such as 'Friday morning', or null")
    location: str | None = Field(description="the words for a room, hall or booth, or null")
    language: str = Field(description="ISO 639-1 code of the question's language")
    standalone_query: str = Field(description="the question made whole from the conversation, in its own language")


async def ask_model(
    question: str, history: Sequence[ChatMessage], model: LanguageModel, prompts: PromptFiles
) -> Parsed[ModelUnderstanding]:
    """Ask the fast model; raises ProviderError when none can answer."""
    prompt = Prompt(system=prompts.render(UNDERSTAND), messages=(*history, ChatMessage("user", question)))
    return await model.parse(prompt, ModelUnderstanding)

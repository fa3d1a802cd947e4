"""Which assistant answers which ``conversations.source``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistants.conference.assistant import ConferenceAssistant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assistants.interface import Assistant
    from services.settings import Settings

__all__ = ["make_assistants"]


def make_assistants(settings: Settings) -> Mapping[str, Assistant]:
    """All assistants by source, made anew; the worker starts them."""
    assistants: tuple[Assistant, ...] = (ConferenceAssistant(settings.prompt_version),)
    return {source: assistant for assistant in assistants for source in assistant.sources}

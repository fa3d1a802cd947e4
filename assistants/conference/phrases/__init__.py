"""The assistant's own sentences, for answers that no model writes, in four languages."""

from __future__ import annotations

from assistants.conference.phrases.english import ENGLISH
from assistants.conference.phrases.french import FRENCH
from assistants.conference.phrases.german import GERMAN
from assistants.conference.phrases.spanish import SPANISH
from assistants.conference.phrases.wording import Phrases

__all__ = ["PHRASES", "Phrases", "phrases_for"]

PHRASES = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH}


def phrases_for(language: str) -> Phrases:
    """The sentences of a language (ISO 639-1); English for those that are not written yet."""
    return PHRASES.get(language, ENGLISH)

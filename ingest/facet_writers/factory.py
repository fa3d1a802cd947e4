"""Which facet writer the settings ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ingest.facet_writers.model import ModelFacetWriter
from ingest.facet_writers.template import TemplateFacetWriter
from services.errors import ConfigurationError
from services.prompts import PromptFiles

if TYPE_CHECKING:
    from ingest.facet_writers.writer import FacetWriter
    from services.llm.chain import LanguageModel
    from services.settings import Settings

__all__ = ["make_facet_writer"]

_PROMPTS = Path(__file__).parent.parent / "prompts"


def make_facet_writer(settings: Settings, model: LanguageModel) -> FacetWriter:
    """FACET_WRITER: ``template``, ``model``, or ``auto``: the model where there is one.

    Raises ConfigurationError for ``model`` without any provider's key, and for a missing prompt.
    """
    template = TemplateFacetWriter()
    if settings.facet_writer == "template" or (settings.facet_writer == "auto" and not model.has_model):
        return template
    if not model.has_model:
        msg = "FACET_WRITER model wants a model: set ANTHROPIC_API_KEY or OPENAI_API_KEY, or FACET_WRITER=auto"
        raise ConfigurationError(msg)
    return ModelFacetWriter(model, PromptFiles(_PROMPTS, settings.prompt_version), template)

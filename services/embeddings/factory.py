"""The embedder that the settings ask for."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from services.errors import ConfigurationError
from services.settings import Settings

if TYPE_CHECKING:
    from services.embeddings.embedder import Embedder

__all__ = ["make_embedder"]


def make_embedder(settings: Settings, *, may_download: bool = True) -> Embedder:
    """Make the embedder of EMBEDDING_PROVIDER; models are loaded at their first use, keys are not tried.

    EMBEDDING_MODEL left at its default, which is OpenAI's, means the provider's own default model;
    ``local`` has one model only, and it and ``fastembed`` know their dimensions themselves. Without
    ``may_download`` a model that is not on this machine is not fetched: its first use fails at once.
    Raises ConfigurationError: a missing key, an unknown model, a folder that lacks a file,
    an extra that is not installed.
    """
    # Imported here: each brings a library of its own (0.3 to 0.8 s) that the others do without.
    match settings.embedding_provider:
        case "local":
            from services.embeddings.local import LocalEmbedder  # noqa: PLC0415 - see above

            return LocalEmbedder()
        case "fastembed":
            if find_spec("fastembed") is None:
                raise ConfigurationError(
                    "EMBEDDING_PROVIDER=fastembed needs a package that is not installed; run: pip install "
                    "'fastembed>=0.9,<0.10' (in a container: build it with EXTRAS=fastembed), or set "
                    "EMBEDDING_PROVIDER=local"
                )
            from services.embeddings.fastembed import DEFAULT_MODEL, FastembedEmbedder  # noqa: PLC0415 - see above

            chosen = settings.embedding_model != Settings.model_fields["embedding_model"].default
            model = settings.embedding_model if chosen else DEFAULT_MODEL
            return FastembedEmbedder(model, settings.embedding_model_path, may_download=may_download)
        case "openai":
            from services.embeddings.openai import OpenAIEmbedder  # noqa: PLC0415 - see above

            return OpenAIEmbedder(
                model=settings.embedding_model,
                dimensions=settings.embedding_dimensions,
                api_key=_openai_key(settings),
                base_url=settings.openai_base_url,
            )


def _openai_key(settings: Settings) -> str:
    if settings.openai_api_key is not None:
        return settings.openai_api_key.get_secret_value()
    if settings.openai_base_url is not None:
        return "none"  # a server of one's own asks for no key; the SDK wants one to be named
    raise ConfigurationError(
        "OPENAI_API_KEY is required for EMBEDDING_PROVIDER=openai; "
        "set it, or set EMBEDDING_PROVIDER=local, which needs no key"
    )

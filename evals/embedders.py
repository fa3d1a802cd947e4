"""The embedders that can be measured here: the one that comes along, and those with a model or a key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from services.embeddings.local import LocalEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.embeddings.embedder import Embedder

__all__ = ["FASTEMBED_PATH", "embedders"]

FASTEMBED_PATH = "ERLEAH_TEST_FASTEMBED_PATH"
"""Where a folder with a model for fastembed lies."""

_BESIDE = Path(__file__).parents[2] / "shared" / "models" / "all-MiniLM-L6-v2-int8"
"""Looked at where the variable is empty; without either fastembed is left out."""


def embedders(chosen: Sequence[str]) -> Iterator[Embedder]:
    """Those of ``chosen`` (local, fastembed, openai) that can be had; the caller closes each."""
    if "local" in chosen:
        yield LocalEmbedder()
    given = os.environ.get(FASTEMBED_PATH)
    folder = Path(given or _BESIDE)
    if "fastembed" in chosen and (given or folder.is_dir()):
        from services.embeddings.fastembed import FastembedEmbedder  # noqa: PLC0415 - an extra

        yield FastembedEmbedder(model_path=folder)
    key = os.environ.get("OPENAI_API_KEY")
    if "openai" in chosen and key:
        from services.embeddings.openai import OpenAIEmbedder  # noqa: PLC0415 - 0.5 s that most runs do without

        yield OpenAIEmbedder(model="text-embedding-3-small", dimensions=1536, api_key=key, base_url=None)

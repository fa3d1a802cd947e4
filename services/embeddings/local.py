"""Embeddings without key, download or server: WordLlama's static vectors, which come with its package."""

from __future__ import annotations

import asyncio
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.embeddings.inputs import bounded_text, by_length
from services.embeddings.unit import unit_vectors
from services.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LocalEmbedder"]

_DIMENSIONS = 256
_MAX_CHARS = 8_000
"""About 2,000 tokens; a mean over more words says less, and a batch is padded to its longest text."""

_BATCH_TEXTS = 16
"""16 texts of 2,000 tokens by 256 floats are 33 MB, which is the most that one batch holds."""

_INLINE_CHARS = 2_000
"""Up to here a call stays on the event loop. Medians on two busy cores: a question 0.04 ms, 2,000 characters
0.6 ms, a hop to a thread and back 0.06 ms. A batch of 172 session texts takes 100 ms: that goes to the thread."""


class LocalEmbedder:
    """Mean of static word vectors (wordllama l2_supercat, 256 dimensions, English mostly).

    It knows words and not their order. Loaded at a process's first call, in its thread (0.5 s with imports).
    """

    family = "local"

    def __init__(self) -> None:
        self.identity = f"local-wordllama-{_DIMENSIONS}"
        self.dimensions = _DIMENSIONS
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embed-local")
        self._model: Any = None  # wordllama ships no types

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector of 256 for each text, in order; only the first 8,000 characters of a text count.

        Raises ConfigurationError when the package came without its weights.
        """
        if not texts:
            return []
        bounded = [bounded_text(text, _MAX_CHARS) for text in texts]
        if self._model is not None and sum(map(len, bounded)) <= _INLINE_CHARS:
            return self._embed(bounded)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, bounded)

    async def aclose(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: list[str]) -> list[list[float]]:
        if self._model is None:
            self._model = _load()
        order = by_length(texts)
        rows = self._model.embed([texts[position] for position in order], norm=False, batch_size=_BATCH_TEXTS)
        vectors: list[list[float]] = [[]] * len(texts)
        for position, vector in zip(order, unit_vectors(rows), strict=True):
            vectors[position] = vector
        return vectors


@cache
def _load() -> Any:  # noqa: ANN401 - wordllama ships no types
    """Load the packaged weights, once in a process: they are only read.

    Without ``cache_dir`` the library would look for its tokenizer on the net.
    """
    from wordllama import WordLlama  # noqa: PLC0415 - 0.3 s of imports that the other embedders do without

    found = importlib.util.find_spec("wordllama")
    if found is None or found.origin is None:
        raise ConfigurationError("EMBEDDING_PROVIDER=local needs the package wordllama; run `make setup`")
    try:
        return WordLlama.load(cache_dir=Path(found.origin).parent, dim=_DIMENSIONS, disable_download=True)
    except FileNotFoundError as error:
        raise ConfigurationError(
            "EMBEDDING_PROVIDER=local: the package wordllama came without its weights; reinstall it (`make setup`)"
        ) from error

"""What every embedder can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Embedder"]


class Embedder(Protocol):
    """Texts in, unit vectors out.

    ``family`` is the provider's setting name (scores are calibrated per family); ``identity``
    names model and size (``local-wordllama-256``) and is safe in a collection's name: vectors of
    two identities can't be compared.
    """

    family: str
    identity: str
    dimensions: int

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector for each text, in order. An empty input gives an empty list.

        Raises ServiceUnavailableError("embeddings", ...) or ServiceRejectedError.
        """
        ...

    async def aclose(self) -> None:
        """Give back threads and connections."""
        ...

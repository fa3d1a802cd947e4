"""What stands behind the index's names in Qdrant, and whether this embedder may use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.collection_names import of_name, stamp_of
from services.errors import IndexMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.embeddings.embedder import Embedder
    from services.vectors import Vectors

__all__ = ["Standing", "look_up"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One name of the index.

    ``collection`` is what the name stands for (the name itself where someone made a collection of that
    name, None where there is nothing); ``size`` its vectors' dimensions. ``others`` are collections built
    for the name that are not live: a full build under way, or a crashed one's leftovers.
    """

    name: str
    collection: str | None
    size: int | None
    others: tuple[str, ...]

    @property
    def is_foreign(self) -> bool:
        """Whether a collection bears the name itself, where we put an alias."""
        return self.collection == self.name

    def mismatch(self, embedder: Embedder) -> IndexMismatchError | None:
        """Why this embedder's vectors can't be compared with those that are there; None if they can.

        A collection without a stamp in its name (made by someone else) is judged by its size alone.
        """
        if self.collection is None:
            return None
        stamp = stamp_of(self.collection)
        if (stamp is None or stamp == embedder.identity) and self.size == embedder.dimensions:
            return None
        built_with = stamp if stamp not in {None, embedder.identity} else f"vectors of {self.size} numbers"
        return IndexMismatchError(
            "qdrant",
            f"the index {self.name} was built with {built_with}, the settings say {embedder.identity} "
            f"({embedder.dimensions} numbers): run `erleah reindex --full`",
        )


async def look_up(vectors: Vectors, names: Iterable[str]) -> dict[str, Standing]:
    """What stands behind each name, now."""
    aliases = await vectors.aliases()
    collections = await vectors.collections()
    live = set(aliases.values())
    found: dict[str, Standing] = {}
    for name in names:
        collection = aliases.get(name) or (name if name in collections else None)
        size = await vectors.vector_size(collection) if collection else None
        others = tuple(one for one in of_name(collections, name) if one not in live)
        # A collection dropped between the two calls is none.
        found[name] = Standing(name, collection if size is not None else None, size, others)
    return found

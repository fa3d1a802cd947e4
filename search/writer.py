"""The index's writing side: builds, single entities, hashes (signatures; the body follows)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.entity import IndexedEntity, IndexReport, StoredEntity
    from search.query import EntityType
    from services.embeddings.embedder import Embedder
    from services.vectors import Vectors

__all__ = ["Build", "IndexWriter"]


class IndexWriter:
    """Writes entities into the index. ``vectors`` and ``embedder`` are handed in and not closed."""

    def __init__(self, vectors: Vectors, embedder: Embedder) -> None:
        self._vectors = vectors
        self._embedder = embedder

    async def begin(self, entity_types: Sequence[EntityType], *, full: bool, conference_id: str | None = None) -> Build:
        """Begin a run over these types, of one conference (the run's scope) or of all.

        Not ``full``: writes into the live index, embedding changed texts only (creates the index
        where there is none). ``full``: builds new collections beside it, live after ``finish()``.
        Raises IndexMismatchError for a run that is not full when the index has another embedder.
        """
        raise NotImplementedError

    async def upsert(self, entity: IndexedEntity) -> IndexReport:
        """Index one changed entity, at once, also into a full build that another process runs."""
        raise NotImplementedError

    async def delete(self, entity_type: EntityType, entity_id: str) -> IndexReport:
        """Forget one entity, at once; no error when it is not there."""
        raise NotImplementedError

    async def stored(self, conference_id: str, entity_type: EntityType) -> dict[str, StoredEntity]:
        """What the live index holds of a conference, by entity id; empty where there is no index."""
        raise NotImplementedError

    async def stored_entity(self, entity_type: EntityType, entity_id: str) -> StoredEntity | None:
        """What the live index holds of one entity."""
        raise NotImplementedError


class Build:
    """One run. Use: ``write`` any number of batches, ``close_conference`` after each conference, ``finish``.

    Leaving it without ``finish`` (an error, a crash) leaves the live index as it was after the last
    ``write`` (not full) or wholly untouched (full); call ``abandon()`` to drop a full build's collections
    at once, or the next full run removes them.
    """

    async def write(self, entities: Sequence[IndexedEntity]) -> IndexReport:
        """Index a batch of one or more types; 32 to 128 entities at a time serve embedders best."""
        raise NotImplementedError

    async def close_conference(self, conference_id: str) -> IndexReport:
        """Say that all entities of this conference have been written; those that were not are deleted."""
        raise NotImplementedError

    async def finish(self) -> IndexReport:
        """End the run: a full one goes live now; a run over all conferences drops those it did not see.

        Returns the sum of everything this run did.
        """
        raise NotImplementedError

    async def abandon(self) -> None:
        """Give the run up; search goes on with what is live."""
        raise NotImplementedError

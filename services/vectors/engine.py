"""What an index can be asked: the one face of a Qdrant server and of the engine inside this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.vectors.types import Condition, Hit, Layout, Nearest, PayloadIndex, Point, Record, Shape

__all__ = ["WORDS", "Engine"]

WORDS = "words-2"
"""The sparse vector beside the unnamed dense one. Its number changes with the way words are made (search/words.py):
a collection that has another is one without, until a full reindex."""


class Engine(Protocol):
    """Each method is one call; raises only errors of services.errors."""

    batch_points: int
    """Points in one write."""

    async def ping(self) -> None:
        """Raise what is wrong, if anything is."""
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...

    async def collections(self) -> list[str]:
        """The names of all collections, in no given order; aliases are not among them."""
        ...

    async def aliases(self) -> dict[str, str]:
        """Every alias and the collection that it stands for."""
        ...

    async def shape(self, collection: str) -> Shape:
        """What the points of a collection or alias carry. Raises NotFoundError."""
        ...

    async def create(self, name: str, shape: Shape, layout: Layout) -> None:
        """Make a collection of cosine vectors. Raises ConflictError where it is there."""
        ...

    async def create_index(self, collection: str, key: str, kind: PayloadIndex, layout: Layout) -> None:
        """Index a key of the payloads; one that is there changes nothing."""
        ...

    async def drop(self, name: str) -> None:
        """Remove a collection and its aliases; no error when it is not there."""
        ...

    async def switch_aliases(self, gone: Sequence[str], made: Mapping[str, str]) -> None:
        """Drop aliases and make others (alias to collection), all in one step."""
        ...

    async def upsert(self, collection: str, points: Sequence[Point], *, keep_existing: bool) -> None:
        """Write one batch of points."""
        ...

    async def overwrite_payloads(self, collection: str, records: Sequence[Record]) -> None:
        """Replace the payloads of one batch of points that are there."""
        ...

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete points by id; ids that are not there are passed over."""
        ...

    async def delete_where(self, collection: str, where: Sequence[Condition]) -> None:
        """Delete all points that meet every one of at least one condition."""
        ...

    async def retrieve(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """The points of these ids that are there, in no given order."""
        ...

    async def scroll_page(
        self, collection: str, where: Sequence[Condition], after: str | None, limit: int, only: Sequence[str] | None
    ) -> tuple[list[Record], str | None]:
        """Points that meet every condition, and where the next page begins; None behind the last."""
        ...

    async def count(self, collection: str, where: Sequence[Condition]) -> int:
        """How many points meet every condition, exactly."""
        ...

    async def search(self, collection: str, wanted: Sequence[Nearest]) -> list[list[Hit]]:
        """Several searches of one collection, each best first, in the order asked."""
        ...

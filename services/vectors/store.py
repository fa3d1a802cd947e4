"""``Vectors``: collections, aliases, points and searches, on a server or inside this process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from services.errors import ConflictError, NotFoundError
from services.vectors.types import Layout, Shape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import httpx

    from services.vectors.engine import Engine
    from services.vectors.types import Condition, Hit, Nearest, PayloadIndex, Point, Record

__all__ = ["Vectors"]

T = TypeVar("T")

EMBEDDED = "embedded://"

_PAGE_POINTS = 256
_IDS_IN_ONE_CALL = 500

_PLAIN = Layout()


class Vectors:
    """Qdrant at ``url``: http(s)://..., ``embedded://PATH``, or ``embedded://`` in memory.

    Nothing is opened before the first call. Every method raises ServiceUnavailableError("qdrant", ...)
    when Qdrant is away, too slow or (embedded) held by another process, NotFoundError for a collection
    that does not exist, ServiceRejectedError for what it refuses. ``layout`` is that of collections made from
    now on. ``transport`` is for tests.
    """

    def __init__(
        self,
        url: str,
        api_key: SecretStr | str | None = None,
        *,
        layout: Layout = _PLAIN,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self._layout = layout
        self._engine = _engine_of(url, api_key, transport)

    @property
    def is_embedded(self) -> bool:
        """Whether the vectors live inside this process, where no other can reach them."""
        return self.url.startswith(EMBEDDED)

    async def ping(self) -> None:
        """Raise what is wrong, if anything is."""
        await self._engine.ping()

    async def aclose(self) -> None:
        """Close connections, files and threads."""
        await self._engine.aclose()

    # Collections and their aliases.

    async def collections(self) -> list[str]:
        """The names of all collections; aliases are not among them."""
        return sorted(await self._engine.collections())

    async def aliases(self) -> dict[str, str]:
        """Every alias and the collection that it stands for."""
        return await self._engine.aliases()

    async def vector_size(self, collection: str) -> int | None:
        """The dimensions of a collection's vectors; None where there is no such collection or alias.

        0 for a collection that has not exactly one unnamed vector a point: it is not one of ours.
        """
        try:
            return (await self._engine.shape(collection)).size
        except NotFoundError:
            return None

    async def has_words(self, collection: str) -> bool:
        """Whether the collection's points can carry word weights; False where there is no collection."""
        try:
            return (await self._engine.shape(collection)).words
        except NotFoundError:
            return False

    async def create_collection(
        self, name: str, size: int, indexes: Mapping[str, PayloadIndex], *, words: bool = False
    ) -> bool:
        """Make a collection of cosine vectors of ``size`` with payload indexes; False if it was there.

        With ``words`` its points may also have a sparse vector of word weights.
        """
        try:
            await self._engine.create(name, Shape(size, words), self._layout)
            made = True
        except ConflictError:
            made = False
        for key, kind in indexes.items():
            await self._engine.create_index(name, key, kind, self._layout)
        return made

    async def drop_collection(self, name: str) -> None:
        """Remove a collection and its aliases; no error when it is not there."""
        await self._engine.drop(name)

    async def switch_aliases(self, targets: Mapping[str, str]) -> None:
        """Let each alias (the key) stand for its collection (the value), all in one step."""
        if not targets:
            return
        current = await self.aliases()
        await self._engine.switch_aliases([alias for alias in targets if alias in current], targets)

    # Writing points.

    async def upsert(self, collection: str, points: Sequence[Point], *, keep_existing: bool = False) -> None:
        """Write points, in batches; with ``keep_existing`` a point whose id is there stays as it is."""
        if any(point.words is not None for point in points) and not await self.has_words(collection):
            points = [replace(point, words=None) for point in points]
        for batch in _batches(points, self._engine.batch_points):
            await self._engine.upsert(collection, batch, keep_existing=keep_existing)

    async def overwrite_payloads(self, collection: str, records: Sequence[Record]) -> None:
        """Replace the whole payload of points that are there; their vectors stay."""
        for batch in _batches(records, self._engine.batch_points):
            await self._engine.overwrite_payloads(collection, batch)

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete points by id; ids that are not there are passed over."""
        for batch in _batches(ids, _IDS_IN_ONE_CALL):
            await self._engine.delete(collection, batch)

    async def delete_where(self, collection: str, where: Sequence[Condition]) -> None:
        """Delete all points that meet every condition; at least one must be given."""
        if not where:
            raise ValueError("deleting everything is drop_collection's work")
        await self._engine.delete_where(collection, where)

    # Reading points.

    async def retrieve(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """The points of these ids that are there, in no given order."""
        found: list[Record] = []
        for batch in _batches(ids, _IDS_IN_ONE_CALL):
            found.extend(await self._engine.retrieve(collection, batch))
        return found

    async def scroll(
        self, collection: str, where: Sequence[Condition] = (), *, only: Sequence[str] | None = None
    ) -> AsyncIterator[list[Record]]:
        """Page by page, all points that meet every condition; pages of at most 256.

        ``only`` names the payload's keys that are wanted.
        """
        after: str | None = None
        while True:
            page, after = await self._engine.scroll_page(collection, where, after, _PAGE_POINTS, only)
            if page:
                yield page
            if after is None:
                return

    async def count(self, collection: str, where: Sequence[Condition] = ()) -> int:
        """How many points meet every condition, exactly."""
        return await self._engine.count(collection, where)

    async def search(self, wanted: Nearest) -> list[Hit]:
        """The nearest points, best first."""
        return (await self.search_many([wanted]))[0]

    async def search_many(self, wanted: Sequence[Nearest]) -> list[list[Hit]]:
        """Several searches, one call a collection and all at the same time; results in the order asked."""
        by_collection: dict[str, list[int]] = {}
        for position, one in enumerate(wanted):
            by_collection.setdefault(one.collection, []).append(position)
        answers = await asyncio.gather(
            *(
                self._engine.search(collection, [wanted[position] for position in positions])
                for collection, positions in by_collection.items()
            )
        )
        results: list[list[Hit]] = [[] for _ in wanted]
        for positions, hits in zip(by_collection.values(), answers, strict=True):
            for position, found in zip(positions, hits, strict=True):
                results[position] = found
        return results


def _engine_of(url: str, api_key: SecretStr | str | None, transport: httpx.AsyncBaseTransport | None) -> Engine:
    """The engine for ``url``; only its own library is imported."""
    if url.startswith(EMBEDDED):
        from services.vectors.embedded import EmbeddedEngine  # noqa: PLC0415 - 30 MB, for those who have it inside

        path = url.removeprefix(EMBEDDED)
        return EmbeddedEngine(Path(path).expanduser() if path else None)
    from services.vectors.server import ServerEngine  # noqa: PLC0415 - as above, for those who ask a server

    key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    return ServerEngine(url, key, transport)


def _batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]

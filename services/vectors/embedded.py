"""``EmbeddedEngine``: Qdrant's own engine inside this process (qdrant-edge), in memory or at a path.

Each collection is a shard in a folder of its own; what they are called, and what their aliases stand for, is kept
beside them (``catalogue.py``). One process at a time may hold a path.
"""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import qdrant_edge as edge

from services.errors import ConflictError, NotFoundError, ServiceRejectedError, ServiceUnavailableError
from services.vectors.catalogue import Catalogue
from services.vectors.embedded_filters import as_filter
from services.vectors.engine import WORDS
from services.vectors.folders import HeldFolder, temporary_folder
from services.vectors.types import Hit, Record, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from services.vectors.types import Condition, Layout, Nearest, PayloadIndex, Point

__all__ = ["EmbeddedEngine"]

T = TypeVar("T")


class EmbeddedEngine:
    """The engine at ``path``, opened by the first call; without a path in a folder that goes with the process.

    The engine keeps Python's lock while it works: its calls run in a thread of their own, one after the other, so
    that the event loop gets its turn between them.
    """

    batch_points = 64
    """2 ms a write with 256 dimensions: searches and the event loop get their turn between batches."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qdrant")
        self._folder: HeldFolder | None = None
        self._catalogue = Catalogue()
        self._shards: dict[str, edge.EdgeShard] = {}

    async def ping(self) -> None:
        """Raise what is wrong with the path, if anything is."""
        await self._run(lambda: None)

    async def aclose(self) -> None:
        """Close the files, let the path go, end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    async def collections(self) -> list[str]:
        """The names of all collections."""
        return await self._run(lambda: list(self._catalogue.collections))

    async def aliases(self) -> dict[str, str]:
        """Every alias and the collection that it stands for."""
        return await self._run(lambda: dict(self._catalogue.aliases))

    async def shape(self, collection: str) -> Shape:
        """What the points of a collection or alias carry."""
        return await self._run(lambda: self._catalogue.entry(collection).shape)

    async def create(self, name: str, shape: Shape, layout: Layout) -> None:
        """Make a collection; the layout is a server's, here all is as it comes."""
        del layout
        await self._run(lambda: self._create(name, shape))

    async def create_index(self, collection: str, key: str, kind: PayloadIndex, layout: Layout) -> None:
        """Index what a tenant's points are found by, whatever the layout says, and nothing else.

        With it a search reads one conference's points (0.3 ms for a thousand, 10 ms without); what else is asked for
        is read from their payloads. Each further index is thirty times waiting for the disk, 0.1 s or more.
        """
        del layout
        if kind == "tenant":
            step = edge.UpdateOperation.create_field_index(key, edge.KeywordIndexParams(is_tenant=True))
            await self._update(collection, step)

    async def drop(self, name: str) -> None:
        """Remove a collection and its aliases."""
        await self._run(lambda: self._drop(name))

    async def switch_aliases(self, gone: Sequence[str], made: Mapping[str, str]) -> None:
        """All in one step: the catalogue is written once."""
        await self._run(lambda: self._switch_aliases(gone, made))

    async def upsert(self, collection: str, points: Sequence[Point], *, keep_existing: bool) -> None:
        """Write one batch of points."""
        mode = edge.UpdateMode.InsertOnly if keep_existing else edge.UpdateMode.Upsert
        batch = [edge.Point(one.id, _vectors_of(one), one.payload) for one in points]
        await self._update(collection, edge.UpdateOperation.upsert_points(batch, update_mode=mode))

    async def overwrite_payloads(self, collection: str, records: Sequence[Record]) -> None:
        """Replace the payloads of points that are there."""

        def write() -> None:
            shard = self._shard(collection)
            for record in records:
                shard.update(edge.UpdateOperation.overwrite_payload([record.id], record.payload))

        await self._run(write)

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete points by id."""
        await self._update(collection, edge.UpdateOperation.delete_points(list(ids)))

    async def delete_where(self, collection: str, where: Sequence[Condition]) -> None:
        """Delete all points that meet every condition."""
        chosen = as_filter(where)
        if chosen is None:
            raise ValueError("at least one condition must be given")
        await self._update(collection, edge.UpdateOperation.delete_points_by_filter(chosen))

    async def retrieve(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """The points of these ids that are there."""
        found = await self._run(
            lambda: self._shard(collection).retrieve(list(ids), with_payload=True, with_vector=False)
        )
        return [_record(one) for one in found]

    async def scroll_page(
        self, collection: str, where: Sequence[Condition], after: str | None, limit: int, only: Sequence[str] | None
    ) -> tuple[list[Record], str | None]:
        """One page, in the order of the ids."""
        asked = edge.ScrollRequest(
            offset=after, limit=limit, filter=as_filter(where), with_payload=_keys(only), with_vector=False
        )
        found, following = await self._run(lambda: self._shard(collection).scroll(asked))
        return [_record(one) for one in found], None if following is None else str(following)

    async def count(self, collection: str, where: Sequence[Condition]) -> int:
        """How many points meet every condition."""
        asked = edge.CountRequest(exact=True, filter=as_filter(where))
        return await self._run(lambda: self._shard(collection).count(asked))

    async def search(self, collection: str, wanted: Sequence[Nearest]) -> list[list[Hit]]:
        """Several searches in one pass."""
        asked = edge.QueryBatchRequest([_query(one) for one in wanted])
        found = await self._run(lambda: self._shard(collection).query_batch(asked))
        return [[Hit(str(hit.id), hit.score, hit.payload or {}) for hit in hits] for hits in found]

    async def _update(self, collection: str, step: edge.UpdateOperation) -> None:
        await self._run(lambda: self._shard(collection).update(step))

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._called, call)

    # From here on in the engine's thread.

    def _called(self, call: Callable[[], T]) -> T:
        self._open()
        try:
            return call()
        except Exception as error:
            if type(error) is not Exception:  # a defect of ours, or an error that is ours already
                raise
            # The engine's one class for whatever a server would answer 4xx or 5xx to.
            raise ServiceRejectedError("qdrant", f"Qdrant refused the call: {str(error)[:300]}") from error

    def _open(self) -> None:
        if self._folder is not None:
            return
        if self._path is None:
            self._folder = temporary_folder()
            return
        try:
            folder = HeldFolder(self._path)
        except BlockingIOError as error:
            raise ServiceUnavailableError(
                "qdrant",
                f"the index at {self._path} is held by another process (a running `erleah demo` or worker); "
                "stop that one, or start a Qdrant server and set QDRANT_URL to it",
            ) from error
        except OSError as error:
            raise ServiceUnavailableError(
                "qdrant", f"the index at {self._path} can't be opened ({error.strerror}); check QDRANT_URL"
            ) from error
        self._catalogue = Catalogue.read(folder.path)
        self._folder = folder

    def _close(self) -> None:
        for shard in self._shards.values():
            shard.close()
        self._shards.clear()
        if self._folder is not None:
            self._folder.let_go()
            self._folder = None

    def _shard(self, collection: str) -> edge.EdgeShard:
        entry = self._catalogue.entry(collection)
        if entry.folder not in self._shards:
            self._shards[entry.folder] = edge.EdgeShard.load(str(self._held.path / entry.folder))
        return self._shards[entry.folder]

    @property
    def _held(self) -> HeldFolder:
        if self._folder is None:
            raise RuntimeError("the engine is not open")
        return self._folder

    def _create(self, name: str, shape: Shape) -> None:
        if name in self._catalogue.collections or name in self._catalogue.aliases:
            raise ConflictError("qdrant", f"Qdrant: collection {name} already exists")
        entry = self._catalogue.new_entry(shape)
        # In a folder of its own first: a process that dies before the catalogue names it leaves nothing that counts.
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(size=shape.size, distance=edge.Distance.Cosine),
            sparse_vectors={WORDS: edge.EdgeSparseVectorParams()} if shape.words else None,
            # One segment, searched by reading all vectors of a conference: 2 ms for 15,000 points. The graph
            # that the engine could build instead keeps Python's lock for half a minute.
            optimizers=edge.EdgeOptimizersConfig(default_segment_number=1),
            max_search_threads=1,
            # What nobody keeps needs no log.
            wal_enabled=self._path is not None,
        )
        self._shards[entry.folder] = edge.EdgeShard.create(str(self._held.path / entry.folder), config)
        self._catalogue.collections[name] = entry
        self._catalogue.write(self._held.path)

    def _drop(self, name: str) -> None:
        entry = self._catalogue.remove(name)
        if entry is None:
            return
        self._catalogue.write(self._held.path)
        shard = self._shards.pop(entry.folder, None)
        if shard is not None:
            shard.close()
        shutil.rmtree(self._held.path / entry.folder, ignore_errors=True)

    def _switch_aliases(self, gone: Sequence[str], made: Mapping[str, str]) -> None:
        for collection in made.values():
            if collection not in self._catalogue.collections:
                raise NotFoundError(f"Qdrant: collection {collection} not found")
        for shard in self._shards.values():
            shard.flush()  # what is switched to is on disk, and its log can go
        self._catalogue.aliases = {
            alias: name for alias, name in self._catalogue.aliases.items() if alias not in gone
        } | dict(made)
        self._catalogue.write(self._held.path)


def _vectors_of(point: Point) -> dict[str, Any]:
    """A point's vectors as the engine takes them; the unnamed dense one goes by the empty name."""
    vectors: dict[str, Any] = {"": point.vector}
    if point.words is not None:
        vectors[WORDS] = _sparse(point.words)
    return vectors


def _query(wanted: Nearest) -> edge.QueryRequest:
    vector = wanted.vector
    return edge.QueryRequest(
        limit=wanted.limit,
        query=edge.Query.Nearest(vector) if isinstance(vector, list) else edge.Query.Nearest(_sparse(vector), WORDS),
        filter=as_filter(wanted.where),
        score_threshold=wanted.at_least,
        with_payload=_keys(wanted.only),
    )


def _sparse(words: Mapping[int, float]) -> edge.SparseVector:
    return edge.SparseVector(list(words), list(words.values()))


def _keys(only: Sequence[str] | None) -> bool | list[str]:
    return True if only is None else list(only)


def _record(found: edge.Record) -> Record:
    return Record(str(found.id), found.payload or {})

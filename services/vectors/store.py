"""``Vectors``: collections, aliases, points and searches, on a server or inside this process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr
from qdrant_client import models

from services.errors import ConflictError, NotFoundError
from services.vectors.engine import EmbeddedEngine, ServerEngine
from services.vectors.filters import as_filter
from services.vectors.server_search import search_on_server
from services.vectors.types import Hit, Layout, Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import httpx

    from services.vectors.engine import Engine
    from services.vectors.types import Condition, Nearest, Point

__all__ = ["PayloadIndex", "Vectors"]

EMBEDDED = "embedded://"

PayloadIndex = Literal["tenant", "keyword", "datetime"]
"""``tenant`` is a keyword that Qdrant also lays out its storage by."""

_WORDS = "words-2"
"""The sparse vector beside the unnamed dense one. Its number changes with the way words are made (search/words.py):
a collection that has another is one without, until a full reindex."""

_SEARCH_TIMEOUT_S = 5
"""A visitor waits for a search; what takes longer is an error of the server, not patience of ours."""

_PAGE_POINTS = 256
_IDS_IN_ONE_CALL = 500


_PLAIN = Layout()

_INT8 = models.ScalarQuantization(
    # 0.99 is the quantile of Qdrant's own guide: the rarest hundredth of the numbers is clipped.
    scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
)


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
        self._engine: Engine
        if url.startswith(EMBEDDED):
            path = url.removeprefix(EMBEDDED)
            self._engine = EmbeddedEngine(Path(path).expanduser() if path else None)
        else:
            key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
            self._engine = ServerEngine(url, key, transport)

    @property
    def is_embedded(self) -> bool:
        """Whether the vectors live inside this process, where no other can reach them."""
        return self.url.startswith(EMBEDDED)

    async def ping(self) -> None:
        """Raise what is wrong, if anything is."""
        await self._engine.run(lambda client: client.get_collections())

    async def aclose(self) -> None:
        """Close connections, files and threads."""
        await self._engine.aclose()

    # Collections and their aliases.

    async def collections(self) -> list[str]:
        """The names of all collections; aliases are not among them."""
        found = await self._engine.run(lambda client: client.get_collections())
        return sorted(one.name for one in found.collections)

    async def aliases(self) -> dict[str, str]:
        """Every alias and the collection that it stands for."""
        found = await self._engine.run(lambda client: client.get_aliases())
        return {one.alias_name: one.collection_name for one in found.aliases}

    async def vector_size(self, collection: str) -> int | None:
        """The dimensions of a collection's vectors; None where there is no such collection or alias.

        0 for a collection that has not exactly one unnamed vector a point: it is not one of ours.
        """
        try:
            info = await self._engine.run(lambda client: client.get_collection(collection))
        except NotFoundError:
            return None
        vectors = info.config.params.vectors
        return vectors.size if isinstance(vectors, models.VectorParams) else 0

    async def has_words(self, collection: str) -> bool:
        """Whether the collection's points can carry word weights; False where there is no collection."""
        try:
            info = await self._engine.run(lambda client: client.get_collection(collection))
        except NotFoundError:
            return False
        return _WORDS in (info.config.params.sparse_vectors or {})

    async def create_collection(
        self, name: str, size: int, indexes: Mapping[str, PayloadIndex], *, words: bool = False
    ) -> bool:
        """Make a collection of cosine vectors of ``size`` with payload indexes; False if it was there.

        With ``words`` its points may also have a sparse vector of word weights. The embedded engine has no
        payload indexes: it reads every payload.
        """
        params = models.VectorParams(size=size, distance=models.Distance.COSINE, on_disk=self._layout.on_disk or None)
        graph = models.HnswConfigDiff(on_disk=True) if self._layout.on_disk else None
        sparse = {_WORDS: models.SparseVectorParams()} if words else None
        try:
            await self._engine.run(
                lambda client: client.create_collection(
                    name,
                    vectors_config=params,
                    sparse_vectors_config=sparse,
                    hnsw_config=graph,
                    quantization_config=_INT8 if self._layout.quantized else None,
                )
            )
            made = True
        except ConflictError:
            made = False
        if self._engine.has_payload_indexes:
            for key, kind in indexes.items():  # making an index that is there changes nothing
                await self._create_index(name, key, kind)
        return made

    async def drop_collection(self, name: str) -> None:
        """Remove a collection and its aliases; no error when it is not there."""
        await self._engine.run(lambda client: client.delete_collection(name))

    async def switch_aliases(self, targets: Mapping[str, str]) -> None:
        """Let each alias (the key) stand for its collection (the value), all in one step."""
        if not targets:
            return
        current = await self.aliases()
        steps: list[models.AliasOperations] = []
        for alias, collection in targets.items():
            if alias in current:
                gone = models.DeleteAlias(alias_name=alias)
                steps.append(models.DeleteAliasOperation(delete_alias=gone))
            made = models.CreateAlias(collection_name=collection, alias_name=alias)
            steps.append(models.CreateAliasOperation(create_alias=made))
        await self._engine.run(lambda client: client.update_collection_aliases(steps))

    # Writing points.

    async def upsert(self, collection: str, points: Sequence[Point], *, keep_existing: bool = False) -> None:
        """Write points, in batches; with ``keep_existing`` a point whose id is there stays as it is."""
        mode = models.UpdateMode.INSERT_ONLY if keep_existing else models.UpdateMode.UPSERT
        size = self._engine.batch_points
        words = any(point.words is not None for point in points) and await self.has_words(collection)
        for start in range(0, len(points), size):
            batch = [
                models.PointStruct(id=point.id, vector=_vectors_of(point, words=words), payload=point.payload)
                for point in points[start : start + size]
            ]
            await self._upsert_batch(collection, batch, mode)

    async def overwrite_payloads(self, collection: str, records: Sequence[Record]) -> None:
        """Replace the whole payload of points that are there; their vectors stay."""
        size = self._engine.batch_points
        for start in range(0, len(records), size):
            steps: list[models.UpdateOperation] = [
                models.OverwritePayloadOperation(
                    overwrite_payload=models.SetPayload(payload=record.payload, points=[record.id])
                )
                for record in records[start : start + size]
            ]
            await self._update(collection, steps)

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete points by id; ids that are not there are passed over."""
        for start in range(0, len(ids), _IDS_IN_ONE_CALL):
            await self._delete(collection, models.PointIdsList(points=list(ids[start : start + _IDS_IN_ONE_CALL])))

    async def delete_where(self, collection: str, where: Sequence[Condition]) -> None:
        """Delete all points that meet every condition; at least one must be given."""
        chosen = as_filter(where)
        if chosen is None:
            raise ValueError("deleting everything is drop_collection's work")
        await self._delete(collection, models.FilterSelector(filter=chosen))

    # Reading points.

    async def retrieve(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """The points of these ids that are there, in no given order."""
        found: list[Record] = []
        for start in range(0, len(ids), _IDS_IN_ONE_CALL):
            found.extend(await self._retrieve(collection, list(ids[start : start + _IDS_IN_ONE_CALL])))
        return found

    async def scroll(
        self, collection: str, where: Sequence[Condition] = (), *, only: Sequence[str] | None = None
    ) -> AsyncIterator[list[Record]]:
        """Page by page, all points that meet every condition; pages of at most 256.

        ``only`` names the payload's keys that are wanted.
        """
        offset: models.ExtendedPointId | None = None
        wanted = True if only is None else list(only)
        while True:
            page, offset = await self._scroll_page(collection, as_filter(where), offset, wanted)
            if page:
                yield page
            if offset is None:
                return

    async def count(self, collection: str, where: Sequence[Condition] = ()) -> int:
        """How many points meet every condition, exactly."""
        chosen = as_filter(where)
        found = await self._engine.run(lambda client: client.count(collection, count_filter=chosen, exact=True))
        return found.count

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
                self._search_batch(collection, [wanted[position] for position in positions])
                for collection, positions in by_collection.items()
            )
        )
        results: list[list[Hit]] = [[] for _ in wanted]
        for positions, hits in zip(by_collection.values(), answers, strict=True):
            for position, found in zip(positions, hits, strict=True):
                results[position] = found
        return results

    # One call each, so that no closure sees a loop's variable change.

    async def _create_index(self, collection: str, key: str, kind: PayloadIndex) -> None:
        schema: models.PayloadSchemaParams | models.PayloadSchemaType
        match kind:
            case "tenant":
                schema = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
            case "keyword":
                schema = models.PayloadSchemaType.KEYWORD
            case "datetime":
                schema = models.PayloadSchemaType.DATETIME
        await self._engine.run(lambda client: client.create_payload_index(collection, key, field_schema=schema))

    async def _upsert_batch(self, collection: str, points: list[models.PointStruct], mode: models.UpdateMode) -> None:
        # The mode is named only where it matters: older servers know no other than the default.
        wanted = None if mode is models.UpdateMode.UPSERT else mode
        await self._engine.run(lambda client: client.upsert(collection, points, wait=True, update_mode=wanted))

    async def _update(self, collection: str, steps: list[models.UpdateOperation]) -> None:
        await self._engine.run(lambda client: client.batch_update_points(collection, steps, wait=True))

    async def _delete(self, collection: str, chosen: models.PointIdsList | models.FilterSelector) -> None:
        await self._engine.run(lambda client: client.delete(collection, chosen, wait=True))

    async def _retrieve(self, collection: str, ids: list[models.ExtendedPointId]) -> list[Record]:
        found = await self._engine.run(lambda client: client.retrieve(collection, ids, with_payload=True))
        return [Record(str(one.id), one.payload or {}) for one in found]

    async def _scroll_page(
        self,
        collection: str,
        chosen: models.Filter | None,
        offset: models.ExtendedPointId | None,
        payload: bool | list[str],  # noqa: FBT001 - Qdrant's own way to say which
    ) -> tuple[list[Record], models.ExtendedPointId | None]:
        found, following = await self._engine.run(
            lambda client: client.scroll(
                collection, scroll_filter=chosen, limit=_PAGE_POINTS, offset=offset, with_payload=payload
            )
        )
        return [Record(str(one.id), one.payload or {}) for one in found], following

    async def _search_batch(self, collection: str, wanted: list[Nearest]) -> list[list[Hit]]:
        if not self.is_embedded:
            return await self._engine.run(
                lambda client: search_on_server(client, collection, wanted, words=_WORDS, timeout_s=_SEARCH_TIMEOUT_S)
            )
        requests = [
            models.QueryRequest(
                query=one.vector if isinstance(one.vector, list) else _sparse(one.vector),
                using=None if isinstance(one.vector, list) else _WORDS,
                filter=as_filter(one.where),
                limit=one.limit,
                score_threshold=one.at_least,
                with_payload=True if one.only is None else list(one.only),
            )
            for one in wanted
        ]
        answers = await self._engine.run(
            lambda client: client.query_batch_points(collection, requests, timeout=_SEARCH_TIMEOUT_S)
        )
        return [[Hit(str(hit.id), hit.score, hit.payload or {}) for hit in answer.points] for answer in answers]


def _vectors_of(point: Point, *, words: bool) -> models.VectorStruct:
    """A point's vectors as Qdrant takes them; the unnamed dense one goes by the empty name beside another."""
    if not words or point.words is None:
        return point.vector
    return {"": point.vector, _WORDS: _sparse(point.words)}


def _sparse(words: Mapping[int, float]) -> models.SparseVector:
    return models.SparseVector(indices=list(words), values=list(words.values()))

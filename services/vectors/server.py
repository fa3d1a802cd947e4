"""``ServerEngine``: a Qdrant server, asked through qdrant-client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import services.vectors.lean_client  # isort: skip  # noqa: F401 - before whatever imports qdrant-client
from qdrant_client import models

from services.vectors.engine import WORDS
from services.vectors.server_filters import as_filter
from services.vectors.server_search import search_on_server
from services.vectors.server_wire import ServerWire
from services.vectors.types import Record, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from services.vectors.types import Condition, Hit, Layout, Nearest, PayloadIndex, Point

__all__ = ["ServerEngine"]

_SEARCH_TIMEOUT_S = 5
"""A visitor waits for a search; what takes longer is an error of the server, not patience of ours."""

_INT8 = models.ScalarQuantization(
    # 0.99 is the quantile of Qdrant's own guide: the rarest hundredth of the numbers is clipped.
    scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
)


class ServerEngine:
    """A Qdrant server at ``url``."""

    batch_points = 256
    """256 vectors of 1,536 numbers are 5 MB of JSON; the server's limit is 32 MB."""

    def __init__(self, url: str, api_key: str | None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._wire = ServerWire(url, api_key, transport)

    async def ping(self) -> None:
        """Raise what is wrong, if anything is."""
        await self.collections()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    async def collections(self) -> list[str]:
        """The names of all collections."""
        found = await self._wire.run(lambda client: client.get_collections())
        return [one.name for one in found.collections]

    async def aliases(self) -> dict[str, str]:
        """Every alias and the collection that it stands for."""
        found = await self._wire.run(lambda client: client.get_aliases())
        return {one.alias_name: one.collection_name for one in found.aliases}

    async def shape(self, collection: str) -> Shape:
        """What the points of a collection or alias carry."""
        info = await self._wire.run(lambda client: client.get_collection(collection))
        vectors = info.config.params.vectors
        return Shape(
            size=vectors.size if isinstance(vectors, models.VectorParams) else 0,
            words=WORDS in (info.config.params.sparse_vectors or {}),
        )

    async def create(self, name: str, shape: Shape, layout: Layout) -> None:
        """Make a collection of cosine vectors."""
        params = models.VectorParams(size=shape.size, distance=models.Distance.COSINE, on_disk=layout.on_disk or None)
        await self._wire.run(
            lambda client: client.create_collection(
                name,
                vectors_config=params,
                sparse_vectors_config={WORDS: models.SparseVectorParams()} if shape.words else None,
                hnsw_config=models.HnswConfigDiff(on_disk=True) if layout.on_disk else None,
                quantization_config=_INT8 if layout.quantized else None,
            )
        )

    async def create_index(self, collection: str, key: str, kind: PayloadIndex, layout: Layout) -> None:
        """Index a key; one that is there changes nothing."""
        schema = _schema("keyword" if kind == "tenant" and not layout.tenant_index else kind)
        await self._wire.run(lambda client: client.create_payload_index(collection, key, field_schema=schema))

    async def drop(self, name: str) -> None:
        """Remove a collection and its aliases."""
        await self._wire.run(lambda client: client.delete_collection(name))

    async def switch_aliases(self, gone: Sequence[str], made: Mapping[str, str]) -> None:
        """All in one call."""
        steps: list[models.AliasOperations] = [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)) for alias in gone
        ]
        steps += [
            models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=collection, alias_name=alias))
            for alias, collection in made.items()
        ]
        await self._wire.run(lambda client: client.update_collection_aliases(steps))

    async def upsert(self, collection: str, points: Sequence[Point], *, keep_existing: bool) -> None:
        """Write one batch of points."""
        # The mode is named only where it matters: older servers know no other than the default.
        mode = models.UpdateMode.INSERT_ONLY if keep_existing else None
        batch = [models.PointStruct(id=one.id, vector=_vectors_of(one), payload=one.payload) for one in points]
        await self._wire.run(lambda client: client.upsert(collection, batch, wait=True, update_mode=mode))

    async def overwrite_payloads(self, collection: str, records: Sequence[Record]) -> None:
        """Replace the payloads of points that are there."""
        steps: list[models.UpdateOperation] = [
            models.OverwritePayloadOperation(
                overwrite_payload=models.SetPayload(payload=record.payload, points=[record.id])
            )
            for record in records
        ]
        await self._wire.run(lambda client: client.batch_update_points(collection, steps, wait=True))

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete points by id."""
        await self._delete(collection, models.PointIdsList(points=list(ids)))

    async def delete_where(self, collection: str, where: Sequence[Condition]) -> None:
        """Delete all points that meet every condition."""
        chosen = as_filter(where)
        if chosen is None:
            raise ValueError("at least one condition must be given")
        await self._delete(collection, models.FilterSelector(filter=chosen))

    async def retrieve(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """The points of these ids that are there."""
        found = await self._wire.run(lambda client: client.retrieve(collection, list(ids), with_payload=True))
        return [_record(one) for one in found]

    async def scroll_page(
        self, collection: str, where: Sequence[Condition], after: str | None, limit: int, only: Sequence[str] | None
    ) -> tuple[list[Record], str | None]:
        """One page, in the order of the ids."""
        found, following = await self._wire.run(
            lambda client: client.scroll(
                collection,
                scroll_filter=as_filter(where),
                limit=limit,
                offset=after,
                with_payload=True if only is None else list(only),
            )
        )
        return [_record(one) for one in found], None if following is None else str(following)

    async def count(self, collection: str, where: Sequence[Condition]) -> int:
        """How many points meet every condition."""
        chosen = as_filter(where)
        found = await self._wire.run(lambda client: client.count(collection, count_filter=chosen, exact=True))
        return found.count

    async def search(self, collection: str, wanted: Sequence[Nearest]) -> list[list[Hit]]:
        """Several searches in one call."""
        return await self._wire.run(
            lambda client: search_on_server(client, collection, wanted, timeout_s=_SEARCH_TIMEOUT_S)
        )

    async def _delete(self, collection: str, chosen: models.PointIdsList | models.FilterSelector) -> None:
        await self._wire.run(lambda client: client.delete(collection, chosen, wait=True))


def _schema(kind: PayloadIndex) -> models.PayloadSchemaParams | models.PayloadSchemaType:
    match kind:
        case "tenant":
            return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
        case "keyword":
            return models.PayloadSchemaType.KEYWORD
        case "datetime":
            return models.PayloadSchemaType.DATETIME


def _vectors_of(point: Point) -> models.VectorStruct:
    """A point's vectors as Qdrant takes them; the unnamed dense one goes by the empty name beside another."""
    if point.words is None:
        return point.vector
    return {"": point.vector, WORDS: _sparse(point.words)}


def _sparse(words: Mapping[int, float]) -> models.SparseVector:
    return models.SparseVector(indices=list(words), values=list(words.values()))


def _record(found: models.Record) -> Record:
    return Record(str(found.id), found.payload or {})

"""A Qdrant server on a loopback port: the paths of its REST API that we call, over the engine inside this process.

That engine is Qdrant's own (qdrant-edge), so what is found, and about how long it takes, is what a server finds and
takes; what a worker does for it is what it does for a server: JSON over HTTP, in another process.
``python -m standins.qdrant --port N [--path DIR]`` serves an index; without a folder it is in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from services.errors import ConflictError, NotFoundError, ServiceRejectedError
from services.vectors.embedded import EmbeddedEngine
from services.vectors.engine import WORDS
from services.vectors.types import (
    AnyOf,
    Condition,
    Either,
    Every,
    Layout,
    Match,
    Nearest,
    Not,
    Point,
    Range,
    Record,
    Shape,
)
from webhook.server import listen, serve

import services.vectors.lean_client  # isort: skip  # noqa: F401 - so that the next import stays lean
from qdrant_client import models  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request

    from services.vectors.types import Hit, PayloadIndex

__all__ = ["QdrantStandIn"]

_INSERTS: TypeAdapter[models.PointsList] = TypeAdapter(models.PointsList)
_SELECTOR: TypeAdapter[models.PointIdsList | models.FilterSelector] = TypeAdapter(
    models.PointIdsList | models.FilterSelector
)
_STATUS_OF = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    ServiceRejectedError: HTTPStatus.BAD_REQUEST,
}
_DONE = {"operation_id": 0, "status": "completed"}


class QdrantStandIn:
    """The engine at ``path``, or in memory, behind ``app``."""

    def __init__(self, path: Path | None = None) -> None:
        self._engine = EmbeddedEngine(path)
        routes: tuple[tuple[str, str, Callable[[Request], Awaitable[object]]], ...] = (
            ("GET", "/collections", self._collections),
            ("GET", "/aliases", self._aliases),
            ("POST", "/collections/aliases", self._switch_aliases),
            ("GET", "/collections/{name}", self._collection),
            ("PUT", "/collections/{name}", self._create),
            ("DELETE", "/collections/{name}", self._drop),
            ("PUT", "/collections/{name}/index", self._index),
            ("PUT", "/collections/{name}/points", self._upsert),
            ("POST", "/collections/{name}/points", self._retrieve),
            ("POST", "/collections/{name}/points/batch", self._update),
            ("POST", "/collections/{name}/points/delete", self._delete),
            ("POST", "/collections/{name}/points/count", self._count),
            ("POST", "/collections/{name}/points/scroll", self._scroll),
            ("POST", "/collections/{name}/points/query/batch", self._query),
        )
        self.app = Starlette(routes=[Route(path, _answering(call), methods=[verb]) for verb, path, call in routes])

    async def aclose(self) -> None:
        """Close the engine."""
        await self._engine.aclose()

    # Collections.

    async def _collections(self, _request: Request) -> object:
        return {"collections": [{"name": name} for name in await self._engine.collections()]}

    async def _aliases(self, _request: Request) -> object:
        aliases = await self._engine.aliases()
        return {"aliases": [{"alias_name": alias, "collection_name": name} for alias, name in aliases.items()]}

    async def _switch_aliases(self, request: Request) -> object:
        asked = models.ChangeAliasesOperation.model_validate_json(await request.body())
        gone: list[str] = []
        made: dict[str, str] = {}
        for step in asked.actions:
            if isinstance(step, models.DeleteAliasOperation):
                gone.append(step.delete_alias.alias_name)
            elif isinstance(step, models.CreateAliasOperation):
                made[step.create_alias.alias_name] = step.create_alias.collection_name
        await self._engine.switch_aliases(gone, made)
        return True

    async def _collection(self, request: Request) -> object:
        shape = await self._engine.shape(_name(request))
        params = models.CollectionParams(
            vectors=models.VectorParams(size=shape.size, distance=models.Distance.COSINE),
            sparse_vectors={WORDS: models.SparseVectorParams()} if shape.words else None,
        )
        graph = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
        upkeep = {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 1}
        return {
            "status": "green",
            "optimizer_status": "ok",
            "segments_count": 1,
            "payload_schema": {},
            "config": {
                "params": params,
                "hnsw_config": graph,
                "optimizer_config": upkeep | {"flush_interval_sec": 5},
            },
        }

    async def _create(self, request: Request) -> object:
        asked = models.CreateCollection.model_validate_json(await request.body())
        size = asked.vectors.size if isinstance(asked.vectors, models.VectorParams) else 0
        await self._engine.create(_name(request), Shape(size, WORDS in (asked.sparse_vectors or {})), Layout())
        return True

    async def _drop(self, request: Request) -> object:
        await self._engine.drop(_name(request))
        return True

    async def _index(self, request: Request) -> object:
        asked = models.CreateFieldIndex.model_validate_json(await request.body())
        kind: PayloadIndex = "datetime" if asked.field_schema is models.PayloadSchemaType.DATETIME else "keyword"
        if isinstance(asked.field_schema, models.KeywordIndexParams) and asked.field_schema.is_tenant:
            kind = "tenant"
        await self._engine.create_index(_name(request), asked.field_name, kind, Layout())
        return _DONE

    # Points.

    async def _upsert(self, request: Request) -> object:
        asked = _INSERTS.validate_json(await request.body())
        keep = asked.update_mode is models.UpdateMode.INSERT_ONLY
        await self._engine.upsert(_name(request), [_point(one) for one in asked.points], keep_existing=keep)
        return _DONE

    async def _update(self, request: Request) -> object:
        asked = models.UpdateOperations.model_validate_json(await request.body())
        records = [
            Record(str(point), step.overwrite_payload.payload)
            for step in asked.operations
            if isinstance(step, models.OverwritePayloadOperation)
            for point in step.overwrite_payload.points or ()
        ]
        await self._engine.overwrite_payloads(_name(request), records)
        return [_DONE] * len(asked.operations)

    async def _delete(self, request: Request) -> object:
        chosen = _SELECTOR.validate_json(await request.body())
        if isinstance(chosen, models.PointIdsList):
            await self._engine.delete(_name(request), [str(one) for one in chosen.points])
        else:
            await self._engine.delete_where(_name(request), _conditions(chosen.filter))
        return _DONE

    async def _retrieve(self, request: Request) -> object:
        asked = models.PointRequest.model_validate_json(await request.body())
        return await self._engine.retrieve(_name(request), [str(one) for one in asked.ids])

    async def _count(self, request: Request) -> object:
        asked = models.CountRequest.model_validate_json(await request.body())
        return {"count": await self._engine.count(_name(request), _conditions(asked.filter))}

    async def _scroll(self, request: Request) -> object:
        asked = models.ScrollRequest.model_validate_json(await request.body())
        after = None if asked.offset is None else str(asked.offset)
        only = asked.with_payload if isinstance(asked.with_payload, list) else None
        found, following = await self._engine.scroll_page(
            _name(request), _conditions(asked.filter), after, asked.limit or 10, only
        )
        return {"points": found, "next_page_offset": following}

    async def _query(self, request: Request) -> object:
        name = _name(request)
        asked = models.QueryRequestBatch.model_validate_json(await request.body())
        found = await self._engine.search(name, [_nearest(name, one) for one in asked.searches])
        return [{"points": [_scored(hit) for hit in hits]} for hits in found]


def _answering(call: Callable[[Request], Awaitable[object]]) -> Callable[[Request], Awaitable[Response]]:
    """What a call returns or raises, in the server's words."""

    async def answer(request: Request) -> Response:
        try:
            said: dict[str, object] = {"result": await call(request), "status": "ok"}
            status = HTTPStatus.OK
        except (NotFoundError, ConflictError, ServiceRejectedError) as error:
            said = {"status": {"error": str(error)}}
            status = next(code for kind, code in _STATUS_OF.items() if isinstance(error, kind))
        body = to_json(said | {"time": 0.0}, exclude_none=True)
        return Response(body, status, media_type="application/json")

    return answer


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _point(told: models.PointStruct) -> Point:
    vector: Any = told.vector
    if isinstance(vector, dict):
        words = vector[WORDS]
        return Point(str(told.id), vector[""], told.payload or {}, dict(zip(words.indices, words.values, strict=True)))
    return Point(str(told.id), vector, told.payload or {})


def _nearest(collection: str, asked: models.QueryRequest) -> Nearest:
    vector: Any = asked.query.nearest if isinstance(asked.query, models.NearestQuery) else asked.query
    if isinstance(vector, models.SparseVector):
        vector = dict(zip(vector.indices, vector.values, strict=True))
    only = tuple(asked.with_payload) if isinstance(asked.with_payload, list) else None
    where = _conditions(asked.filter)
    return Nearest(collection, vector, asked.limit or 10, where, asked.score_threshold, only)


def _scored(hit: Hit) -> Mapping[str, object]:
    return {"id": hit.id, "version": 0, "score": hit.score, "payload": hit.payload}


def _conditions(asked: models.Filter | None) -> tuple[Condition, ...]:
    """A filter as services/vectors/server_filters.py says it, in our words again."""
    return tuple(_condition(one) for one in _listed(asked.must)) if asked is not None else ()


def _condition(asked: object) -> Any:  # noqa: ANN401 - which of our conditions is known where it stands
    match asked:
        case models.Filter(must_not=not_, should=None, must=None):
            return Not(_condition(_listed(not_)[0]))
        case models.Filter(should=None, must=must):
            return Every(tuple(_condition(one) for one in _listed(must)))
        case models.Filter(should=should):
            return Either(tuple(_condition(one) for one in _listed(should)))
        case models.FieldCondition(key=key, match=models.MatchValue(value=value)):
            return Match(key, str(value))
        case models.FieldCondition(key=key, match=models.MatchAny(any=values)):
            return AnyOf(key, tuple(str(one) for one in values))
        case models.FieldCondition(key=key, range=models.DatetimeRange(gte=start, lt=end)):
            return Range(key, _moment(start), _moment(end))
    raise ServiceRejectedError("qdrant", f"the stand-in knows no such condition: {asked!r:.200}")


def _listed(conditions: object) -> Sequence[object]:
    return conditions if isinstance(conditions, list) else [] if conditions is None else [conditions]


def _moment(told: object) -> datetime | None:
    return told if isinstance(told, datetime) else None


async def _serve(port: int, path: Path | None) -> None:
    standin = QdrantStandIn(path)
    try:
        await serve(standin.app, listen("127.0.0.1", port), stop=asyncio.Event())
    finally:
        await standin.aclose()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m standins.qdrant")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", type=Path, default=None, help="an index's folder; in memory without")
    wanted = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(wanted.port, wanted.path))


if __name__ == "__main__":
    main()

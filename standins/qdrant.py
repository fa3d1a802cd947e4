"""A Qdrant server on a loopback port: the paths of its REST API that we call, over qdrant-client's own engine.

What it finds is what the embedded engine finds; what a worker does for it is what it does for a server: JSON over
HTTP, in another process. A query is answered from memory when it was asked before and nothing was written since: a
server takes a millisecond or two for what this engine takes thirty. ``python -m standins.qdrant --port N [--path DIR]``
serves an index as a process of its own; without a folder it is in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from services.errors import ConflictError, NotFoundError, ServiceRejectedError
from services.vectors.engine import EmbeddedEngine
from webhook.server import listen, serve

# Behind services.vectors, which sees to it that this import stays lean.
from qdrant_client import AsyncQdrantClient, models  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from starlette.requests import Request

__all__ = ["QdrantStandIn"]

T = TypeVar("T")

_INSERTS: TypeAdapter[models.PointsList] = TypeAdapter(models.PointsList)
_SELECTOR: TypeAdapter[models.PointIdsList | models.FilterSelector] = TypeAdapter(
    models.PointIdsList | models.FilterSelector
)
_STATUS_OF = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    ServiceRejectedError: HTTPStatus.BAD_REQUEST,
}


class QdrantStandIn:
    """The engine at ``path``, or in memory, behind ``app``."""

    def __init__(self, path: Path | None = None) -> None:
        self._engine = EmbeddedEngine(path)
        self.searches = 0
        self._canned: dict[tuple[str, bytes], object] = {}
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

    async def _run(self, call: Callable[[AsyncQdrantClient], Coroutine[Any, Any, T]]) -> T:
        return await self._engine.run(call)

    async def _write(self, call: Callable[[AsyncQdrantClient], Coroutine[Any, Any, T]]) -> T:
        try:
            return await self._run(call)
        finally:
            self._canned.clear()  # the engine has one thread: what was found before the write is stored by now

    # Collections.

    async def _collections(self, _request: Request) -> object:
        return await self._run(lambda client: client.get_collections())

    async def _aliases(self, _request: Request) -> object:
        return await self._run(lambda client: client.get_aliases())

    async def _switch_aliases(self, request: Request) -> object:
        asked = models.ChangeAliasesOperation.model_validate_json(await request.body())
        return await self._write(lambda client: client.update_collection_aliases(asked.actions))

    async def _collection(self, request: Request) -> object:
        return await self._run(lambda client: client.get_collection(_name(request)))

    async def _create(self, request: Request) -> object:
        asked = models.CreateCollection.model_validate_json(await request.body())
        return await self._write(
            lambda client: client.create_collection(
                _name(request), vectors_config=asked.vectors, sparse_vectors_config=asked.sparse_vectors
            )
        )

    async def _drop(self, request: Request) -> object:
        return await self._write(lambda client: client.delete_collection(_name(request)))

    async def _index(self, request: Request) -> object:
        models.CreateFieldIndex.model_validate_json(await request.body())
        return models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)  # the engine has none

    # Points.

    async def _upsert(self, request: Request) -> object:
        asked = _INSERTS.validate_json(await request.body())
        mode = asked.update_mode
        return await self._write(lambda client: client.upsert(_name(request), asked.points, update_mode=mode))

    async def _update(self, request: Request) -> object:
        asked = models.UpdateOperations.model_validate_json(await request.body())
        return await self._write(lambda client: client.batch_update_points(_name(request), asked.operations))

    async def _delete(self, request: Request) -> object:
        chosen = _SELECTOR.validate_json(await request.body())
        return await self._write(lambda client: client.delete(_name(request), chosen))

    async def _retrieve(self, request: Request) -> object:
        asked = models.PointRequest.model_validate_json(await request.body())
        payload = asked.with_payload if asked.with_payload is not None else True
        return await self._run(lambda client: client.retrieve(_name(request), asked.ids, with_payload=payload))

    async def _count(self, request: Request) -> object:
        asked = models.CountRequest.model_validate_json(await request.body())
        return await self._run(lambda client: client.count(_name(request), count_filter=asked.filter))

    async def _scroll(self, request: Request) -> object:
        asked = models.ScrollRequest.model_validate_json(await request.body())
        found, following = await self._run(
            lambda client: client.scroll(
                _name(request),
                scroll_filter=asked.filter,
                limit=asked.limit or 10,
                offset=asked.offset,
                with_payload=asked.with_payload if asked.with_payload is not None else True,
            )
        )
        return {"points": found, "next_page_offset": following}

    async def _query(self, request: Request) -> object:
        question = (_name(request), await request.body())
        if question not in self._canned:
            asked = models.QueryRequestBatch.model_validate_json(question[1])
            found = await self._run(lambda client: client.query_batch_points(question[0], asked.searches))
            self._canned[question] = found
        return self._canned[question]


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

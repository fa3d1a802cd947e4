"""Searches asked of a Qdrant server: its JSON is read into hits at once, without qdrant-client's models between.

A turn's search finds some 300 points. Sampled, its calls take 3.6 ms of a turn's processor time where they took 4.8
with a validated model of each point and request; connection, errors and time-outs are qdrant-client's as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from qdrant_client.http.exceptions import ResponseHandlingException

from services.vectors.engine import WORDS
from services.vectors.server_filters import as_filter
from services.vectors.types import Hit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qdrant_client import AsyncQdrantClient

    from services.vectors.types import Nearest

__all__ = ["search_on_server"]


async def search_on_server(
    client: AsyncQdrantClient, collection: str, wanted: Sequence[Nearest], *, timeout_s: int
) -> list[list[Hit]]:
    """The hits of each search of ``wanted``, all of one collection.

    Raises what qdrant-client raises, its ResponseHandlingException also for a reply of another shape.
    """
    reply: Any = await client.http.client.request(
        type_=dict[str, Any],
        method="POST",
        url="/collections/{collection_name}/points/query/batch",
        path_params={"collection_name": collection},
        params={"timeout": str(timeout_s)},
        headers={"Content-Type": "application/json"},
        content=to_json({"searches": [_asked(one) for one in wanted]}),
    )
    try:
        return [
            [Hit(str(hit["id"]), float(hit["score"]), hit.get("payload") or {}) for hit in answer["points"]]
            for answer in reply["result"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResponseHandlingException(error) from error


def _asked(one: Nearest) -> dict[str, Any]:
    """One search as the server reads it (``QueryRequest`` of its API)."""
    asked: dict[str, Any] = {"limit": one.limit, "with_payload": True if one.only is None else one.only}
    if isinstance(one.vector, list):
        asked["query"] = {"nearest": one.vector}
    else:
        weights = {"indices": list(one.vector), "values": list(one.vector.values())}
        asked |= {"query": {"nearest": weights}, "using": WORDS}
    chosen = as_filter(one.where)
    if chosen is not None:
        asked["filter"] = chosen.model_dump(mode="json", exclude_none=True)
    if one.at_least is not None:
        asked["score_threshold"] = one.at_least
    return asked

"""The index's size, read from what a Qdrant server tells of itself."""

from __future__ import annotations

from typing import Any

import pytest

from bench.search import indexed_bytes


def _telemetry(*collections: dict[str, Any]) -> dict[str, Any]:
    """In the shape of Qdrant's ``GET /telemetry?details_level=3``."""
    return {"result": {"collections": {"number_of_collections": len(collections), "collections": list(collections)}}}


def _collection(name: str, *shards: dict[str, Any] | None) -> dict[str, Any]:
    return {"id": name, "init_time_ms": 1, "shards": [{"id": 0, "local": local, "remote": []} for local in shards]}


@pytest.mark.parametrize(
    ("collections", "size"),
    [
        (
            [
                _collection("sessions_master__local-256__1", {"vectors_size_bytes": 100, "payloads_size_bytes": 20}),
                _collection("speakers_facets__local-256__1", {"vectors_size_bytes": 7, "payloads_size_bytes": 1}, None),
                _collection("somebody_elses", {"vectors_size_bytes": 5_000, "payloads_size_bytes": 5_000}),
            ],
            128,
        ),
        ([_collection("sessions_master__local-256__1", {"total_optimized_points": 3})], None),
        ([], None),
    ],
    ids=["of ours, on this node", "an older server does not tell", "nothing there"],
)
def test_the_sizes_of_our_collections_are_added(collections: list[dict[str, Any]], size: int | None) -> None:
    """All shards that lie on the server; what others keep there is not ours."""
    assert indexed_bytes(_telemetry(*collections)) == size

"""The index's size and layout on a Qdrant server: what it tells of itself, and what it is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from bench.search import indexed_bytes, layout_asked_for, layout_figures
from services.vectors import Layout


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


def test_the_layout_is_read_as_a_worker_reads_it() -> None:
    """By the same names, in the same words; unset and empty are the defaults."""
    assert layout_asked_for({"QDRANT_QUANTIZED": "", "QDRANT_URL": "http://qdrant.example"}) == Layout()
    assert layout_asked_for({"QDRANT_QUANTIZED": "True"}) == Layout(quantized=True)
    assert layout_asked_for({"QDRANT_TENANT_INDEX": "False"}) == Layout(tenant_index=False)
    assert layout_asked_for({"QDRANT_QUANTIZED": "1", "QDRANT_ON_DISK": "yes"}) == Layout(quantized=True, on_disk=True)
    with pytest.raises(ValueError, match="boolean"):
        layout_asked_for({"QDRANT_ON_DISK": "perhaps"})


def test_the_result_has_the_layout_unless_it_is_that_of_others_collections() -> None:
    """A line a switch; none is claimed where the collections were there before."""
    told = {one.name: one.value for one in layout_figures(Layout(quantized=True))}
    assert told == {
        "search: QDRANT_QUANTIZED": 1.0,
        "search: QDRANT_ON_DISK": 0.0,
        "search: QDRANT_TENANT_INDEX": 1.0,
    }
    assert {one.value for one in layout_figures(None)} == {None}

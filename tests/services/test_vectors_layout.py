"""How a server is told to keep the points of new collections."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from services.vectors import Layout, Vectors


async def asked_for(layout: Layout, path: str = "/collections/talks") -> dict[str, Any]:
    """What a server is asked for when a collection of a tenant's is made."""
    bodies: list[dict[str, Any]] = []

    def server(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and request.url.path == path:
            bodies.append(json.loads(request.content))
        done: object = {"operation_id": 1, "status": "completed"} if request.url.path.endswith("/index") else True
        return httpx.Response(200, json={"result": done, "status": "ok", "time": 0.0})

    vectors = Vectors("http://qdrant.example:6333", layout=layout, transport=httpx.MockTransport(server))
    await vectors.create_collection("talks", 2, {"conference_id": "tenant"})
    await vectors.aclose()
    [body] = bodies
    return body


async def test_plain_collections_leave_it_to_the_server() -> None:
    body = await asked_for(Layout())
    assert body["vectors"] == {"size": 2, "distance": "Cosine"}
    assert not body.get("quantization_config")
    assert not body.get("hnsw_config")


async def test_on_disk_means_the_vectors_and_the_graph_between_them() -> None:
    body = await asked_for(Layout(on_disk=True))
    assert body["vectors"]["on_disk"] is True
    assert body["hnsw_config"] == {"on_disk": True}


async def test_quantized_ones_are_searched_as_bytes_in_memory() -> None:
    body = await asked_for(Layout(quantized=True))
    assert body["quantization_config"] == {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}


@pytest.mark.parametrize(
    ("layout", "schema"),
    [
        (Layout(), {"type": "keyword", "is_tenant": True}),
        (Layout(quantized=True, on_disk=True), {"type": "keyword", "is_tenant": True}),
        (Layout(tenant_index=False), "keyword"),
    ],
)
async def test_a_tenants_points_lie_together_unless_the_layout_says_otherwise(layout: Layout, schema: object) -> None:
    """They are found by their tenant's keyword all the same."""
    body = await asked_for(layout, "/collections/talks/index")
    assert body == {"field_name": "conference_id", "field_schema": schema}


@pytest.mark.parametrize("layout", [Layout(), Layout(quantized=True, on_disk=True, tenant_index=False)])
async def test_the_embedded_engine_takes_any_layout(layout: Layout) -> None:
    """And keeps all in memory whatever it says."""
    vectors = Vectors("embedded://", layout=layout)
    assert await vectors.create_collection("talks", 2, {"conference_id": "tenant"}, words=True)
    assert await vectors.vector_size("talks") == 2
    await vectors.aclose()

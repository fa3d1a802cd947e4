"""What a process that has an index does not carry with it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from uuid import UUID

from services.vectors import Match, Point, Vectors

_PROGRAM = """
import asyncio, sys
from services.vectors import Vectors

async def look():
    vectors = Vectors("embedded://", None)
    assert await vectors.collections() == []
    await vectors.aclose()
    await Vectors("http://127.0.0.1:9", "a key").aclose()

asyncio.run(look())
assert "fastembed" not in sys.modules and "onnxruntime" not in sys.modules, "loaded, and not asked for"
assert "grpc" not in sys.modules, "loaded, and not asked for"
import grpc, fastembed
assert grpc.StatusCode.OK and grpc.aio.insecure_channel
assert fastembed.TextEmbedding is not None
from qdrant_client.fastembed_common import FastEmbedMisc
assert not FastEmbedMisc.is_installed()
"""


def test_an_index_brings_no_onnx_runtime_and_no_grpc() -> None:
    """Vectors load no fastembed (41 MB) and no gRPC (15 MB), and whoever asks for them afterwards still gets them."""
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


async def test_a_filters_key_is_parsed_once_for_all_points() -> None:
    """The embedded engine would parse it for each; what is found stays the same."""
    parse = vars(import_module("qdrant_client.local.payload_value_extractor"))["parse_json_path"]
    vectors = Vectors("embedded://")
    await vectors.create_collection("talks", 2, {})
    await vectors.upsert(
        "talks", [Point(str(UUID(int=at)), [1.0, 0.0], {"only_here": f"c{at % 2}"}) for at in range(20)]
    )
    parse.cache_clear()
    assert await vectors.count("talks", (Match("only_here", "c1"),)) == 10
    assert parse.cache_info().misses == 1
    await vectors.aclose()

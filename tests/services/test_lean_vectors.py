"""What a process that has an index does not carry with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import asyncio, sys
from services.vectors import Vectors

async def look(url):
    vectors = Vectors(url, None)
    if url.startswith("embedded"):
        assert await vectors.collections() == []
    await vectors.aclose()

asyncio.run(look(sys.argv[1]))
assert not set(sys.argv[2:]) & set(sys.modules), "loaded, and not asked for"
import fastembed
assert fastembed.TextEmbedding is not None
from qdrant_client.fastembed_common import FastEmbedMisc
assert sys.argv[1].startswith("embedded") or not FastEmbedMisc.is_installed()
"""


@pytest.mark.parametrize(
    ("url", "absent"),
    [
        ("embedded://", ["qdrant_client", "grpc", "fastembed", "onnxruntime"]),
        ("http://127.0.0.1:9", ["qdrant_edge", "fastembed", "onnxruntime"]),
    ],
)
def test_an_index_brings_only_its_own_library(url: str, absent: list[str]) -> None:
    """Neither the other engine nor fastembed (41 MB) is loaded, and whoever asks for that afterwards still gets it."""
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _PROGRAM, url, *absent], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]

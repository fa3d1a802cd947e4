"""What a process that has an index does not carry with it."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import asyncio, sys
from services.vectors import Vectors

async def look():
    vectors = Vectors("embedded://", None)
    assert await vectors.collections() == []
    await vectors.aclose()

asyncio.run(look())
assert "fastembed" not in sys.modules and "onnxruntime" not in sys.modules, "loaded, and not asked for"
import fastembed
assert fastembed.TextEmbedding is not None
from qdrant_client.fastembed_common import FastEmbedMisc
assert not FastEmbedMisc.is_installed()
"""


def test_an_index_brings_no_onnx_runtime() -> None:
    """Vectors load no fastembed (41 MB), and whoever asks for it afterwards still gets it."""
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]

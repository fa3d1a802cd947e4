"""qdrant-client, imported without fastembed and gRPC; the room's other modules import it after this one.

Where fastembed is installed, qdrant-client imports it to embed texts by itself, which we never ask
of it: 41 MB (onnxruntime, huggingface_hub, Pillow) and 0.6 s of every process that has an index,
measured with qdrant-client 1.20 and fastembed 0.9. services/embeddings/fastembed.py imports it where
the settings say so.

It also imports gRPC, which we never speak: its library is 15 MB of the process (measured with grpcio 1.85). While
qdrant-client is imported a stand-in has its place, of which nothing but names is asked.

The embedded engine parses the path of a filter's key anew for each point it looks at. It is remembered here: a search
of the sample conference looks at 1,500 points, and parsing was a third of its filter's time.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import ModuleType
from typing import cast

__all__: list[str] = []


class _NoGrpc(ModuleType):
    """Any name is a class without anything in it: enough for type hints, bases and defaults, not for a call."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        # ``Compression.Deflate`` is what each client is asked not to use.
        return _NoGrpc(name) if name == "aio" else type(name, (), {"Deflate": name})


def _import_lean() -> None:
    modules = cast("dict[str, object]", sys.modules)
    if "fastembed" in modules:  # it is in use here: nothing to save
        return
    modules["fastembed"] = None  # whoever imports it now is told that it is not installed
    without_grpc = "grpc" not in modules
    if without_grpc:
        modules["grpc"] = _NoGrpc("grpc")
    try:
        from qdrant_client.fastembed_common import FastEmbedMisc  # noqa: PLC0415 - the import this is about
    finally:
        # Whoever needs them from now on gets the real ones.
        del modules["fastembed"]
        if without_grpc:
            del modules["grpc"]
    # Each client asks again when it is made, by trying the import.
    FastEmbedMisc.is_installed = classmethod(lambda _cls: False)  # type: ignore[method-assign,assignment]  # see above


def _remember_paths() -> None:
    from qdrant_client.local import payload_value_extractor  # noqa: PLC0415 - only after the lean import

    # The lists it returns are read only, by both callers in that module.
    remembering = lru_cache(maxsize=256)(payload_value_extractor.parse_json_path)  # type: ignore[attr-defined]  # imported there, and called from there
    payload_value_extractor.parse_json_path = remembering  # type: ignore[attr-defined]  # as above


_import_lean()
_remember_paths()

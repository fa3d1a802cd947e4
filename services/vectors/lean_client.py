"""qdrant-client, imported without fastembed; server.py imports it after this one.

Where fastembed is installed, qdrant-client imports it to embed texts by itself, which we never ask
of it: 41 MB (onnxruntime, huggingface_hub, Pillow) and 0.6 s of every process that has an index,
measured with qdrant-client 1.20 and fastembed 0.9. services/embeddings/fastembed.py imports it where
the settings say so.
"""

from __future__ import annotations

import sys
from typing import cast

__all__: list[str] = []


def _import_lean() -> None:
    modules = cast("dict[str, object]", sys.modules)
    if "fastembed" in modules:  # it is in use here: nothing to save
        return
    modules["fastembed"] = None  # whoever imports it now is told that it is not installed
    try:
        from qdrant_client.fastembed_common import FastEmbedMisc  # noqa: PLC0415 - the import this is about
    finally:
        del modules["fastembed"]
    # Each client asks again when it is made, by trying the import.
    FastEmbedMisc.is_installed = classmethod(lambda _cls: False)  # type: ignore[method-assign,assignment]  # see above


_import_lean()

"""Embeddings by an ONNX model inside the process, through fastembed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from services.embeddings.inputs import bounded_text, by_length
from services.embeddings.unit import unit_vectors
from services.errors import ConfigurationError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["DEFAULT_MODEL", "FastembedEmbedder"]

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_MODEL_FILE = "model.onnx"
_NEEDED_FILES = (_MODEL_FILE, "config.json", "tokenizer.json", "tokenizer_config.json")

_MAX_CHARS = 8_000
"""The models read 256 to 512 tokens; what is beyond that would be tokenised for nothing."""

_BATCH_TEXTS = 16
"""Attention grows with texts by tokens squared; fastembed's own 256 would take gigabytes with long texts."""

_RETRY_LOAD_AFTER_S = 60.0
"""A failed download took fastembed its own 40 s of tries; calls in the minute after fail at once."""


class FastembedEmbedder:
    """A sentence encoder on this machine's processor; loaded at the first call, in its one thread.

    With ``model_path`` the model of that folder (mean pooling, normalised: what sentence-transformers
    exports) and no download; its identity carries a hash of the weights, so that another model in the
    same folder is noticed. Without, the named model of fastembed's list, downloaded once, or with
    ``may_download`` False taken from where an earlier download has left it, without asking the network.
    """

    family = "fastembed"

    def __init__(
        self, model: str = DEFAULT_MODEL, model_path: Path | None = None, *, may_download: bool = True
    ) -> None:
        self._name = model
        self._path = model_path
        self._may_download = may_download
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embed-fastembed")
        self._model: Any = None  # fastembed's types are incomplete
        self._failed_at = float("-inf")
        if model_path is None:
            self.dimensions = _listed_dimensions(model)
            self.identity = f"fastembed-{_slug(model.rsplit('/', 1)[-1])}-{self.dimensions}"
        else:
            self.dimensions = _folder_dimensions(model_path)
            digest = _file_digest(model_path / _MODEL_FILE)
            self._name = f"erleah/{digest}"
            self.identity = f"fastembed-{_slug(model_path.resolve().name)}-{digest}-{self.dimensions}"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector for each text, in order; a text counts as far as the model reads (256 tokens or more).

        Raises ServiceUnavailableError("embeddings", ...) when the model can be neither loaded nor downloaded.
        """
        if not texts:
            return []
        bounded = [bounded_text(text, _MAX_CHARS) for text in texts]
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, bounded)

    async def aclose(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: list[str]) -> list[list[float]]:
        if self._model is None:
            self._model = self._load_once_in_a_while()
        order = by_length(texts)
        rows = list(self._model.embed([texts[position] for position in order], batch_size=_BATCH_TEXTS))
        vectors: list[list[float]] = [[]] * len(texts)
        for position, vector in zip(order, unit_vectors(rows), strict=True):
            vectors[position] = vector
        return vectors

    def _load_once_in_a_while(self) -> Any:  # noqa: ANN401 - fastembed's types are incomplete
        if time.monotonic() - self._failed_at < _RETRY_LOAD_AFTER_S:
            raise ServiceUnavailableError("embeddings", self._how_to_get_it())
        load: Callable[[], Any] = self._load_named if self._path is None else self._load_folder
        try:
            return load()
        except Exception as error:  # whatever fastembed, the hub or onnxruntime raise, the cure is the same
            self._failed_at = time.monotonic()
            raise ServiceUnavailableError("embeddings", self._how_to_get_it()) from error

    def _load_named(self) -> Any:  # noqa: ANN401 - fastembed's types are incomplete
        from fastembed import TextEmbedding  # noqa: PLC0415 - 0.5 s of imports that the other embedders do without

        return TextEmbedding(model_name=self._name, local_files_only=not self._may_download)

    def _load_folder(self) -> Any:  # noqa: ANN401 - fastembed's types are incomplete
        from fastembed import TextEmbedding  # noqa: PLC0415 - as above
        from fastembed.common.model_description import ModelSource, PoolingType  # noqa: PLC0415 - as above

        known = {description["model"].lower() for description in TextEmbedding.list_supported_models()}
        if self._name.lower() not in known:
            TextEmbedding.add_custom_model(
                model=self._name,
                pooling=PoolingType.MEAN,
                normalization=True,
                # Never asked: the folder is given. fastembed wants a source to be named all the same.
                sources=ModelSource(url="folder"),
                dim=self.dimensions,
                model_file=_MODEL_FILE,
            )
        return TextEmbedding(model_name=self._name, specific_model_path=str(self._path))

    def _how_to_get_it(self) -> str:
        if self._path is not None:
            return f"the model in EMBEDDING_MODEL_PATH={self._path} could not be loaded; it wants {_wanted_files()}"
        tried = "could not be downloaded" if self._may_download else "is not downloaded here"
        return (
            f"the embedding model {self._name} is not on this machine and {tried}; allow the download, "
            f"set EMBEDDING_MODEL_PATH to a folder with {_wanted_files()}, or set EMBEDDING_PROVIDER=local"
        )


def _wanted_files() -> str:
    return ", ".join(_NEEDED_FILES)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:48] or "model"


def _listed_dimensions(model: str) -> int:
    from fastembed import TextEmbedding  # noqa: PLC0415 - 0.5 s of imports that the other embedders do without

    try:
        return int(TextEmbedding.get_embedding_size(model))
    except ValueError as error:
        raise ConfigurationError(
            f"EMBEDDING_MODEL={model} is not a model that fastembed knows; leave it unset for {DEFAULT_MODEL}, "
            "or set EMBEDDING_MODEL_PATH to a folder with the model"
        ) from error


def _folder_dimensions(path: Path) -> int:
    missing = [name for name in _NEEDED_FILES if not (path / name).is_file()]
    if missing:
        raise ConfigurationError(f"EMBEDDING_MODEL_PATH={path} lacks {', '.join(missing)}; it wants {_wanted_files()}")
    try:
        size = json.loads((path / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"EMBEDDING_MODEL_PATH: {path / 'config.json'} names no hidden_size") from error
    if not isinstance(size, int) or size < 1:
        raise ConfigurationError(f"EMBEDDING_MODEL_PATH: {path / 'config.json'} has a hidden_size that is no size")
    return size


def _file_digest(path: Path) -> str:
    """Eight hex digits of the file's sha256 (23 MB: 50 ms)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]

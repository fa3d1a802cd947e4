"""Which embedder the settings get, and what they are told when they can get none."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from services.embeddings.factory import make_embedder
from services.embeddings.fastembed import FastembedEmbedder
from services.embeddings.unit import unit_vectors
from services.errors import ConfigurationError, ServiceUnavailableError
from services.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

REQUIRED: dict[str, Any] = {"directus_api_key": "k", "directus_webhook_secret": "s"}


def settings(**wanted: Any) -> Settings:  # noqa: ANN401 - one value per setting, each of its own type
    nothing = {"openai_api_key": None, "openai_base_url": None, "embedding_model_path": None}
    return Settings(**(REQUIRED | nothing | wanted))


async def test_openai_is_made_as_the_settings_say() -> None:
    """Model and dimensions stand in the identity."""
    embedder = make_embedder(settings(openai_api_key="k", embedding_dimensions=512))
    assert (embedder.family, embedder.identity, embedder.dimensions) == (
        "openai",
        "openai-text-embedding-3-small-512",
        512,
    )
    await embedder.aclose()


def test_openai_without_a_key_is_refused_at_the_start() -> None:
    """The message names the key, and the provider that needs none."""
    with pytest.raises(ConfigurationError, match=r"OPENAI_API_KEY.*EMBEDDING_PROVIDER=local"):
        make_embedder(settings())


async def test_a_server_of_ones_own_needs_no_key() -> None:
    """OPENAI_BASE_URL alone is enough for servers that ask for no key."""
    embedder = make_embedder(settings(openai_base_url="http://127.0.0.1:9/v1", embedding_model="nomic"))
    assert embedder.identity == "openai-nomic-1536"
    await embedder.aclose()


async def test_local_needs_nothing() -> None:
    """OpenAI's default model and dimensions do not reach the local one."""
    embedder = make_embedder(settings(embedding_provider="local"))
    assert (embedder.identity, embedder.dimensions) == ("local-wordllama-256", 256)
    await embedder.aclose()


async def test_fastembed_takes_its_own_default_model() -> None:
    """EMBEDDING_MODEL's default is OpenAI's and means all-MiniLM-L6-v2 here, with its own dimensions."""
    embedder = make_embedder(settings(embedding_provider="fastembed"))
    assert (embedder.identity, embedder.dimensions) == ("fastembed-all-minilm-l6-v2-384", 384)
    await embedder.aclose()


def test_fastembed_refuses_a_model_it_does_not_know() -> None:
    """The message names the setting and both ways out."""
    with pytest.raises(ConfigurationError, match=r"EMBEDDING_MODEL=no/such.*EMBEDDING_MODEL_PATH"):
        make_embedder(settings(embedding_provider="fastembed", embedding_model="no/such"))


def test_fastembed_names_the_files_that_a_folder_lacks(tmp_path: Path) -> None:
    """A folder without a model stops the start."""
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"lacks model\.onnx, tokenizer\.json"):
        FastembedEmbedder(model_path=tmp_path)


@pytest.mark.parametrize("config", ["{}", "[]", "no json", '{"hidden_size": "many"}'])
def test_fastembed_refuses_a_folder_that_does_not_say_its_size(tmp_path: Path, config: str) -> None:
    """config.json must hold the dimensions."""
    for name in ("model.onnx", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ConfigurationError, match=r"config\.json"):
        FastembedEmbedder(model_path=tmp_path)


async def test_fastembed_says_what_to_do_when_the_model_is_not_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a download and without a folder it names the three ways out, and the next call fails at once."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("FASTEMBED_CACHE_PATH", str(tmp_path))
    embedder = FastembedEmbedder()
    for _ in range(2):
        with pytest.raises(ServiceUnavailableError, match=r"EMBEDDING_MODEL_PATH.*EMBEDDING_PROVIDER=local"):
            await embedder.embed(["a"])
    await embedder.aclose()


async def test_fastembed_says_what_to_do_when_the_folder_holds_no_model(tmp_path: Path) -> None:
    """A file that is no model is noticed at its first use, by the setting's name."""
    for name in ("model.onnx", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "config.json").write_text('{"hidden_size": 8}')
    embedder = FastembedEmbedder(model_path=tmp_path)
    assert embedder.dimensions == 8
    with pytest.raises(ServiceUnavailableError, match="EMBEDDING_MODEL_PATH"):
        await embedder.embed(["a"])
    await embedder.aclose()


def test_importing_the_factory_loads_no_model_library() -> None:
    """A process that embeds nothing pays for no embedder."""
    code = (
        "import sys, services.embeddings.factory as f; "
        "print([name for name in ('openai', 'fastembed', 'wordllama', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - our own interpreter and code
    assert done.stdout.strip() == "[]"


def test_a_row_without_direction_becomes_a_unit_vector_all_the_same() -> None:
    """Zeros and not-a-numbers never reach the index."""
    [zero, broken] = unit_vectors([[0.0, 0.0, 0.0, 0.0], [float("nan"), 0.0, 2.0, 0.0]])
    assert zero == [0.5, 0.5, 0.5, 0.5]
    assert broken == [0.0, 0.0, 1.0, 0.0]

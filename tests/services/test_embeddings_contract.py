"""What every embedder promises, tried on each."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from services.embeddings.fastembed import FastembedEmbedder
from services.embeddings.local import LocalEmbedder
from services.embeddings.openai import OpenAIEmbedder
from standins.model_wire import embeddings_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.embeddings.embedder import Embedder

FASTEMBED_FOLDER = os.environ.get("ERLEAH_TEST_FASTEMBED_PATH")


def openai_over(handler: httpx2.MockTransport, *, dimensions: int = 64) -> OpenAIEmbedder:
    client = httpx2.AsyncClient(transport=handler)
    return OpenAIEmbedder(
        model="text-embedding-3-small", dimensions=dimensions, api_key="key-of-a-test", http_client=client
    )


def answer(request: httpx2.Request) -> httpx2.Response:
    asked = json.loads(request.content)
    body = embeddings_body(
        asked["input"],
        model=asked["model"],
        dimensions=asked["dimensions"],
        as_base64=asked["encoding_format"] == "base64",
    )
    return httpx2.Response(200, json=body)


@pytest.fixture(
    params=[
        "local",
        "openai",
        pytest.param(
            "fastembed",
            marks=pytest.mark.skipif(
                FASTEMBED_FOLDER is None,
                reason="ERLEAH_TEST_FASTEMBED_PATH names no folder with an ONNX model, and tests download none",
            ),
        ),
    ]
)
async def embedder(request: pytest.FixtureRequest) -> AsyncIterator[Embedder]:
    made: Embedder
    match request.param:
        case "local":
            made = LocalEmbedder()
        case "fastembed":
            made = FastembedEmbedder(model_path=Path(FASTEMBED_FOLDER or ""))
        case _:
            made = openai_over(httpx2.MockTransport(answer))
    yield made
    await made.aclose()


async def test_gives_one_unit_vector_a_text_whatever_the_text(embedder: Embedder) -> None:
    """Blank, emoji, control characters and very long texts each get a unit vector of the stated size."""
    texts = ["Talks about testing", "", "   \n", "😀🎉", "\x00\x01", "word " * 20_000, "日本語のセッション"]
    vectors = await embedder.embed(texts)
    assert len(vectors) == len(texts)
    for vector in vectors:
        assert len(vector) == embedder.dimensions
        assert math.isclose(sum(value * value for value in vector), 1.0, rel_tol=1e-6)


async def test_keeps_the_order_of_the_texts(embedder: Embedder) -> None:
    """A text's vector is the same in a batch of mixed lengths as it is alone."""
    texts = [f"{'very ' * (number % 7)}long talk number {number}" for number in range(40)]
    together = await embedder.embed(texts)
    for position in (0, 13, 39):
        [alone] = await embedder.embed([texts[position]])
        assert sum(a * b for a, b in zip(alone, together[position], strict=True)) == pytest.approx(1.0, abs=0.02)


async def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    """An empty batch is answered without work."""
    assert await embedder.embed([]) == []


async def test_nearer_meaning_or_words_are_nearer_vectors(embedder: Embedder) -> None:
    """Cosine orders texts: the one that shares the question's words comes before one that shares none."""
    question, near, far = await embedder.embed(
        ["scaling my database", "Scaling a database to a billion rows", "A gentle walk through baroque music"]
    )
    cosine_near = sum(a * b for a, b in zip(question, near, strict=True))
    assert cosine_near > sum(a * b for a, b in zip(question, far, strict=True))


async def test_its_identity_can_stand_in_a_collection_name(embedder: Embedder) -> None:
    """The identity has no separator, slash or space in it, and ends with the dimensions."""
    assert re.fullmatch(rf"{embedder.family}-[a-z0-9.-]+-{embedder.dimensions}", embedder.identity)

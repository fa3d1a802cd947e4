"""OpenAI's embeddings: what is sent, what is believed of the answer, what failures say."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from tenacity import RetryCallState, Retrying

from services.embeddings.inputs import estimated_tokens, token_batches
from services.embeddings.openai import OpenAIEmbedder, _patience
from services.errors import ErleahError, ServiceRejectedError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[httpx2.Request], httpx2.Response]

KEY = "sk-test-never-to-be-seen"
TEXT = "a visitor's private question"


def make(handler: Handler, *, model: str = "text-embedding-3-small", base_url: str | None = None) -> OpenAIEmbedder:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return OpenAIEmbedder(model=model, dimensions=3, api_key=KEY, base_url=base_url, http_client=client)


def vectors(rows: list[list[float]], order: list[int] | None = None) -> httpx2.Response:
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
    body = {"object": "list", "model": "m", "data": [data[at] for at in order or range(len(data))]}
    return httpx2.Response(200, json=body | {"usage": {"prompt_tokens": 1, "total_tokens": 1}})


def failure(status: int, code: str = "x", headers: dict[str, str] | None = None) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": TEXT, "code": code}}, headers=headers)


async def test_sorts_what_a_server_sends_in_another_order() -> None:
    """The vector of a text is found by its index, not by its place in the answer."""
    embedder = make(lambda _: vectors([[1, 0, 0], [0, 1, 0], [0, 0, 1]], order=[2, 0, 1]))
    assert await embedder.embed(["a", "b", "c"]) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    await embedder.aclose()


@pytest.mark.parametrize(
    ("model", "base_url", "dimensions", "encoding"),
    [
        ("text-embedding-3-large", None, 3, "base64"),
        ("text-embedding-ada-002", None, None, "base64"),
        ("nomic-embed-text", "http://127.0.0.1:11434/v1", None, "float"),
    ],
)
async def test_asks_for_dimensions_only_where_they_are_understood(
    model: str, base_url: str | None, dimensions: int | None, encoding: str
) -> None:
    """Only text-embedding-3-* can shorten its vectors; other servers get floats, which all of them know."""
    asked: list[dict[str, Any]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.content))
        return vectors([[3, 0, 4]])

    embedder = make(handler, model=model, base_url=base_url)
    assert await embedder.embed(["a"]) == [[pytest.approx(0.6), 0, pytest.approx(0.8)]]
    assert (asked[0].get("dimensions"), asked[0]["encoding_format"]) == (dimensions, encoding)
    await embedder.aclose()


async def test_sends_bounded_batches_a_few_at_a_time() -> None:
    """600 texts go in three requests of at most 256, at most four at once."""
    sizes: list[int] = []
    now, most = 0, 0

    async def handler(request: httpx2.Request) -> httpx2.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        sizes.append(len(json.loads(request.content)["input"]))
        return vectors([[1.0, 0.0, 0.0]] * sizes[-1])

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    embedder = OpenAIEmbedder(model="text-embedding-3-small", dimensions=3, api_key=KEY, http_client=client)
    assert len(await embedder.embed([str(number) for number in range(2000)])) == 2000
    assert sorted(sizes) == [2000 % 256] + [256] * 7
    assert most == 4
    await embedder.aclose()


async def test_a_text_too_long_for_the_model_is_cut_to_what_it_reads() -> None:
    """No input is above 8,192 tokens by the guess, in English as in Chinese, and none is split."""
    sent: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        sent.extend(json.loads(request.content)["input"])
        return vectors([[1, 0, 0], [0, 1, 0]])

    embedder = make(handler)
    await embedder.embed(["word " * 50_000, "会议" * 50_000])
    assert all(4_000 < estimated_tokens(text) <= 8_192 for text in sent)
    await embedder.aclose()


def test_batches_hold_their_tokens() -> None:
    """A batch ends before it would pass the token limit; a single larger text goes alone."""
    batches = list(token_batches(["a" * 30, "b" * 30, "c" * 300, "d"], max_texts=10, max_tokens=25))
    assert [[text[0] for text in batch] for batch in batches] == [["a", "b"], ["c"], ["d"]]


async def test_a_passing_failure_is_tried_again() -> None:
    """A 429, a 500 and a dropped connection cost a retry each, and the answer comes."""
    troubles: list[Handler] = [lambda _: failure(429, headers={"retry-after": "0"}), _drop, lambda _: failure(503)]

    def handler(request: httpx2.Request) -> httpx2.Response:
        return troubles.pop()(request) if troubles else vectors([[1, 0, 0]])

    embedder = make(handler)
    assert await embedder.embed(["a"]) == [[1, 0, 0]]
    await embedder.aclose()


def _drop(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("gone", request=request)


async def test_a_server_that_stays_away_is_unavailable() -> None:
    """After four tries the error is one of those that may be retried later, and names the setting."""
    calls = 0

    def handler(request: httpx2.Request) -> httpx2.Response:
        nonlocal calls
        calls += 1
        return _drop(request)

    embedder = make(handler)
    with pytest.raises(ServiceUnavailableError, match="OPENAI_BASE_URL") as caught:
        await embedder.embed([TEXT])
    assert caught.value.service == "embeddings"
    assert calls == 4
    await embedder.aclose()


@pytest.mark.parametrize(
    ("status", "code", "names"),
    [
        (401, "invalid_api_key", "OPENAI_API_KEY"),
        (429, "insufficient_quota", "OPENAI_API_KEY"),
        (404, "model_not_found", "EMBEDDING_MODEL"),
        (400, "bad", "EMBEDDING_DIMENSIONS"),
    ],
)
async def test_a_refusal_is_not_repeated_and_names_its_setting(status: int, code: str, names: str) -> None:
    """One request, one error that says what to mend, with neither key nor text in it or in its causes."""
    calls = 0

    def handler(_: httpx2.Request) -> httpx2.Response:
        nonlocal calls
        calls += 1
        return failure(status, code)

    embedder = make(handler)
    with pytest.raises(ServiceRejectedError, match=names) as caught:
        await embedder.embed([TEXT])
    assert calls == 1
    assert caught.value.status == status
    assert KEY not in _all_said(caught.value)
    assert TEXT not in _all_said(caught.value)
    await embedder.aclose()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], "EMBEDDING_DIMENSIONS=2"),
        ([[1.0, 0.0, 0.0]], "1 vectors for 2 texts"),
        ([], "without vectors"),
    ],
)
async def test_an_answer_of_another_shape_is_refused(rows: list[list[float]], says: str) -> None:
    """Vectors of another size, or another number of them, never reach the index."""
    embedder = make(lambda _: vectors(rows))
    with pytest.raises(ServiceRejectedError, match=says):
        await embedder.embed(["a", "b"])
    await embedder.aclose()


@pytest.mark.parametrize(
    ("asked", "least", "most"), [("3", 3.0, 10.0), ("86400", 10.0, 10.0), ("Fri, 1 Jan", 0.0, 1.0)]
)
def test_a_server_may_ask_for_patience_within_reason(asked: str, least: float, most: float) -> None:
    """Retry-After is waited out up to ten seconds."""
    request = httpx2.Request("POST", "http://127.0.0.1/v1/embeddings")
    response = httpx2.Response(429, headers={"retry-after": asked}, request=request)
    state = RetryCallState(Retrying(), None, (), {})
    error = openai.RateLimitError("slow down", response=response, body=None)
    state.set_exception((type(error), error, None))
    assert least <= _patience(state) <= most


def _all_said(error: BaseException | None) -> str:
    said = ""
    while error is not None:
        said += f"{error} {error!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said


def test_all_failures_are_ours() -> None:
    """What embedders raise is in the one tree of errors."""
    assert issubclass(ServiceUnavailableError, ErleahError)
    assert issubclass(ServiceRejectedError, ErleahError)

"""Embeddings from OpenAI, or from any server that speaks its API (OPENAI_BASE_URL)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import openai
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from services.embeddings.inputs import bounded_text, estimated_tokens, token_batches
from services.embeddings.unit import unit_vectors
from services.errors import ServiceRejectedError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2

__all__ = ["OpenAIEmbedder"]

_MAX_TEXTS = 256
"""OpenAI takes 2,048 inputs; 256 keep one request near a second, and its retry cheap."""

_MAX_TOKENS = 200_000
"""OpenAI refuses requests of more than 300,000 tokens; ours are guessed from characters."""

_MAX_TEXT_TOKENS = 8_000
"""OpenAI refuses an input of more than 8,192 tokens (docstring of embeddings.create, openai 3.52)."""

_CONCURRENT_REQUESTS = 4
_TIMEOUT_S = 30.0
_ATTEMPTS = 4
_LONGEST_WAIT_S = 10.0


class OpenAIEmbedder:
    """``model`` at OpenAI or at ``base_url``.

    ``dimensions`` is asked of the models that can shorten their vectors (text-embedding-3-*) and checked
    on what comes back from all. ``http_client`` is for tests and proxies; it is closed with this.
    """

    family = "openai"

    def __init__(
        self,
        *,
        model: str,
        dimensions: int,
        api_key: str,
        base_url: str | None = None,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        self.dimensions = dimensions
        slug = re.sub(r"[^a-z0-9.]+", "-", model.lower()).strip("-.")[:64] or "model"
        self.identity = f"openai-{slug}-{dimensions}"
        self._model = model
        self._wanted_dimensions = dimensions if model.startswith("text-embedding-3-") else openai.omit
        # Some compatible servers refuse base64 and all know float; OpenAI's own base64 is a quarter of the bytes.
        self._encoding: Literal["float", "base64"] | openai.Omit = openai.omit if base_url is None else "float"
        self._where = urlsplit(base_url).netloc.rpartition("@")[2] if base_url else "api.openai.com"
        # Retries are ours alone: the SDK's would multiply with them and trust any Retry-After.
        self._client = openai.AsyncOpenAI(
            api_key=api_key, base_url=base_url, timeout=_TIMEOUT_S, max_retries=0, http_client=http_client
        )
        self._slots = asyncio.Semaphore(_CONCURRENT_REQUESTS)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector for each text, in order; what is beyond 8,000 (guessed) tokens of a text is left out.

        Raises ServiceUnavailableError("embeddings", ...) after four tries, ServiceRejectedError at once.
        """
        batches = token_batches([_readable(text) for text in texts], max_texts=_MAX_TEXTS, max_tokens=_MAX_TOKENS)
        tasks: list[asyncio.Task[list[list[float]]]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks.extend(group.create_task(self._embed_batch(batch)) for batch in batches)
        except* (ServiceUnavailableError, ServiceRejectedError) as errors:
            raise _first(errors) from None
        return [vector for task in tasks for vector in task.result()]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _embed_batch(self, batch: list[str]) -> list[list[float]]:
        try:
            async with self._slots:
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception(_is_passing),
                    stop=stop_after_attempt(_ATTEMPTS),
                    wait=_patience,
                    reraise=True,
                ):
                    with attempt:
                        reply = await self._client.embeddings.create(
                            input=batch,
                            model=self._model,
                            dimensions=self._wanted_dimensions,
                            encoding_format=self._encoding,
                        )
        except openai.APIError as error:
            raise self._explained(error) from None  # the SDK's error holds the request, texts and all
        except ValueError as error:  # what the SDK raises for a reply without data
            raise ServiceRejectedError("embeddings", f"{self._where} answered without vectors") from error
        # Servers may answer in another order than they were asked (openai 3.52 does not sort).
        rows = [item.embedding for item in sorted(reply.data, key=lambda item: item.index)]
        if len(rows) != len(batch):
            raise ServiceRejectedError("embeddings", f"{self._where} gave {len(rows)} vectors for {len(batch)} texts")
        sizes = {len(row) for row in rows}
        if sizes != {self.dimensions}:
            raise ServiceRejectedError(
                "embeddings",
                f"{self._model} at {self._where} gives vectors of {min(sizes)} numbers, EMBEDDING_DIMENSIONS says "
                f"{self.dimensions}: set EMBEDDING_DIMENSIONS={min(sizes)} and run `erleah reindex --full`",
            )
        return unit_vectors(rows)

    def _explained(self, error: openai.APIError) -> ServiceUnavailableError | ServiceRejectedError:
        if _is_passing(error):
            return ServiceUnavailableError(
                "embeddings",
                f"embeddings: {self._where} did not answer ({type(error).__name__}); "
                "check OPENAI_BASE_URL and the network, or set EMBEDDING_PROVIDER=local",
            )
        status = getattr(error, "status_code", None)
        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                cure = "refused the key: check OPENAI_API_KEY"
            case openai.RateLimitError():
                cure = "has no quota left for this key: check the plan of OPENAI_API_KEY"
            case openai.NotFoundError():
                cure = f"knows no model {self._model}: check EMBEDDING_MODEL and OPENAI_BASE_URL"
            case _:
                cure = f"refused the request: check EMBEDDING_MODEL={self._model} and EMBEDDING_DIMENSIONS"
        return ServiceRejectedError("embeddings", f"embeddings: {self._where} {cure}", status=status)


def _readable(text: str) -> str:
    """The text, cut to what the model takes by our guess at its tokens."""
    bounded = bounded_text(text, _MAX_TEXT_TOKENS * 4)
    tokens = estimated_tokens(bounded)
    if tokens <= _MAX_TEXT_TOKENS:
        return bounded
    # The end of a mixed text may cost more than its beginning: cut until the guess fits.
    while tokens > _MAX_TEXT_TOKENS:
        bounded = bounded[: max(1, int(len(bounded) * _MAX_TEXT_TOKENS / tokens) - 1)]
        tokens = estimated_tokens(bounded)
    return bounded


def _is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, openai.RateLimitError):
        return error.code != "insufficient_quota"
    return isinstance(error, openai.APIConnectionError | openai.InternalServerError | openai.ConflictError)


_backoff = wait_exponential_jitter(multiplier=0.25, max=_LONGEST_WAIT_S, jitter=0.25)


def _patience(state: RetryCallState) -> float:
    """Back-off with jitter; the server's own wish in seconds counts up to ten."""
    error = state.outcome.exception() if state.outcome else None
    wish = error.response.headers.get("retry-after") if isinstance(error, openai.APIStatusError) else None
    try:
        asked = float(wish) if wish else 0.0
    except ValueError:  # a date: rare enough to fall back to our own waiting
        asked = 0.0
    return min(max(_backoff(state), asked), _LONGEST_WAIT_S)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""How a call reaches a Qdrant server: qdrant-client over HTTP; its failures in our words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx
from qdrant_client import AsyncQdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from services.errors import ConflictError, NotFoundError, ServiceRejectedError, ServiceUnavailableError
from services.whole_calls import WholeCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["ServerWire"]

T = TypeVar("T")

_TIMEOUT_S = 30
"""For writes and upkeep; searches ask for less."""

_AT_ONCE = 8
_LIMITS = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
"""A search's answer is 1 MB of objects while it is read, and one process reads one at a time anyway. Without limits of
its own the client opens a connection for each call to an address of this machine."""

_ATTEMPTS = 3
"""A dropped connection is tried again within half a second (all our calls may be repeated); a longer
absence is the caller's to wait out."""

_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _TOO_MANY, _SERVER_ERROR = 400, (401, 403), 404, 409, 429, 500


class ServerWire:
    """The connections to a Qdrant server at ``url``."""

    def __init__(self, url: str, api_key: str | None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        parts = urlsplit(url)
        self._calls = WholeCalls(at_once=_AT_ONCE, patience_s=_TIMEOUT_S)
        self._url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # for messages: no password
        self._client = AsyncQdrantClient(
            url=url,
            api_key=api_key,
            timeout=_TIMEOUT_S,
            check_compatibility=False,  # asks the server in a thread, and warns where we raise
            # For addresses of this machine the client would open a connection for each call.
            limits=_LIMITS,
            transport=transport,
        )

    async def run(self, call: Callable[[AsyncQdrantClient], Coroutine[Any, Any, T]]) -> T:
        """Make the call; a dropped connection is tried again, twice."""
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(_is_dropped_connection),
                stop=stop_after_attempt(_ATTEMPTS),
                wait=wait_random_exponential(multiplier=0.1, max=0.3),
                reraise=True,
            ):
                with attempt:
                    return await self._calls.run(call(self._client))
        except UnexpectedResponse as error:
            raise self._explained(error) from error
        except (ApiException, ResourceExhaustedResponse, httpx.HTTPError) as error:
            raise ServiceUnavailableError(
                "qdrant", f"Qdrant is not reachable at {self._url}; start it or set QDRANT_URL"
            ) from error
        raise AssertionError  # tenacity returns or raises; the type checker can't know

    async def aclose(self) -> None:
        """Close the connections."""
        await self._calls.aclose()
        await self._client.close()

    def _explained(self, error: UnexpectedResponse) -> Exception:
        status = error.status_code or _SERVER_ERROR
        detail = _detail(error)
        if status in _FORBIDDEN:
            return ServiceRejectedError("qdrant", f"Qdrant at {self._url} refused QDRANT_API_KEY", status=status)
        if status == _NOT_FOUND:
            return NotFoundError(f"Qdrant: {detail}")
        if status == _CONFLICT or (status == _BAD_REQUEST and "already exists" in detail):
            return ConflictError("qdrant", f"Qdrant: {detail}", status=status)
        if status == _TOO_MANY or status >= _SERVER_ERROR:
            return ServiceUnavailableError("qdrant", f"Qdrant at {self._url} can't answer now ({status}): {detail}")
        return ServiceRejectedError("qdrant", f"Qdrant refused the call ({status}): {detail}", status=status)


def _is_dropped_connection(error: BaseException) -> bool:
    source = error.source if isinstance(error, ResponseHandlingException) else error
    return isinstance(source, httpx.NetworkError | httpx.RemoteProtocolError)


def _detail(error: UnexpectedResponse) -> str:
    """What the server said, bounded; it may quote a request but never holds the key."""
    try:
        said = error.structured()["status"]["error"]
    except (ValueError, KeyError, TypeError):
        said = error.reason_phrase
    return str(said)[:300]

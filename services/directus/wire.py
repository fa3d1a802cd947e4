"""The wire to Directus: one pool of connections, time-outs, retries, and errors in our own words.

Only here are httpx's types seen.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json as json_codec
import re
from typing import Any, Final

import httpx

from services.directus.replies import SERVICE, raise_for_status
from services.directus.retries import RETRY_FOR_S, retrying
from services.errors import AccessDeniedError, InvalidInputError, ServiceUnavailableError
from services.whole_calls import WholeCalls

__all__ = ["Wire"]

_TIMEOUTS: Final = httpx.Timeout(
    connect=2.0,  # a Directus that is up accepts at once; longer means that it is away
    read=10.0,  # an array PATCH of 50 rows takes 58 ms; under pressure Directus says 503 long before
    write=10.0,  # at most 1 MB (MAX_PAYLOAD_SIZE) goes out
    pool=10.0,  # only writers ever wait there, for one of many connections
)
_READS_AT_ONCE: Final = 8
"""One Directus process works off about 200 calls a second, whatever waits; more at once only wait there. And each
call looks through the idle connections before it."""
_LINE_S: Final = 10.0
"""How long a read waits in line: as long as one before it may take."""
_LIMITS: Final = httpx.Limits(
    max_connections=16,  # room for writes beside the reads: the growing answers go past the line
    max_keepalive_connections=16,
    keepalive_expiry=4.0,  # Node closes idle connections after 5 s: let go before it does
)
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_LONGEST_URL_PARAM: Final = 4_000
"""Longer filters travel in the body (Directus's SEARCH method): proxies cut addresses at 8 kB."""


class Wire:
    """The connections to one Directus, shared by all views on it.

    ``retry_for_s`` bounds a call that may be tried again, in seconds; 0 means one try.
    """

    def __init__(
        self, url: str, *, transport: httpx.AsyncBaseTransport | None = None, retry_for_s: float = RETRY_FOR_S
    ) -> None:
        base = httpx.URL(url.rstrip("/"))
        self.address = str(base.copy_with(userinfo=b""))
        self._retry_for_s = retry_for_s
        self._calls = WholeCalls(at_once=_READS_AT_ONCE, patience_s=_LINE_S)
        self._client = httpx.AsyncClient(
            base_url=base,
            timeout=_TIMEOUTS,
            limits=_LIMITS,
            transport=transport,
            # The environment may name a proxy and authorities for the world outside, never for this machine.
            trust_env=not _is_loopback(base.host),
        )

    async def send(  # noqa: PLR0913 - what a request is made of
        self,
        method: str,
        path: str,
        *,
        token: str | None,
        json: Any = None,  # noqa: ANN401 - any JSON
        params: dict[str, Any] | None = None,
        retry: bool = False,
    ) -> httpx.Response:
        """Send one request and give its successful answer.

        Raises the errors of ``replies.raise_for_status``, InvalidInputError for a path that leaves its place,
        and ServiceUnavailableError when Directus can't be reached or is silent.
        """
        if not path.startswith("/") or ".." in path or "?" in path or "#" in path:
            raise InvalidInputError("a path inside Directus wants to begin with / and name one place")
        if token and not _TOKEN.fullmatch(token):
            raise AccessDeniedError("that is no token of Directus's")  # in a header it would break the request
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = None
        if json is not None:
            headers["Content-Type"] = "application/json"
            body = _encoded(json)
        request = self._client.build_request(method, path, content=body, params=_texts(params), headers=headers)
        if not retry or self._retry_for_s <= 0:
            return await self._try(request)
        try:
            async with asyncio.timeout(self._retry_for_s):
                async for attempt in retrying(self._retry_for_s):
                    with attempt:
                        return await self._try(request)
        except TimeoutError:
            pass
        msg = f"Directus at {self.address} did not answer within {self._retry_for_s:g} s"
        raise ServiceUnavailableError(SERVICE, msg)

    async def search(
        self, path: str, *, token: str | None, query: dict[str, Any], retry: bool = True
    ) -> httpx.Response:
        """Read by a query: as a GET where it fits into an address, else as a SEARCH."""
        params = {name: value for name, value in query.items() if value is not None}
        if len(json_codec.dumps(params)) <= _LONGEST_URL_PARAM:
            return await self.send("GET", path, token=token, params=params, retry=retry)
        return await self.send("SEARCH", path, token=token, json={"query": params}, retry=retry)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._calls.aclose()
        await self._client.aclose()

    async def _try(self, request: httpx.Request) -> httpx.Response:
        try:
            # A visitor who sees his answer grow must not wait for those whose turns begin.
            is_read = request.method in {"GET", "SEARCH"}
            response = await self._calls.run(self._client.send(request), waits=is_read)
        except httpx.TimeoutException as error:
            msg = f"Directus at {self.address} is too slow or away ({type(error).__name__})"
            raise ServiceUnavailableError(SERVICE, msg) from error
        except httpx.TransportError as error:
            msg = f"Directus is not reachable at {self.address}; start it or set DIRECTUS_URL ({type(error).__name__})"
            raise ServiceUnavailableError(SERVICE, msg) from error
        raise_for_status(response, asked=f"{request.method} {request.url.path}", address=self.address)
        return response


def _encoded(body: Any) -> bytes:  # noqa: ANN401 - any JSON
    """JSON as UTF-8, also when the text holds half of a surrogate pair, as a stream cut in two can."""
    text = json_codec.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _texts(params: dict[str, Any] | None) -> dict[str, str]:
    """Query parameters as Directus reads them: lists with commas, filters as JSON."""
    texts = {}
    for name, value in (params or {}).items():
        if isinstance(value, dict):
            texts[name] = json_codec.dumps(value, ensure_ascii=False, separators=(",", ":"))
        elif isinstance(value, (list, tuple)):
            texts[name] = ",".join(str(part) for part in value)
        elif value is not None:
            texts[name] = str(value)
    return texts


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

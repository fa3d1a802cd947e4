"""``Directus``: Erleah's way to Directus; rows (``rows.py``), visitors' shares, health.

All calls raise ServiceUnavailableError when Directus is away or over its load, AccessDeniedError when
the token may not, ServiceRejectedError when Directus finds fault with the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from services.directus.replies import data_of, document_of
from services.directus.retries import RETRY_FOR_S
from services.directus.rows import Filter, Row, Rows
from services.directus.visitors import ShareAccess
from services.directus.wire import Wire

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

__all__ = ["Directus", "Filter", "Row"]


class Directus(Rows):
    """Directus with one token; ``with_token`` gives the same connections with another.

    ``transport`` replaces the network in tests; ``retry_for_s`` bounds, in seconds, a call that may
    be tried again, and 0 means one try; ``wire`` are connections somebody else opened and closes.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        retry_for_s: float = RETRY_FOR_S,
        wire: Wire | None = None,
    ) -> None:
        super().__init__(wire or Wire(url, transport=transport, retry_for_s=retry_for_s), token)
        self._owns_wire = wire is None

    def __repr__(self) -> str:
        return f"Directus({self.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def with_token(self, token: str | None) -> Directus:
        """The same connections with another token, a visitor's say; closing the view does nothing."""
        return Directus(self.url, token, wire=self._wire)

    async def aclose(self) -> None:
        """Close the connections, those of all views."""
        if self._owns_wire:
            await self._wire.aclose()

    async def create_share(self, collection: str, item_id: str, *, role: str, date_end: datetime | None = None) -> str:
        """Share one row with whoever gets the share's id, which this returns; a bearer secret.

        Raises AccessDeniedError when the row isn't there.
        """
        body = {"collection": collection, "item": item_id, "role": role}
        if date_end is not None:
            body["date_end"] = date_end.isoformat()
        return str((await self.request("POST", "/shares", json=body))["id"])

    async def open_share(self, share_id: str) -> ShareAccess:
        """Trade a share for its tokens, as a visitor's client does. Raises AccessDeniedError when it has ended."""
        reply = await self._wire.send("POST", "/shares/auth", token=None, json={"share": share_id})
        data = data_of(reply, address=self.url)
        return ShareAccess(data["access_token"], data["refresh_token"], data["expires"] / 1000)

    async def run_flow(self, flow_id: str, body: Any) -> Any:  # noqa: ANN401 - any JSON
        """Call a Flow that waits for calls (trigger ``webhook``) and give what it returns; tried once.

        Raises AccessDeniedError when there is none with this id.
        """
        reply = await self._wire.send("POST", f"/flows/trigger/{flow_id}", token=self._secret(), json=body)
        return document_of(reply, address=self.url)

    async def ping(self) -> None:
        """Ask whether Directus is up; needs no token, tried once."""
        await self._wire.send("GET", "/server/ping", token=None)

    async def health(self) -> Row:
        """Directus's own report, ``{"status": "ok", …}``; any user's token will do, tried once."""
        reply = await self._wire.send("GET", "/server/health", token=self._secret())
        return dict(document_of(reply, address=self.url))

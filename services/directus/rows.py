"""``Rows``: reading and writing the rows of collections; ``Directus`` is one of these.

Calls that may run twice are tried again for up to 15 s (``retries.py``): reads, writes of rows named
by id, creations whose ids the caller gives (a second try that finds its own row raises ConflictError).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from services.directus.replies import data_of
from services.errors import AccessDeniedError, InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from services.directus.wire import Wire

__all__ = ["Filter", "Row", "Rows"]

Row = dict[str, Any]
"""One row, as JSON: timestamps are strings in UTC (``2024-07-08T06:30:00.000Z``), dates ``2024-07-08``."""

Filter = dict[str, Any]
"""Directus's filter rules, as ``{"status": {"_in": ["a", "b"]}}``."""

_ID_FIELD: Final = ("id",)
_IDS_PER_READ: Final = 100
"""100 UUIDs are 4 kB of filter."""

_COLLECTION: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_ID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9]{1,18}")
"""A UUID, or the number of a junction row somebody else made."""


class Rows:
    """The rows one token can reach."""

    def __init__(self, wire: Wire, token: str | None) -> None:
        self._wire = wire
        self._token = SecretStr(token) if token else None

    @property
    def url(self) -> str:
        """Where Directus is, without user name and password."""
        return self._wire.address

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,  # noqa: ANN401 - any JSON
        params: dict[str, Any] | None = None,
        retry: bool | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON
        """Call any place of Directus and give the ``data`` of its answer, None when there is none.

        ``retry`` says whether the call may run twice; left out, only a GET may.
        """
        may_retry = method == "GET" if retry is None else retry
        reply = await self._wire.send(method, path, token=self._secret(), json=json, params=params, retry=may_retry)
        return data_of(reply, address=self.url)

    async def read_item(self, collection: str, item_id: str, *, fields: Sequence[str] | None = None) -> Row:
        """Read one row.

        Raises NotFoundError when it isn't there or may not be seen (Directus doesn't say which).
        """
        if not _ID.fullmatch(item_id):
            raise NotFoundError(f"{collection} has no such row: its ids are UUIDs")
        rows = await self.read_items(collection, filter={"id": {"_eq": item_id}}, fields=fields, limit=1)
        if not rows:
            raise NotFoundError(f"{collection} has no row {item_id}")
        return rows[0]

    async def can_read(self, collection: str, item_id: str) -> bool:
        """Whether this token sees that row."""
        try:
            await self.read_item(collection, item_id, fields=_ID_FIELD)
        except (NotFoundError, AccessDeniedError):
            return False
        return True

    async def read_items(  # noqa: PLR0913 - the parts of a Directus query
        self,
        collection: str,
        *,
        filter: Filter | None = None,  # noqa: A002 - Directus's own name for it
        fields: Sequence[str] | None = None,
        sort: Sequence[str] | None = None,
        limit: int = 100,
        page: int = 1,
    ) -> list[Row]:
        """Read rows; ``sort`` has a ``-`` before fields that go down, ``limit`` -1 means all of them."""
        query = {"filter": filter, "fields": fields, "sort": sort, "limit": limit, "page": page if page > 1 else None}
        reply = await self._wire.search(_path(collection), token=self._secret(), query=query)
        return list(data_of(reply, address=self.url) or ())

    async def read_by_ids(
        self, collection: str, ids: Iterable[str], *, fields: Sequence[str] | None = None
    ) -> list[Row]:
        """Read the rows with these ids, in their order; those that aren't there are left out."""
        wanted = list(dict.fromkeys(map(str, ids)))
        if fields is not None and "id" not in fields and "*" not in fields:
            fields = ("id", *fields)
        found: dict[str, Row] = {}
        for start in range(0, len(wanted), _IDS_PER_READ):
            part = wanted[start : start + _IDS_PER_READ]
            rows = await self.read_items(collection, filter={"id": {"_in": part}}, fields=fields, limit=len(part))
            found |= {str(row["id"]): row for row in rows}
        return [found[item_id] for item_id in wanted if item_id in found]

    async def iterate_items(
        self,
        collection: str,
        *,
        filter: Filter | None = None,  # noqa: A002 - Directus's own name for it
        fields: Sequence[str] | None = None,
        sort: Sequence[str] = _ID_FIELD,
    ) -> AsyncIterator[Row]:
        """Read rows of any number, 100 at a time; ``id`` is always among the fields.

        The ids are read first and in one go: pages by offset would skip a row for each one that is
        deleted meanwhile. (Directus compares UUIDs for equality only, so pages by key are not to be had.)
        """
        order = (*sort, "id") if "id" not in sort else tuple(sort)
        rows = await self.read_items(collection, filter=filter, fields=_ID_FIELD, sort=order, limit=-1)
        ids = [str(row["id"]) for row in rows]
        for start in range(0, len(ids), _IDS_PER_READ):
            for row in await self.read_by_ids(collection, ids[start : start + _IDS_PER_READ], fields=fields):
                yield row

    async def count_items(self, collection: str, *, filter: Filter | None = None) -> int:  # noqa: A002 - Directus's name
        """How many rows there are."""
        query = {"filter": filter, "aggregate[count]": "*"}
        params = {name: value for name, value in query.items() if value is not None}
        rows = await self.request("GET", _path(collection), params=params)
        return int(rows[0]["count"])  # PostgreSQL's counts come as text

    async def create_item(self, collection: str, row: Mapping[str, Any], *, fields: Sequence[str] = _ID_FIELD) -> Row:
        """Create one row; tried again only if it has an ``id``.

        Raises ConflictError when a row with this id (or another unique value) is there already.
        """
        path, params = _path(collection), {"fields": fields}
        return dict(await self.request("POST", path, json=row, params=params, retry="id" in row) or {})

    async def create_items(
        self,
        collection: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        fields: Sequence[str] = _ID_FIELD,
        retry: bool = True,
    ) -> list[Row]:
        """Create rows, all or none; give them ids, for the answer has an order of its own.

        Tried again only if ``retry`` and all have ids. Raises ConflictError as ``create_item`` does.
        """
        if not rows:
            return []
        may_retry = retry and all("id" in row for row in rows)
        path, params = _path(collection), {"fields": fields}
        return list(await self.request("POST", path, json=rows, params=params, retry=may_retry) or ())

    async def update_item(
        self, collection: str, item_id: str, data: Mapping[str, Any], *, fields: Sequence[str] = _ID_FIELD
    ) -> Row:
        """Change one row. Raises NotFoundError when it isn't there."""
        if not _ID.fullmatch(item_id):
            raise NotFoundError(f"{collection} has no such row: its ids are UUIDs")
        path = f"{_path(collection)}/{item_id}"
        try:
            row = await self.request("PATCH", path, json=data, params={"fields": fields}, retry=True)
        except AccessDeniedError:
            await self.read_item(collection, item_id, fields=_ID_FIELD)  # the same words for "isn't there"
            raise
        if row is None:  # what an administrator gets for a missing row
            raise NotFoundError(f"{collection} has no row {item_id}")
        return dict(row)

    async def update_items(
        self,
        collection: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        fields: Sequence[str] = _ID_FIELD,
        retry: bool = False,
    ) -> list[Row]:
        """Change rows, each named by its ``id``, in one PATCH: all or none; in an order of Directus's own.

        Raises AccessDeniedError when one of them isn't there. (An administrator's call leaves it out.)
        """
        if not rows:
            return []
        return list(
            await self.request("PATCH", _path(collection), json=rows, params={"fields": fields}, retry=retry) or ()
        )

    async def update_where(
        self,
        collection: str,
        filter: Filter,  # noqa: A002 - Directus's own name for it
        data: Mapping[str, Any],
        *,
        fields: Sequence[str] = _ID_FIELD,
    ) -> list[Row]:
        """Change all rows that match and give them; none when none does. Never tried again.

        Directus reads the keys and then writes, in two steps: between them another may write. It
        is a guard against what was there before, not a lock.
        """
        if not filter:
            raise InvalidInputError(f"an update of {collection} without a filter would change every row")
        body = {"query": {"filter": filter, "limit": -1}, "data": data}
        return list(await self.request("PATCH", _path(collection), json=body, params={"fields": fields}) or ())

    async def delete_items(self, collection: str, ids: Iterable[str]) -> None:
        """Delete rows; those that aren't there any more are no error."""
        wanted = [str(item_id) for item_id in ids]
        if not wanted:
            return
        try:
            await self.request("DELETE", _path(collection), json=wanted, retry=True)
        except AccessDeniedError:  # the same words for "isn't there" and "may not": ask for what is there alone
            if left := [row["id"] for row in await self.read_by_ids(collection, wanted, fields=_ID_FIELD)]:
                await self.request("DELETE", _path(collection), json=left, retry=True)

    def _secret(self) -> str | None:
        return self._token.get_secret_value() if self._token else None


def _path(collection: str) -> str:
    if not _COLLECTION.fullmatch(collection):
        raise InvalidInputError("a collection's name wants letters, digits and underscores")
    return f"/items/{collection}"

"""What a request to the stand-in asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from standins.directus_filters import Refusal
from standins.directus_reads import Query
from standins.directus_tables import FIELDS, forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

__all__ = ["body_of", "collection_of", "query_of"]

_MAX_PAYLOAD: Final = 1_048_576
"""Directus's MAX_PAYLOAD_SIZE, 1 MB."""


def collection_of(request: Request) -> str:
    """The collection in the path; 403 for one that isn't there."""
    name: str = request.path_params["collection"]
    if name not in FIELDS:
        message = f'You don\'t have permission to access collection "{name}" or it does not exist. Queried in root.'
        raise forbidden(message)
    return name


async def body_of(request: Request) -> Any:  # noqa: ANN401 - any JSON
    """The JSON that was sent."""
    raw = await request.body()
    if len(raw) > _MAX_PAYLOAD:
        raise Refusal(400, "INVALID_PAYLOAD", "Invalid payload. request entity too large.")
    return json.loads(raw)


def query_of(given: Mapping[str, Any]) -> Query:
    """A query from an address's parameters or from a body."""

    def names(value: Any) -> list[str]:  # noqa: ANN401 - text with commas or a list
        return [part for part in value.split(",") if part] if isinstance(value, str) else list(value)

    rules = given.get("filter") or {}
    return Query(
        filter=json.loads(rules) if isinstance(rules, str) else rules,
        fields=names(given.get("fields") or "*"),
        sort=names(given.get("sort") or ""),
        limit=int(given.get("limit", 100)),
        page=int(given.get("page", 1)),
    )

"""Reading what a conference is made of out of Directus."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.rows import fields_of, read_row
from services.directus_names import CONFERENCES
from services.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ingest.rows import Row
    from search.query import EntityType
    from services.directus.client import Directus

__all__ = ["Problems", "count_rows", "note_strays", "read_conference", "read_conferences", "read_one", "read_rows"]

_CONFERENCE_FIELDS = ("id", "timezone")
_PROBLEMS_KEPT = 50


@dataclass(slots=True)
class Problems:
    """The rows that can't be indexed: how many, and what is wrong with the first fifty."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Note one."""
        self.count += 1
        if len(self.first) < _PROBLEMS_KEPT:
            self.first.append(problem)


async def read_conferences(directus: Directus, conference_id: str | None) -> list[dict[str, Any]]:
    """Id and time zone of one conference, or of all. Raises NotFoundError for one that Directus has not."""
    if conference_id is not None:
        return [await read_conference(directus, conference_id)]
    return [row async for row in directus.iterate_items(CONFERENCES, fields=_CONFERENCE_FIELDS)]


async def read_conference(directus: Directus, conference_id: str) -> dict[str, Any]:
    """Id and time zone. Raises NotFoundError."""
    return await directus.read_item(CONFERENCES, conference_id, fields=_CONFERENCE_FIELDS)


async def count_rows(directus: Directus, entity_type: EntityType, conference_id: str) -> int:
    """How many rows of a type a conference has."""
    return await directus.count_items(entity_type, filter=_of(conference_id))


async def note_strays(directus: Directus, entity_type: EntityType, problems: Problems) -> None:
    """Note the rows that belong to no conference: nothing would find them."""
    strays = await directus.read_items(entity_type, filter={"conference_id": {"_null": True}}, fields=("id",), limit=-1)
    for stray in strays:
        problems.add(f"{entity_type} {stray['id']!r}: has no conference_id")


async def read_rows(
    directus: Directus, entity_type: EntityType, conference_id: str, problems: Problems
) -> AsyncIterator[Row]:
    """A conference's rows of a type, page by page; those that can't be indexed are noted and passed over."""
    async for data in directus.iterate_items(entity_type, filter=_of(conference_id), fields=fields_of(entity_type)):
        try:
            yield read_row(entity_type, data)
        except InvalidInputError as error:
            problems.add(str(error))


async def read_one(directus: Directus, entity_type: EntityType, item_id: str) -> Row | None:
    """One row; None when it is gone. Raises InvalidInputError when it can't be indexed."""
    try:
        data = await directus.read_item(entity_type, item_id, fields=fields_of(entity_type))
    except NotFoundError:
        return None
    return read_row(entity_type, data)


def _of(conference_id: str) -> dict[str, Any]:
    return {"conference_id": {"_eq": conference_id}}

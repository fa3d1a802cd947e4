"""What writes an entity's facets, whichever way it does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ingest.rows import Row

__all__ = ["FACET_LIMIT", "FacetWriter", "Facets", "facet_source"]

FACET_LIMIT = 1_200
"""Characters of one facet's text at most: an aspect is a few sentences, and every embedder reads that much."""

_PLACES_AND_TIMES = {"id", "conference_id", "link_ids", "room", "start_time", "end_time", "booth_number", "website"}


@dataclass(frozen=True, slots=True)
class Facets:
    """An entity's facet texts by facet key; a facet without material is not in it.

    ``version`` is that of the writer whose texts these are: a fallback's own where one stood in,
    so that the next run tries again.
    """

    texts: dict[str, str]
    version: str


class FacetWriter(Protocol):
    """Writes facets out of an entity's own fields. Never raises for a text it dislikes."""

    version: str
    """Changes whenever the same row would get other texts; texts of another version are written anew."""

    paid: bool
    """Whether a text costs money, so that those of unchanged rows are taken from the index."""

    async def write(self, row: Row) -> Facets:
        """The facets of one entity. Raises nothing but cancellation."""
        ...


def facet_source(row: Row) -> dict[str, Any]:
    """What aspects rest on: the row without ids, times and places, which change often and say nothing of them."""
    nested = {"speakers": {"__all__": _PLACES_AND_TIMES}, "sessions": {"__all__": _PLACES_AND_TIMES}}
    own = set(type(row).model_fields)
    exclude = dict.fromkeys(_PLACES_AND_TIMES & own, True) | {key: nested[key] for key in nested.keys() & own}
    return row.model_dump(mode="json", exclude=exclude)

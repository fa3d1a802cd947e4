"""The names of collections: six that others rely on, which are aliases, and what stands behind them.

Behind ``sessions_master`` stands ``sessions_master__<embedder identity>__<build id>``. The identity in
the name is the stamp by which vectors of another embedder are noticed.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from search.query import EntityType

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ALL_NAMES",
    "FIRST_BUILD",
    "built_name",
    "facets_name",
    "master_name",
    "names_of",
    "new_build_id",
    "of_name",
    "stamp_of",
]

_SEPARATOR = "__"

FIRST_BUILD = "first"
"""The build id of collections that are made where none were: the same for all processes, so that two
that begin at once fill one collection."""


def master_name(entity_type: EntityType) -> str:
    """The alias of the type's whole profiles."""
    return f"{entity_type}_master"


def facets_name(entity_type: EntityType) -> str:
    """The alias of the type's facets."""
    return f"{entity_type}_facets"


def names_of(entity_types: Iterable[EntityType]) -> list[str]:
    """Both aliases of each type."""
    return [name for kind in entity_types for name in (master_name(kind), facets_name(kind))]


ALL_NAMES = tuple(names_of(EntityType))


def built_name(name: str, identity: str, build_id: str) -> str:
    """The collection that a build with this embedder fills for the alias ``name``."""
    return _SEPARATOR.join((name, identity, build_id))


def of_name(collections: Iterable[str], name: str) -> list[str]:
    """Those of ``collections`` that were built for the alias ``name``."""
    return [one for one in collections if one.startswith(name + _SEPARATOR)]


def stamp_of(collection: str) -> str | None:
    """The embedder identity in a collection's name; None if the name is not one of ours."""
    parts = collection.split(_SEPARATOR)
    return parts[1] if len(parts) == 3 else None  # noqa: PLR2004 - alias, identity, build id


def new_build_id() -> str:
    """Unique, and in order of time for who lists collections."""
    return f"{datetime.now(UTC):%Y%m%d%H%M%S}-{secrets.token_hex(3)}"

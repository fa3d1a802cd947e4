"""``Inventory``: the collections, fields and relations a Directus has, kept up to date while more are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from provision.api import DirectusApi

__all__ = ["Inventory"]


@dataclass
class Inventory:
    """Rows of ``/collections``, ``/fields`` and ``/relations`` by name, as Directus gives them."""

    collections: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    relations: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    @classmethod
    async def read(cls, admin: DirectusApi) -> Self:
        """Read all of it: three calls."""
        inventory = cls()
        for row in await admin.request("GET", "/collections"):
            inventory.collections[row["collection"]] = row
        for row in await admin.request("GET", "/fields"):
            inventory.fields_of(row["collection"])[row["field"]] = row
        for row in await admin.request("GET", "/relations"):
            inventory.relations[row["collection"], row["field"]] = row
        return inventory

    def fields_of(self, collection: str) -> dict[str, dict[str, Any]]:
        """A collection's fields by name; what is put in counts from now on."""
        return self.fields.setdefault(collection, {})

    def primary_key(self, collection: str) -> dict[str, Any] | None:
        """The field that is the collection's key, None when there is no such collection yet."""
        rows = self.fields_of(collection).values()
        return next((row for row in rows if (row.get("schema") or {}).get("is_primary_key")), None)

    def key_type(self, collection: str) -> str:
        """The type a link to this collection has."""
        row = self.primary_key(collection)
        return "uuid" if row is None else str(row["type"])

    def can_link(self, there: dict[str, Any], target: str) -> bool:
        """Whether a found column can hold the target's keys.

        The databases' own types are compared too: SQLite keeps a UUID in char(36), which Directus
        calls a string wherever the field isn't marked as a UUID.
        """
        key = self.primary_key(target) or {}
        column, key_column = there.get("schema") or {}, key.get("schema") or {}
        same_column = bool(column) and column.get("data_type") == key_column.get("data_type")
        return there["type"] == key.get("type") or same_column

"""Makes the declared collections and fields where they are missing, and has the relations made.

What is found is left as it is: no type, default, constraint or row of it changes. Two things are
added to found collections beyond fields: the reverse side of a relation, and ``messages`` loses its
revision rows, which would otherwise grow by one per written piece of an answer. What is found and
doesn't fit is named in the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.inventory import Inventory
from provision.relation_builder import RelationBuilder
from provision.schema import COLLECTIONS, Collection
from services.directus_names import CONVERSATIONS, MESSAGES, SESSIONS_SPEAKERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.api import DirectusApi
    from provision.fields import Field
    from provision.report import Report

__all__ = ["SchemaBuilder"]

_READS_ALIKE = {
    "string": {"string", "text", "hash", "uuid", "csv"},
    "text": {"text", "string"},
    "json": {"json", "csv"},
    "timestamp": {"timestamp", "dateTime"},
    "date": {"date", "dateTime", "timestamp"},
    "integer": {"integer", "bigInteger", "float", "decimal"},
    "float": {"float", "decimal"},
}
"""Found types that do for a declared one."""


class SchemaBuilder:
    """One pass over the declared collections; ``build`` is called once."""

    def __init__(self, admin: DirectusApi, report: Report) -> None:
        self._admin = admin
        self._report = report
        self._inventory = Inventory()

    async def build(self, declared: Sequence[Collection] = COLLECTIONS) -> None:
        """Make what is missing. Raises ErleahError when Directus refuses or is away."""
        self._inventory = await Inventory.read(self._admin)
        for collection in declared:
            if collection.name in self._inventory.collections:
                await self._complete_collection(collection)
            else:
                await self._make_collection(collection)
        relations = RelationBuilder(self._admin, self._inventory, self._report)
        for collection in declared:
            for field in collection.fields:
                await relations.build(collection.name, field)

    # Collections and their fields

    async def _make_collection(self, collection: Collection) -> None:
        body = {
            "collection": collection.name,
            "meta": collection.meta,
            "schema": {},
            "fields": [self._field_body(field, sort) for sort, field in enumerate(collection.fields, start=1)],
        }
        await self._admin.request("POST", "/collections", json=body)
        self._report.made.append(f"collection {collection.name}")
        rows = await self._admin.request("GET", f"/fields/{collection.name}")
        self._inventory.fields[collection.name] = {row["field"]: row for row in rows}

    async def _complete_collection(self, collection: Collection) -> None:
        found = self._inventory.collections[collection.name]
        if found.get("schema") is None:
            self._report.problems.append(
                f"{collection.name} is a folder in Directus, not a collection: rename it and run this again"
            )
            return
        self._report.found.append(f"collection {collection.name}")
        await self._stop_tracking(collection, found)
        fields = self._inventory.fields_of(collection.name)
        sort = len(fields)
        for field in collection.fields:
            if field.primary_key:
                self._judge_primary_key(collection)
            elif (there := fields.get(field.name)) is not None:
                self._judge_field(collection, field, there)
            else:
                sort += 1
                fields[field.name] = await self._admin.request(
                    "POST", f"/fields/{collection.name}", json=self._field_body(field, sort)
                )
                self._report.made.append(f"field {collection.name}.{field.name}")
        self._judge_the_rest(collection, fields)

    async def _stop_tracking(self, collection: Collection, found: dict[str, Any]) -> None:
        meta = found.get("meta") or {}
        if not collection.tracked and meta.get("accountability", "all") is not None:
            body = {"meta": {"accountability": None}}
            await self._admin.request("PATCH", f"/collections/{collection.name}", json=body)
            self._report.changed.append(f"collection {collection.name}: no activity and revision rows any more")

    def _field_body(self, field: Field, sort: int) -> dict[str, Any]:
        schema: dict[str, Any] = {}
        if field.primary_key:
            schema |= {"is_primary_key": True, "has_auto_increment": False, "is_nullable": False}
        if field.default is not None:
            schema["default_value"] = field.default
        if field.max_length is not None:
            schema["max_length"] = field.max_length
        if field.indexed:
            schema["is_indexed"] = True
        kind = field.type if field.links_to is None else self._inventory.key_type(field.links_to)
        return {"field": field.name, "type": kind, "meta": field.meta | {"sort": sort}, "schema": schema}

    # Judging what is found

    def _judge_primary_key(self, collection: Collection) -> None:
        row = self._inventory.primary_key(collection.name)
        if row is None or (row["field"] == "id" and row["type"] in {"uuid", "string"}):
            return
        what = f"{collection.name} has the {row['type']} key {row['field']!r} where Erleah writes UUIDs into 'id'"
        if collection.name in {MESSAGES, CONVERSATIONS}:
            self._report.problems.append(f"{what}: rename this collection, Erleah cannot answer with it")
        elif row["field"] != "id":
            self._report.problems.append(f"{what}: its rows cannot be indexed")
        elif collection.name != SESSIONS_SPEAKERS:
            self._report.problems.append(f"{what}: its rows are read and indexed, but erleah load cannot add to them")

    def _judge_field(self, collection: Collection, field: Field, there: dict[str, Any]) -> None:
        name = f"{collection.name}.{field.name}"
        if field.links_to is None:
            wanted, fits = field.type, there["type"] in _READS_ALIKE.get(field.type, {field.type})
        else:
            wanted, fits = self._inventory.key_type(field.links_to), self._inventory.can_link(there, field.links_to)
        if fits:
            self._report.found.append(f"field {name}")
        else:
            self._report.problems.append(f"{name} is of type {there['type']}, Erleah expects {wanted}")

    def _judge_the_rest(self, collection: Collection, fields: dict[str, dict[str, Any]]) -> None:
        """Name fields that Directus wants filled and Erleah doesn't know."""
        known = {field.name for field in collection.fields}
        for name, row in fields.items():
            schema = row.get("schema") or {}
            must = schema.get("is_nullable") is False and schema.get("default_value") is None
            if name not in known and must and not schema.get("is_primary_key"):
                self._report.problems.append(
                    f"{collection.name}.{name} must be filled and Erleah doesn't know it: Erleah cannot add rows there"
                )

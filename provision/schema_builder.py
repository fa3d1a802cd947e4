"""Makes the declared collections, fields and relations where they are missing.

What is found is left as it is: no type, default, constraint or row of it changes. Two things are
added to found collections beyond fields: the reverse side of a relation, and ``messages`` loses its
revision rows, which would otherwise grow by one per written piece of an answer. What is found and
doesn't fit is named in the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

_JUNCTION_PARTNERS = {"sessions_id": "speakers_id", "speakers_id": "sessions_id"}
"""Of the two links of a many-to-many junction each names the other (``junction_field``)."""


class SchemaBuilder:
    """One pass over the declared collections; ``build`` is called once."""

    def __init__(self, admin: DirectusApi, report: Report) -> None:
        self._admin = admin
        self._report = report
        self._collections: dict[str, dict[str, Any]] = {}
        self._fields: dict[str, dict[str, dict[str, Any]]] = {}
        self._relations: dict[tuple[str, str], dict[str, Any]] = {}

    async def build(self, declared: Sequence[Collection] = COLLECTIONS) -> None:
        """Make what is missing. Raises ErleahError when Directus refuses or is away."""
        await self._read_what_is_there()
        made_here = {collection.name for collection in declared if collection.name not in self._collections}
        for collection in declared:
            if collection.name in made_here:
                await self._make_collection(collection)
            else:
                await self._complete_collection(collection)
        for collection in declared:
            for field in collection.fields:
                if field.links_to is not None:
                    await self._relate(collection, field, with_constraint=collection.name in made_here)

    async def _read_what_is_there(self) -> None:
        self._collections = {row["collection"]: row for row in await self._admin.request("GET", "/collections")}
        for row in await self._admin.request("GET", "/fields"):
            self._fields.setdefault(row["collection"], {})[row["field"]] = row
        for row in await self._admin.request("GET", "/relations"):
            self._relations[row["collection"], row["field"]] = row

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
        self._fields[collection.name] = {row["field"]: row for row in rows}

    async def _complete_collection(self, collection: Collection) -> None:
        found = self._collections[collection.name]
        if found.get("schema") is None:
            self._report.problems.append(
                f"{collection.name} is a folder in Directus, not a collection: rename it and run this again"
            )
            return
        self._report.found.append(f"collection {collection.name}")
        await self._stop_tracking(collection, found)
        fields = self._fields.setdefault(collection.name, {})
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
        kind = field.type if field.links_to is None else self._key_type(field.links_to)
        return {"field": field.name, "type": kind, "meta": field.meta | {"sort": sort}, "schema": schema}

    def _primary_key(self, collection: str) -> dict[str, Any] | None:
        fields = self._fields.get(collection, {}).values()
        return next((row for row in fields if (row.get("schema") or {}).get("is_primary_key")), None)

    def _key_type(self, collection: str) -> str:
        row = self._primary_key(collection)
        return "uuid" if row is None else str(row["type"])

    # Judging what is found

    def _judge_primary_key(self, collection: Collection) -> None:
        row = self._primary_key(collection.name)
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
            wanted, fits = self._key_type(field.links_to), self._can_link(there, field.links_to)
        if fits:
            self._report.found.append(f"field {name}")
        else:
            self._report.problems.append(f"{name} is of type {there['type']}, Erleah expects {wanted}")

    def _can_link(self, there: dict[str, Any], target: str) -> bool:
        """Whether a column can hold the target's keys.

        The databases' own types are compared too: SQLite keeps a UUID in char(36), which Directus
        calls a string wherever the field isn't marked as a UUID.
        """
        key = self._primary_key(target) or {}
        column, key_column = there.get("schema") or {}, key.get("schema") or {}
        same_column = bool(column) and column.get("data_type") == key_column.get("data_type")
        return there["type"] == key.get("type") or same_column

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

    # Relations

    async def _relate(self, collection: Collection, field: Field, *, with_constraint: bool) -> None:
        """Make the relation of a link, or add its reverse side to a found one.

        A found field gets a relation without a database constraint: rows that are there may break
        it, and a cascade that nobody asked for could delete them.
        """
        assert field.links_to is not None  # noqa: S101 - the caller picks links
        name = f"{collection.name}.{field.name}"
        there = self._relations.get((collection.name, field.name))
        if there is not None and there.get("related_collection") != field.links_to:
            self._report.problems.append(f"{name} points to {there.get('related_collection')}, not to {field.links_to}")
            return
        row = self._fields.get(collection.name, {}).get(field.name)
        if row is None or not self._can_link(row, field.links_to):
            return  # named as a problem already
        reverse = await self._make_reverse(field, there)
        meta: dict[str, Any] = {"one_field": reverse}
        if partner := _JUNCTION_PARTNERS.get(field.name):
            meta["junction_field"] = partner
        if there is not None:
            await self._complete_relation(collection, field, there, meta)
            return
        made_now = with_constraint or f"field {name}" in self._report.made
        schema = {"on_delete": field.on_delete} if made_now else None
        body = {"collection": collection.name, "field": field.name, "related_collection": field.links_to}
        await self._admin.request("POST", "/relations", json=body | {"meta": meta, "schema": schema})
        self._report.made.append(f"relation {name}")

    async def _complete_relation(
        self, collection: Collection, field: Field, there: dict[str, Any], meta: dict[str, Any]
    ) -> None:
        name = f"relation {collection.name}.{field.name}"
        old = there.get("meta") or {}
        missing = {key: value for key, value in meta.items() if value is not None and old.get(key) is None}
        if missing:
            path = f"/relations/{collection.name}/{field.name}"
            await self._admin.request("PATCH", path, json={"meta": missing})
            self._report.changed.append(f"{name}: {', '.join(sorted(missing))}")
        else:
            self._report.found.append(name)
        if field.reverse and old.get("one_field") not in {None, field.reverse}:
            self._report.problems.append(
                f"the reverse side of {collection.name}.{field.name} is called {old['one_field']}, "
                f"Erleah reads {field.links_to}.{field.reverse}"
            )

    async def _make_reverse(self, field: Field, there: dict[str, Any] | None) -> str | None:
        """Make the alias on the other side; its name, or None when there is none to make."""
        if field.reverse is None or field.links_to is None:
            return None
        if there is not None and (there.get("meta") or {}).get("one_field") not in {None, field.reverse}:
            return None
        others = self._fields.setdefault(field.links_to, {})
        name = f"{field.links_to}.{field.reverse}"
        alias = others.get(field.reverse)
        if alias is None:
            body = {"field": field.reverse, "type": "alias", "meta": field.reverse_meta | {"sort": len(others) + 1}}
            others[field.reverse] = await self._admin.request("POST", f"/fields/{field.links_to}", json=body)
            self._report.made.append(f"field {name}")
            return field.reverse
        used_by = [
            relation
            for relation in self._relations.values()
            if relation.get("related_collection") == field.links_to
            and (relation.get("meta") or {}).get("one_field") == field.reverse
            and relation is not there
        ]
        if alias["type"] != "alias" or used_by:
            what = f"belongs to {used_by[0]['collection']}" if used_by else f"is a field of type {alias['type']}"
            self._report.problems.append(f"{name} {what}: Erleah cannot read relations through it")
            return None
        self._report.found.append(f"field {name}")
        return field.reverse

"""Makes the relations between collections, and their reverse sides, where they are missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provision.api import DirectusApi
    from provision.fields import Field
    from provision.inventory import Inventory
    from provision.report import Report

__all__ = ["RelationBuilder"]

_JUNCTION_PARTNERS = {"sessions_id": "speakers_id", "speakers_id": "sessions_id"}
"""Of the two links of a many-to-many junction each names the other (``junction_field``)."""


class RelationBuilder:
    """One relation at a time, among what the inventory has."""

    def __init__(self, admin: DirectusApi, inventory: Inventory, report: Report) -> None:
        self._admin = admin
        self._inventory = inventory
        self._report = report

    async def build(self, collection: str, field: Field) -> None:
        """Make the relation of a link, or add to a found one what it lacks."""
        if field.links_to is None:
            return
        there = self._inventory.relations.get((collection, field.name))
        if there is not None and not _points_to(there, field.links_to):
            self._report.problems.append(
                f"{collection}.{field.name} points to {there.get('related_collection')}, not to {field.links_to}"
            )
            return
        row = self._inventory.fields_of(collection).get(field.name)
        if row is None or not self._inventory.can_link(row, field.links_to):
            return  # named as a problem already
        meta: dict[str, Any] = {"one_field": await self._reverse_side(field, there)}
        if partner := _JUNCTION_PARTNERS.get(field.name):
            meta["junction_field"] = partner
        if there is not None:
            await self._complete(collection, field, there, meta)
        else:
            await self._make(collection, field, meta)

    async def _make(self, collection: str, field: Field, meta: dict[str, Any]) -> None:
        """Make a relation: with a database constraint only where the column is still empty.

        Rows that are there may break a constraint, and a cascade that nobody asked for could
        delete them. Directus makes a constraint for every relation that names its other side from
        the start, and none when that is said afterwards.
        """
        body: dict[str, Any] = {"collection": collection, "field": field.name}
        if await self._is_empty(collection, field.name):
            body |= {"related_collection": field.links_to}
            await self._admin.request(
                "POST", "/relations", json=body | {"meta": meta, "schema": {"on_delete": field.on_delete}}
            )
            self._report.made.append(f"relation {collection}.{field.name}")
        else:
            await self._admin.request("POST", "/relations", json=body | {"related_collection": None, "meta": {}})
            path = f"/relations/{collection}/{field.name}"
            await self._admin.request("PATCH", path, json={"meta": meta | {"one_collection": field.links_to}})
            self._report.made.append(f"relation {collection}.{field.name}, without a database constraint")

    async def _is_empty(self, collection: str, field: str) -> bool:
        params = {"filter": json.dumps({field: {"_nnull": True}}), "fields": field, "limit": 1}
        return not await self._admin.request("GET", f"/items/{collection}", params=params)

    async def _complete(self, collection: str, field: Field, there: dict[str, Any], meta: dict[str, Any]) -> None:
        name = f"relation {collection}.{field.name}"
        old = there.get("meta") or {}
        wanted = meta | {"one_collection": field.links_to}
        missing = {key: value for key, value in wanted.items() if value is not None and old.get(key) is None}
        if missing:
            await self._admin.request("PATCH", f"/relations/{collection}/{field.name}", json={"meta": missing})
            self._report.changed.append(f"{name}: {', '.join(sorted(missing))}")
        else:
            self._report.found.append(name)
        if field.reverse and old.get("one_field") not in {None, field.reverse}:
            self._report.problems.append(
                f"the reverse side of {collection}.{field.name} is called {old['one_field']}, "
                f"Erleah reads {field.links_to}.{field.reverse}"
            )

    async def _reverse_side(self, field: Field, there: dict[str, Any] | None) -> str | None:
        """Make the alias on the other side; its name, or None when there is none to make."""
        if field.reverse is None or field.links_to is None:
            return None
        if there is not None and (there.get("meta") or {}).get("one_field") not in {None, field.reverse}:
            return None
        others = self._inventory.fields_of(field.links_to)
        name = f"{field.links_to}.{field.reverse}"
        alias = others.get(field.reverse)
        if alias is None:
            body = {"field": field.reverse, "type": "alias", "meta": field.reverse_meta | {"sort": len(others) + 1}}
            others[field.reverse] = await self._admin.request("POST", f"/fields/{field.links_to}", json=body)
            self._report.made.append(f"field {name}")
            return field.reverse
        owner = self._owner_of_alias(field.links_to, field.reverse, besides=there)
        if alias["type"] != "alias" or owner:
            what = f"belongs to {owner}" if owner else f"is a field of type {alias['type']}"
            self._report.problems.append(f"{name} {what}: Erleah cannot read relations through it")
            return None
        self._report.found.append(f"field {name}")
        return field.reverse

    def _owner_of_alias(self, collection: str, alias: str, *, besides: dict[str, Any] | None) -> str | None:
        for (many, _), relation in self._inventory.relations.items():
            one_field = (relation.get("meta") or {}).get("one_field")
            if relation is not besides and (relation.get("related_collection"), one_field) == (collection, alias):
                return many
        return None


def _points_to(relation: dict[str, Any], target: str) -> bool:
    """Whether a found relation leads there, or nowhere yet: an interrupted run left it half made."""
    related = relation.get("related_collection")
    allowed = (relation.get("meta") or {}).get("one_allowed_collections")
    return related == target or (related is None and not allowed)

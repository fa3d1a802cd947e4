"""Erleah's collections in memory: rows, links, defaults, and what is all or nothing, for the stand-in.

The collections are those that ``erleah bootstrap`` makes, read from its own declarations.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from provision.schema import COLLECTIONS
from services.directus_names import ERLEAH_USER_ID
from standins.directus_filters import Refusal, Row, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.fields import Field

__all__ = ["FIELDS", "REVERSES", "Tables", "forbidden"]

FIELDS: Final[Mapping[str, dict[str, Field]]] = {
    collection.name: {field.name: field for field in collection.fields} for collection in COLLECTIONS
}
"""The fields of each collection that hold a value of their own."""

REVERSES: Final[Mapping[str, dict[str, tuple[str, str]]]] = {
    collection.name: {
        field.reverse: (other.name, field.name)
        for other in COLLECTIONS
        for field in other.fields
        if field.reverse is not None and field.links_to == collection.name
    }
    for collection in COLLECTIONS
}
"""The other ends of links: ``conversations.messages`` is ``messages`` by ``conversation_id``."""


def forbidden(what: str = "You don't have permission to access this.") -> Refusal:
    """Directus's answer to what isn't there, and to what may not be seen."""
    return Refusal(403, "FORBIDDEN", what)


class Tables:
    """Rows by collection and id; ``rows`` may be read and changed by tests as they like."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in FIELDS}
        self._undo: list[tuple[str, str, Row | None]] | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: on an exception every row is as it was."""
        self._undo = []
        try:
            yield
        except BaseException:
            for collection, key, before in reversed(self._undo):
                if before is None:
                    del self.rows[collection][key]
                else:
                    self.rows[collection][key] = before
            raise
        finally:
            self._undo = None

    def insert(self, collection: str, payload: Row) -> str:
        """Create a row and those nested in it; give its id."""
        key = str(payload.get("id") or uuid4())
        _check_uuid(key)
        if key in self.rows[collection]:
            message = f'Value "{key}" for field "id" in collection "{collection}" has to be unique.'
            raise Refusal(400, "RECORD_NOT_UNIQUE", message)
        row: Row = {name: field.default for name, field in FIELDS[collection].items()} | {"id": key}
        for name, field in FIELDS[collection].items():
            special = field.meta.get("special", ())
            if "date-created" in special:
                row[name] = moment(datetime.now(UTC).isoformat())
            elif "user-created" in special:
                row[name] = ERLEAH_USER_ID
        self._keep(collection, key, row)
        self._write(collection, key, {name: value for name, value in payload.items() if name != "id"})
        return key

    def update(self, collection: str, key: str, payload: Row) -> None:
        """Change a row and what is nested in it."""
        if key not in self.rows[collection]:
            raise forbidden(f'You don\'t have permissions to perform "update" for collection "{collection}".')
        self._write(collection, key, {name: value for name, value in payload.items() if name != "id"})

    def delete(self, collection: str, key: str) -> None:
        """Delete a row, and what its links' ``on delete`` says of the others."""
        for other, name in REVERSES[collection].values():
            for linked in [k for k, row in self.rows[other].items() if row[name] == key]:
                if FIELDS[other][name].on_delete == "CASCADE":
                    self.delete(other, linked)
                else:
                    self._keep(other, linked, self.rows[other][linked] | {name: None})
        self._note(collection, key)
        del self.rows[collection][key]

    def linked(self, collection: str, key: str, alias: str) -> list[Row]:
        """The rows at the other end of ``alias``, by id, as Directus gives them."""
        other, name = REVERSES[collection][alias]
        return sorted((row for row in self.rows[other].values() if row[name] == key), key=lambda row: str(row["id"]))

    def _write(self, collection: str, key: str, payload: Row) -> None:
        row = dict(self.rows[collection][key])
        for name, value in payload.items():
            field = FIELDS[collection].get(name)
            if field is None:
                continue  # aliases come below; fields nobody knows are passed over, as Directus does
            if field.links_to in FIELDS and value is not None:
                row[name] = self._link(str(field.links_to), value)
            elif field.type == "timestamp":
                row[name] = moment(value)
            else:
                row[name] = copy.deepcopy(value)
        self._keep(collection, key, row)
        for alias, (other, name) in REVERSES[collection].items():
            if alias in payload:
                self._relink(other, name, key, payload[alias])

    def _link(self, target: str, value: object) -> str:
        """The id a link points to; a nested row is created or changed first."""
        if isinstance(value, dict):
            nested = str(value.get("id", ""))
            if nested in self.rows[target]:
                self.update(target, nested, value)
                return nested
            return self.insert(target, value)
        if str(value) not in self.rows[target]:
            raise Refusal(400, "INVALID_FOREIGN_KEY", "Invalid foreign key.")
        return str(value)

    def _relink(self, other: str, name: str, key: str, nested: list[Any]) -> None:
        """Make ``nested`` the whole list at the other end; rows no longer in it lose their link."""
        kept = {str(item.get("id", "") if isinstance(item, dict) else item) for item in nested}
        for linked in [k for k, row in self.rows[other].items() if row[name] == key and k not in kept]:
            self._keep(other, linked, self.rows[other][linked] | {name: None})
        for item in nested:
            row = item if isinstance(item, dict) else {"id": item}
            if str(row.get("id", "")) in self.rows[other]:
                self.update(other, str(row["id"]), row | {name: key})
            else:
                self.insert(other, row | {name: key})

    def _keep(self, collection: str, key: str, row: Row) -> None:
        self._note(collection, key)
        self.rows[collection][key] = row

    def _note(self, collection: str, key: str) -> None:
        if self._undo is not None:
            self._undo.append((collection, key, self.rows[collection].get(key)))


def _check_uuid(key: str) -> None:
    try:
        UUID(key)
    except ValueError:
        raise forbidden() from None

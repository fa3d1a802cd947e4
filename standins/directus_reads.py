"""Queries over the stand-in's tables: who may see what, filters, sorting, fields."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.access import ERLEAH_PERMISSIONS, VISITOR_PERMISSIONS
from services.directus_names import CONVERSATIONS, MESSAGES
from standins.directus_filters import Refusal, Row, fits
from standins.directus_tables import FIELDS, REVERSES, Tables, forbidden

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.fields import Field

__all__ = ["Access", "Query", "Reader"]

_DEFAULT_LIMIT = 100
"""Directus's QUERY_LIMIT_DEFAULT."""


@dataclass(frozen=True)
class Access:
    """What a token may do; ``conversation`` is a share's one row."""

    permissions: frozenset[tuple[str, str]] = frozenset()
    conversation: str | None = None

    @classmethod
    def service(cls) -> Access:
        """Erleah's own user."""
        return cls(frozenset(ERLEAH_PERMISSIONS))

    @classmethod
    def visitor(cls, conversation: str) -> Access:
        """A share of a conversation."""
        return cls(frozenset(VISITOR_PERMISSIONS), conversation)

    def check(self, collection: str, action: str) -> None:
        """Refuse what the token's role has no permission for."""
        if (collection, action) not in self.permissions:
            message = f'You don\'t have permission to access collection "{collection}" or it does not exist.'
            raise forbidden(message)

    def sees(self, collection: str, row: Row) -> bool:
        """Whether a share reaches the row; everyone else sees all rows of a collection."""
        if self.conversation is None:
            return True
        own = {CONVERSATIONS: "id", MESSAGES: "conversation_id"}.get(collection)
        return own is not None and row[own] == self.conversation


@dataclass(frozen=True)
class Query:
    """The parts of a Directus query that Erleah uses."""

    filter: dict[str, Any] = field(default_factory=dict)
    fields: Sequence[str] = ("*",)
    sort: Sequence[str] = ()
    limit: int = _DEFAULT_LIMIT
    page: int = 1


class Reader:
    """Reads tables with one token's eyes."""

    def __init__(self, tables: Tables, access: Access) -> None:
        self._tables = tables
        self._access = access

    def matching(self, collection: str, query: Query) -> list[Row]:
        """The rows that match, sorted and cut, whole."""
        self._access.check(collection, "read")
        self._check_rules(collection, query.filter)
        rows = self._candidates(collection, query.filter)
        rows = [row for row in rows if self._access.sees(collection, row)]
        rows = [row for row in rows if self._fits(collection, row, query.filter)]
        rows.sort(key=lambda row: str(row["id"]))
        for name in reversed(query.sort):
            bare = name.removeprefix("-")
            self._known(collection, bare)
            rows.sort(key=lambda row, by=bare: _sort_key(row[by]), reverse=name != bare)  # type: ignore[misc]  # mypy can't type a lambda's default
        if query.limit < 0:
            return rows
        start = (query.page - 1) * query.limit
        return rows[start : start + query.limit]

    def _candidates(self, collection: str, rules: dict[str, Any]) -> list[Row]:
        """The rows that a filter may fit: those of its ids where it names any, as from a database's index."""
        rows = self._tables.rows[collection]
        for part in (rules, *rules.get("_and", ())):
            match part.get("id"):
                case {"_eq": str(key)}:
                    return [rows[key]] if key in rows else []
                case {"_in": [*keys]}:
                    return [rows[key] for key in dict.fromkeys(map(str, keys)) if key in rows]
        return list(rows.values())

    def read(self, collection: str, query: Query) -> list[Row]:
        """The rows that match, with the fields asked for."""
        self.shown(collection, dict.fromkeys(FIELDS[collection]), query.fields)  # refuses fields also where no row is
        return [self.shown(collection, row, query.fields) for row in self.matching(collection, query)]

    def shown(self, collection: str, row: Row, fields: Sequence[str]) -> Row:
        """A row's fields: ``*``, names, and names of linked rows' fields behind a dot."""
        result: Row = {}
        nested: dict[str, list[str]] = {}
        for name in fields:
            head, _, rest = name.partition(".")
            if head == "*":
                result |= {own: copy.deepcopy(row[own]) for own in FIELDS[collection] if own not in nested}
                result |= {alias: self._ids(collection, row, alias) for alias in REVERSES[collection]}
            elif rest:
                nested.setdefault(head, []).append(rest)
            elif head in REVERSES[collection]:
                result[head] = self._ids(collection, row, head)
            else:
                self._known(collection, head)
                result[head] = copy.deepcopy(row[head])
        for name, inner in nested.items():
            if self._may_follow(collection, name):
                result[name] = self._nested(collection, row, name, inner)
        return result

    def _may_follow(self, collection: str, name: str) -> bool:
        """Whether the token sees what a link leads to; Directus leaves the field out when it doesn't."""
        back = REVERSES[collection].get(name)
        target = back[0] if back is not None else self._known(collection, name).links_to
        return (target, "read") in self._access.permissions

    def _ids(self, collection: str, row: Row, alias: str) -> list[str]:
        other, _ = REVERSES[collection][alias]
        linked = self._tables.linked(collection, row["id"], alias)
        return [one["id"] for one in linked if self._access.sees(other, one)]

    def _nested(self, collection: str, row: Row, name: str, inner: Sequence[str]) -> Any:  # noqa: ANN401 - a row or rows
        if name in REVERSES[collection]:
            other, _ = REVERSES[collection][name]
            linked = self._tables.linked(collection, row["id"], name)
            return [self.shown(other, one, inner) for one in linked if self._access.sees(other, one)]
        target = str(self._known(collection, name).links_to)
        one = self._tables.rows[target].get(str(row[name]))
        if one is None or not self._access.sees(target, one):
            return None
        return self.shown(target, one, inner) or row[name]  # the bare id where nothing inside may be seen

    def _fits(self, collection: str, row: Row, rules: dict[str, Any]) -> bool:
        for name, rule in rules.items():
            if name == "_and":
                good = all(self._fits(collection, row, part) for part in rule)
            elif name == "_or":
                good = not rule or any(self._fits(collection, row, part) for part in rule)
            elif name in REVERSES[collection]:
                other = REVERSES[collection][name][0]
                good = any(self._fits(other, one, rule) for one in self._tables.linked(collection, row["id"], name))
            else:
                good = self._field_fits(collection, row, name, rule)
            if not good:
                return False
        return True

    def _field_fits(self, collection: str, row: Row, name: str, rule: dict[str, Any]) -> bool:
        own = FIELDS[collection][name]
        if _is_plain(rule):
            return fits(row[name], own.type, rule)
        target = str(own.links_to)
        linked = self._tables.rows[target].get(str(row[name]))
        return linked is not None and self._fits(target, linked, rule)

    def _check_rules(self, collection: str, rules: dict[str, Any]) -> None:
        """Refuse rules on unknown fields and unknown operators, also where no row is."""
        for name, rule in rules.items():
            if name in ("_and", "_or"):
                for part in rule:
                    self._check_rules(collection, part)
                continue
            if name in REVERSES[collection]:
                other = REVERSES[collection][name][0]
            elif _is_plain(rule):
                fits(None, self._known(collection, name).type, rule)
                continue
            else:
                other = str(self._known(collection, name).links_to)
            if other not in FIELDS:
                raise Refusal(400, "INVALID_QUERY", f'Invalid query. "{name}" is no relation.')
            self._access.check(other, "read")
            self._check_rules(other, rule)

    def _known(self, collection: str, name: str) -> Field:
        if name not in FIELDS[collection]:
            message = (
                f'You don\'t have permission to access field "{name}" in collection "{collection}" '
                "or it does not exist. Queried in root."
            )
            raise forbidden(message)
        return FIELDS[collection][name]


def _is_plain(rule: dict[str, Any]) -> bool:
    """Whether these are operators on the field itself, not rules on what it links to."""
    return all(operator.startswith("_") for operator in rule)


def _sort_key(value: object) -> tuple[bool, Any]:
    """Nothing comes before something, as in SQLite."""
    return (value is not None, value if value is not None else 0)

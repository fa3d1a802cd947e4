"""What workers reach for: whose rows they search and read, and whatever else they ask their servers for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from chaos.writes import is_write, rows_in
from services.directus_names import CONFERENCES, CONVERSATIONS, EXHIBITORS, MESSAGES, SESSIONS, SPEAKERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chaos.house import Replica

__all__ = ["Reached", "conferences_read", "conferences_searched"]

_READS = ("GET", "SEARCH")
_CONTENT = frozenset({SESSIONS, EXHIBITORS, SPEAKERS})
_ASKED_OF_POINTS = ("/points/query", "/points/scroll", "/points/count")
_NOWHERE = ""
"""Stands for "of every conference": a search or a read that names none."""


class Reached:
    """All that passes these workers' taps from now on, until they are let go.

    ``searched`` and ``read``: the conferences whose points or rows were asked for, "" among them where a request
    named none. ``written``: the ids of all rows that were written. ``strange``: requests that no answer needs.
    """

    def __init__(self, replicas: Iterable[Replica]) -> None:
        self.searched: set[str] = set()
        self.searches = 0
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.strange: list[str] = []
        for replica in replicas:
            replica.to_qdrant.after = self._of_qdrant
            replica.to_directus.after = self._of_directus

    def _of_qdrant(self, request: bytes) -> None:
        found = conferences_searched(request)
        self.searches += len(found)
        self.searched.update(found)

    def _of_directus(self, request: bytes) -> None:
        method, path = _line(request)
        collection = path.split("/")[2] if path.startswith("/items/") else ""
        if is_write(request) or (method, collection) == ("POST", MESSAGES):
            self.written.update(str(row["id"]) for row in _rows(request))
        elif collection in _CONTENT or collection == CONFERENCES:
            self.read.update(conferences_read(request))
        elif not (method in _READS and (collection in {MESSAGES, CONVERSATIONS} or path.startswith("/server/"))):
            self.strange.append(f"{method} {path}")


def conferences_searched(request: bytes) -> list[str]:
    """The conference of each search in a request to Qdrant, "" where one names none."""
    method, path = _line(request)
    if method != "POST" or not any(asked in path for asked in _ASKED_OF_POINTS):
        return []
    body = _body(request)
    return [_conference_of(one) for one in body.get("searches", [body])]


def _conference_of(search: dict[str, Any]) -> str:
    """Only a condition that must hold by itself keeps a search within a conference."""
    must = (search.get("filter") or {}).get("must") or []
    named = [one["match"]["value"] for one in must if one.get("key") == "conference_id" and "value" in one["match"]]
    return str(named[0]) if named else _NOWHERE


def conferences_read(request: bytes) -> list[str]:
    """The conferences whose rows a request to Directus can give, "" where it names none."""
    method, path = _line(request)
    _, _, collection, *key = path.split("/")
    if collection == CONFERENCES:
        return [key[0] if key else _NOWHERE]
    target = request.split(b" ", 2)[1].decode()
    asked = (
        _body(request)["query"]
        if method == "SEARCH"
        else {k: v[0] for k, v in parse_qs(urlsplit(target).query).items()}
    )
    wanted = asked.get("filter") or {}
    wanted = json.loads(wanted) if isinstance(wanted, str) else wanted
    conditions = wanted.get("_and", [wanted])
    named = [one["conference_id"]["_eq"] for one in conditions if "_eq" in (one.get("conference_id") or {})]
    return [str(named[0]) if named else _NOWHERE]


def _line(request: bytes) -> tuple[str, str]:
    """The method and the path, without its query."""
    method, target, *_ = request.split(b" ", 2)
    return method.decode(), urlsplit(target.decode()).path


def _body(request: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.partition(b"\r\n\r\n")[2] or b"{}")
    return body


def _rows(request: bytes) -> list[dict[str, Any]]:
    """The rows of a write, be it one alone."""
    rows = rows_in(request)
    return rows or [_body(request)]

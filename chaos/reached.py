"""What workers reach for: whose rows they search and read, and whatever else they ask their servers for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from chaos.writes import is_write, rows_in
from services.answer_ids import answer_id_of
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

    def unlike(self, conferences: set[str], asked: Iterable[str]) -> list[str]:
        """What was reached beyond these conferences and the rows of the messages ``asked``, said in words."""
        known = set(asked)
        found = [
            (self.searched - conferences, "searched in another conference"),
            (self.read - conferences, "read in another conference"),
            (self.written - known - set(map(answer_id_of, known)), "rows written that are nobody's"),
            (set(self.strange), "asked of Directus"),
        ]
        said = [f"{what}: {sorted(which)[:3]}" for which, what in found if which]
        return said if self.searches else [*said, "no search was seen: it proved nothing"]


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
    _, path = _line(request)
    _, _, collection, *key = path.split("/")
    if collection == CONFERENCES and key:
        return [key[0]]
    conditions = _filter_of(request).get("_and", [_filter_of(request)])
    field = "id" if collection == CONFERENCES else "conference_id"
    named = [one[field]["_eq"] for one in conditions if "_eq" in (one.get(field) or {})]
    return [str(named[0]) if named else _NOWHERE]


def _filter_of(request: bytes) -> dict[str, Any]:
    """The filter of a read, from its address or, of a long one, from its body."""
    if request.startswith(b"SEARCH "):
        wanted = _body(request)["query"].get("filter")
    else:
        query = parse_qs(urlsplit(request.split(b" ", 2)[1].decode()).query)
        wanted = json.loads(query["filter"][0]) if "filter" in query else None
    return wanted or {}


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

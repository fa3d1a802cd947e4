"""Whose rows a worker asks for is read from its requests; one that names no conference is of all of them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import pytest

from chaos.reached import Reached, conferences_read, conferences_searched
from services.answer_ids import answer_id_of
from standins.tap import Tap

if TYPE_CHECKING:
    from chaos.house import Replica

OWN, OTHER, MESSAGE = "own", "other", "11111111-1111-4111-8111-111111111111"
SEARCH = "POST /collections/sessions_master/points/query/batch?timeout=5"


def request(line: str, body: Any = None) -> bytes:  # noqa: ANN401 - any JSON
    return f"{line} HTTP/1.1\r\nhost: s\r\n\r\n{'' if body is None else json.dumps(body)}".encode()


def search(*must: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"query": {"nearest": [0.1]}, "filter": {"must": list(must), **more}}


def of(conference: str) -> dict[str, Any]:
    return {"key": "conference_id", "match": {"value": conference}}


def read(collection: str, wanted: Any) -> bytes:  # noqa: ANN401 - any filter
    return request(f"GET /items/{collection}?filter={quote(json.dumps(wanted))}&fields=id")


def test_each_search_of_a_batch_names_its_conference_or_is_of_all() -> None:
    room = {"key": "room", "match": {"value": "A"}}
    body = {"searches": [search(of(OWN)), search(room, of(OTHER)), search(room), {"query": {"nearest": [0.1]}}]}
    assert conferences_searched(request(SEARCH, body)) == [OWN, OTHER, "", ""]
    assert conferences_searched(request(SEARCH, {"searches": [search(should=[of(OWN), room])]})) == [""]
    assert conferences_searched(request("POST /collections/c/points/scroll", search(of(OWN)))) == [OWN]
    assert conferences_searched(request("GET /collections/c")) == []


@pytest.mark.parametrize(
    ("asked", "conference"),
    [
        (read("sessions", {"conference_id": {"_eq": OWN}}), OWN),
        (read("speakers", {"_and": [{"id": {"_in": ["a"]}}, {"conference_id": {"_eq": OWN}}]}), OWN),
        (read("speakers", {"_or": [{"id": {"_in": ["a"]}}, {"conference_id": {"_eq": OWN}}]}), ""),
        (read("sessions", {"id": {"_eq": "a"}}), ""),
        (request("GET /items/sessions/a?fields=id"), ""),
        (request("SEARCH /items/sessions", {"query": {"filter": {"conference_id": {"_eq": OWN}}}}), OWN),
        (request("SEARCH /items/sessions", {"query": {"limit": 3}}), ""),
        (request(f"GET /items/conferences/{OWN}?fields=*"), OWN),
        (read("conferences", {"id": {"_eq": OWN}}), OWN),
        (request("GET /items/conferences?limit=-1"), ""),
    ],
)
def test_a_read_names_its_conference_or_is_of_all(asked: bytes, conference: str) -> None:
    assert conferences_read(asked) == [conference]


def reached(*, of_qdrant: tuple[bytes, ...] = (), of_directus: tuple[bytes, ...] = ()) -> Reached:
    taps = SimpleNamespace(to_qdrant=Tap(1), to_directus=Tap(2))
    seen = Reached([cast("Replica", taps)])
    for tap, requests in ((taps.to_qdrant, of_qdrant), (taps.to_directus, of_directus)):
        for each in requests:
            tap.after(each)
    return seen


def test_a_turn_that_stays_within_is_told_from_one_that_does_not() -> None:
    """Its own searches, reads and rows are let be; anything beyond is named."""
    own = (request(SEARCH, {"searches": [search(of(OWN))]}),)
    writes = (
        request("PATCH /items/messages?fields=id", [{"id": answer_id_of(MESSAGE)}, {"id": MESSAGE}]),
        request("POST /items/messages", {"id": answer_id_of(MESSAGE)}),
        request("GET /items/messages?limit=1"),
        request("GET /server/ping"),
        read("sessions", {"conference_id": {"_eq": OWN}}),
    )
    assert reached(of_qdrant=own, of_directus=writes).unlike({OWN}, [MESSAGE]) == []
    assert reached(of_directus=writes).unlike({OWN}, [MESSAGE]) == ["no search was seen: it proved nothing"]
    for strange, said in (
        (read("sessions", {"conference_id": {"_eq": OTHER}}), "read in another conference: ['other']"),
        (request("PATCH /items/messages", [{"id": "x"}]), "rows written that are nobody's: ['x']"),
        (request("DELETE /items/messages/x"), "asked of Directus: ['DELETE /items/messages/x']"),
        (request("GET /users"), "asked of Directus: ['GET /users']"),
        (request("PATCH /items/sessions/x", {"title": "y"}), "read in another conference: ['']"),
    ):
        assert reached(of_qdrant=own, of_directus=(*writes, strange)).unlike({OWN}, [MESSAGE]) == [said]

"""Vectors: the same promises in memory, at a path and over HTTP, and what is said to a server over HTTP."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from qdrant_client import models

from services.errors import ConflictError, NotFoundError, ServiceRejectedError, ServiceUnavailableError
from services.vectors import AnyOf, Either, Every, Hit, Match, Nearest, Not, Point, Range, Record, Vectors
from services.vectors.server_filters import as_filter
from standins.qdrant import QdrantStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

KEY = "qdrant-key-never-to-be-seen"
NINE = datetime(2026, 7, 8, 9, tzinfo=UTC)


def uid(number: int) -> str:
    return str(UUID(int=number))


def point(number: int, vector: list[float], **payload: Any) -> Point:  # noqa: ANN401 - any JSON
    return Point(uid(number), vector, payload)


@pytest.fixture(params=["memory", "path", "over HTTP"])
async def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Vectors]:
    """Each engine, and the stand-in for a server that benchmarks and faults use: it keeps the same promises."""
    if request.param == "over HTTP":
        standin = QdrantStandIn()
        made = Vectors("http://qdrant.example:6333", transport=httpx.ASGITransport(standin.app))
        yield made
        await made.aclose()
        await standin.aclose()
        return
    made = Vectors("embedded://" if request.param == "memory" else f"embedded://{tmp_path}/index")
    yield made
    await made.aclose()


@pytest.fixture
async def filled(vectors: Vectors) -> Vectors:
    """Six sessions, an hour apart from nine o'clock, in two conferences and two rooms."""
    await vectors.create_collection("talks", 2, {"conference_id": "tenant", "start_time": "datetime"})
    await vectors.upsert(
        "talks",
        [
            point(
                number,
                [1.0, number / 10],
                conference_id="a" if number < 4 else "b",
                room="Hall A" if number % 2 else "Hall B",
                start_time=(NINE + timedelta(hours=number)).isoformat(),
            )
            for number in range(6)
        ],
    )
    return vectors


async def found(vectors: Vectors, *where: Any, at_least: float | None = None) -> list[int]:  # noqa: ANN401 - conditions
    hits = await vectors.search(Nearest("talks", [1.0, 0.0], 10, tuple(where), at_least))
    return [UUID(hit.id).int for hit in hits]


async def test_the_nearest_come_first_by_their_cosine(filled: Vectors) -> None:
    """Hits are in order of cosine, which is their score, and carry their payload."""
    hits = await filled.search(Nearest("talks", [2.0, 0.0], 2))
    assert [UUID(hit.id).int for hit in hits] == [0, 1]
    assert hits[1].score == pytest.approx(1 / 1.01**0.5)
    assert hits[0].payload["room"] == "Hall B"


async def test_conditions_narrow_and_all_of_them_must_hold(filled: Vectors) -> None:
    """Match, any of, not, ranges (start in, end out) and alternatives."""
    assert await found(filled, Match("conference_id", "b")) == [4, 5]
    assert await found(filled, Match("conference_id", "a"), AnyOf("room", ("Hall A", "Hall C"))) == [1, 3]
    assert await found(filled, AnyOf("room", ())) == []
    assert await found(filled, Not(AnyOf("room", ("Hall A",)))) == [0, 2, 4]
    two_hours = Range("start_time", NINE + timedelta(hours=1), NINE + timedelta(hours=3))
    assert await found(filled, two_hours) == [1, 2]
    assert await found(filled, Either((two_hours, Range("start_time", NINE + timedelta(hours=5))))) == [1, 2, 5]
    first = Every((two_hours, Range("start_time", None, NINE + timedelta(hours=2))))
    assert await found(filled, Either((first, Range("start_time", NINE + timedelta(hours=5))))) == [1, 5]
    assert await found(filled, at_least=0.97) == [0, 1, 2]


async def test_many_searches_are_answered_in_the_order_asked(filled: Vectors) -> None:
    """Searches of several collections at once do not mix."""
    await filled.create_collection("people", 2, {})
    await filled.upsert("people", [point(7, [0.0, 1.0])])
    wanted = [
        Nearest("talks", [1.0, 0.0], 1),
        Nearest("people", [1.0, 0.0], 5),
        Nearest("talks", [1.0, 0.0], 9, (Match("conference_id", "b"),)),
    ]
    answers = await filled.search_many(wanted)
    assert [[UUID(hit.id).int for hit in hits] for hits in answers] == [[0], [7], [4, 5]]


async def test_points_are_written_read_counted_and_deleted(filled: Vectors) -> None:
    """Overwriting, keeping what exists, payloads alone, deletion by id and by condition."""
    await filled.upsert("talks", [point(0, [0.0, 1.0], room="new"), point(9, [0.0, 1.0])], keep_existing=True)
    assert await filled.count("talks") == 7
    assert [one.payload["room"] for one in await filled.retrieve("talks", [uid(0), uid(77)])] == ["Hall B"]
    await filled.overwrite_payloads("talks", [Record(uid(0), {"room": "moved"})])
    assert (await filled.retrieve("talks", [uid(0)]))[0].payload == {"room": "moved"}
    assert (await found(filled))[0] == 0
    await filled.delete("talks", [uid(0), uid(77)])
    await filled.delete_where("talks", [Match("conference_id", "b")])
    assert sorted([UUID(one.id).int async for page in filled.scroll("talks") for one in page]) == [1, 2, 3, 9]


async def test_scrolling_reads_all_pages(vectors: Vectors) -> None:
    """More points than a page holds come exactly once each."""
    await vectors.create_collection("many", 2, {})
    await vectors.upsert(
        "many", [point(number, [1.0, 0.0], parity="odd" if number % 2 else "even") for number in range(520)]
    )
    pages = [page async for page in vectors.scroll("many", [Match("parity", "even")])]
    assert len(pages) == 2
    assert len({one.id for page in pages for one in page}) == 260


async def test_what_was_written_is_in_the_next_search(filled: Vectors) -> None:
    """The same search again, behind each kind of write."""
    assert await found(filled, Match("room", "Hall A")) == [1, 3, 5]
    await filled.upsert("talks", [point(7, [1.0, 0.0], room="Hall A")])
    assert await found(filled, Match("room", "Hall A")) == [7, 1, 3, 5]
    await filled.overwrite_payloads("talks", [Record(uid(7), {"room": "moved"})])
    assert await found(filled, Match("room", "Hall A")) == [1, 3, 5]
    await filled.delete("talks", [uid(3)])
    assert await found(filled, Match("room", "Hall A")) == [1, 5]


async def test_deleting_without_a_condition_is_refused(filled: Vectors) -> None:
    """An empty condition is a mistake, not a wish to lose everything."""
    with pytest.raises(ValueError, match="drop_collection"):
        await filled.delete_where("talks", [])


async def test_aliases_switch_together(vectors: Vectors) -> None:
    """Two aliases change what they stand for in one call, and searches by alias follow."""
    for number, name in enumerate(("one", "two")):
        assert await vectors.create_collection(name, 2, {})
        await vectors.upsert(name, [point(number, [1.0, 0.0])])
    await vectors.switch_aliases({"live": "one", "also": "one"})
    await vectors.switch_aliases({"live": "two", "also": "two"})
    assert await vectors.aliases() == {"live": "two", "also": "two"}
    assert [UUID(hit.id).int for hit in await vectors.search(Nearest("live", [1.0, 0.0], 5))] == [1]
    await vectors.drop_collection("two")
    assert await vectors.aliases() == {}
    assert await vectors.collections() == ["one"]


async def test_making_a_collection_twice_keeps_the_first(filled: Vectors) -> None:
    """The second making is no error, and says that nothing was made."""
    assert not await filled.create_collection("talks", 2, {})
    assert await filled.count("talks") == 6


async def test_what_is_not_there_and_what_does_not_fit_are_told_apart(filled: Vectors) -> None:
    """A missing collection is not found; a vector of another size is refused; both are our errors."""
    assert await filled.vector_size("talks") == 2
    assert await filled.vector_size("nothing") is None
    with pytest.raises(NotFoundError, match="nothing"):
        await filled.search(Nearest("nothing", [1.0, 0.0], 1))
    with pytest.raises(ServiceRejectedError):
        await filled.upsert("talks", [point(1, [1.0, 0.0, 0.0])])
    with pytest.raises(NotFoundError):
        await filled.switch_aliases({"live": "nothing"})


async def test_a_path_keeps_what_was_written(tmp_path: Path) -> None:
    """Closed and opened again, collections, points and aliases are there."""
    first = Vectors(f"embedded://{tmp_path}/kept")
    await first.create_collection("c", 2, {})
    await first.upsert("c", [point(1, [1.0, 0.0], name="x")])
    await first.switch_aliases({"a": "c"})
    await first.aclose()
    again = Vectors(f"embedded://{tmp_path}/kept")
    assert [hit.payload for hit in await again.search(Nearest("a", [1.0, 0.0], 1))] == [{"name": "x"}]
    await again.aclose()


async def test_a_path_keeps_what_was_written_before_its_process_was_killed(tmp_path: Path) -> None:
    """SIGKILL right behind a write: the point, its collection and the alias are there for the next process."""
    url = f"embedded://{tmp_path}/kept"
    code = (
        "import asyncio, os, signal\n"
        "from services.vectors import Point, Vectors\n"
        "async def write():\n"
        f"    vectors = Vectors({url!r})\n"
        "    await vectors.create_collection('c', 2, {'conference_id': 'tenant'}, words=True)\n"
        "    await vectors.switch_aliases({'a': 'c'})\n"
        f"    await vectors.upsert('c', [Point({uid(1)!r}, [1.0, 0.0], {{'name': 'x'}}, {{7: 1.0}})])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(write())\n"
    )
    command = [sys.executable, "-c", code]
    killed = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    again = Vectors(url)
    assert [hit.payload for hit in await again.search(Nearest("a", {7: 1.0}, 1))] == [{"name": "x"}]
    await again.aclose()


async def test_a_collection_that_was_never_finished_is_swept(tmp_path: Path) -> None:
    """A shard that no catalogue names is gone at the next opening; what is named stays."""
    first = Vectors(f"embedded://{tmp_path}")
    await first.create_collection("c", 2, {})
    await first.aclose()
    (tmp_path / "shard-unfinished").mkdir()
    again = Vectors(f"embedded://{tmp_path}")
    assert await again.collections() == ["c"]
    assert await again.count("c") == 0
    await again.aclose()
    assert not (tmp_path / "shard-unfinished").exists()


async def test_a_damaged_catalogue_is_said_and_nothing_is_guessed(tmp_path: Path) -> None:
    """The error names the file and what to do; the file stays as it is."""
    (tmp_path / "catalogue.json").write_text("{")
    vectors = Vectors(f"embedded://{tmp_path}")
    with pytest.raises(ServiceUnavailableError, match=r"catalogue\.json is damaged; .*reindex --full"):
        await vectors.ping()
    await vectors.aclose()
    assert (tmp_path / "catalogue.json").read_text() == "{"


async def test_a_second_process_on_a_path_is_told_who_holds_it(tmp_path: Path) -> None:
    """The error says that another process holds the path and what to do about it."""
    holder = Vectors(f"embedded://{tmp_path}/held")
    await holder.ping()
    code = (
        "import asyncio\n"
        "from services.vectors import Vectors\n"
        f"asyncio.run(Vectors('embedded://{tmp_path}/held').ping())\n"
    )
    command = [sys.executable, "-c", code]
    second = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    await holder.aclose()
    assert second.returncode == 1
    assert "ServiceUnavailableError" in second.stderr
    assert "held by another process" in second.stderr
    assert "QDRANT_URL" in second.stderr


async def test_a_path_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    """A file where the folder should be is an error that names the setting."""
    (tmp_path / "file").write_text("")
    vectors = Vectors(f"embedded://{tmp_path}/file/index")
    with pytest.raises(ServiceUnavailableError, match="QDRANT_URL"):
        await vectors.ping()
    await vectors.aclose()


@pytest.mark.parametrize("vectors", ["memory", "path"], indirect=True)
async def test_the_event_loop_goes_on_while_the_embedded_engine_works(vectors: Vectors) -> None:
    """During a write of 3,000 points the loop takes many turns; run inline, it would take none."""
    await vectors.create_collection("many", 64, {})
    points = [point(number, [float(number % 7), *[1.0] * 63]) for number in range(3_000)]
    writing = asyncio.create_task(vectors.upsert("many", points))
    turns = 0
    while not writing.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert await vectors.count("many") == 3_000
    assert turns > 5


# A server, over HTTP.


def over_http(handler: Callable[[httpx.Request], httpx.Response], url: str = "https://q.example:6333") -> Vectors:
    return Vectors(url, KEY, transport=httpx.MockTransport(handler))


def ok(result: object) -> httpx.Response:
    return httpx.Response(200, json={"result": result, "status": "ok", "time": 0.0})


async def test_a_server_is_told_conditions_aliases_and_modes_in_its_own_words() -> None:
    """What goes over the wire is Qdrant's REST API: one batch a collection, one call for all aliases."""
    seen: list[tuple[str, str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        body: Any = json.loads(request.content) if request.content else None
        seen.append((request.method, request.url.path, body))
        assert request.headers["api-key"] == KEY
        match request.url.path:
            case "/collections/talks/points/query/batch":
                hit = {"id": uid(1), "version": 1, "score": 0.5, "payload": {"room": "Hall A"}}
                return ok([{"points": [hit]}] * len(body["searches"]))
            case "/aliases":
                return ok({"aliases": [{"alias_name": "live", "collection_name": "old"}]})
            case "/collections/aliases" | "/collections/talks":
                return ok(result=True)
            case _:
                return ok({"operation_id": 1, "status": "completed"})

    vectors = over_http(handler)
    where = (Match("conference_id", "a"), Either((Range("start_time", NINE),)), AnyOf("room", ("Hall A",)))
    hits = await vectors.search(Nearest("talks", [1.0, 0.0], 3, where, 0.2))
    assert (hits[0].id, hits[0].score, hits[0].payload) == (uid(1), 0.5, {"room": "Hall A"})
    [search] = seen[-1][2]["searches"]
    assert (search["limit"], search["score_threshold"], search["query"]) == (3, 0.2, {"nearest": [1.0, 0.0]})
    assert search["filter"]["must"][0] == {"key": "conference_id", "match": {"value": "a"}}
    assert search["filter"]["must"][1]["should"][0]["range"] == {"gte": "2026-07-08T09:00:00Z"}
    assert search["filter"]["must"][2]["match"] == {"any": ["Hall A"]}

    await vectors.switch_aliases({"live": "talks", "fresh": "talks"})
    assert seen[-1][1] == "/collections/aliases"
    assert [next(iter(action)) for action in seen[-1][2]["actions"]] == ["delete_alias", "create_alias", "create_alias"]

    await vectors.upsert("talks", [point(1, [1.0, 0.0])], keep_existing=True)
    assert seen[-1][2]["update_mode"] == "insert_only"

    await vectors.create_collection("talks", 2, {"conference_id": "tenant", "start_time": "datetime"})
    made = [body for _, path, body in seen if path == "/collections/talks/index"]
    assert made[0] == {"field_name": "conference_id", "field_schema": {"type": "keyword", "is_tenant": True}}
    assert made[1] == {"field_name": "start_time", "field_schema": "datetime"}
    await vectors.aclose()


@pytest.mark.parametrize(
    ("status", "said", "error", "says"),
    [
        (401, "no", ServiceRejectedError, "QDRANT_API_KEY"),
        (404, "Collection `x` doesn't exist!", NotFoundError, "doesn't exist"),
        (409, "Collection `x` already exists!", ConflictError, "already exists"),
        (400, "Vector dimension error", ServiceRejectedError, "dimension error"),
        (503, "loading", ServiceUnavailableError, "loading"),
        (429, "slow down", ServiceUnavailableError, "can't answer now"),
    ],
)
async def test_a_servers_answers_become_our_errors(status: int, said: str, error: type[Exception], says: str) -> None:
    """Each status is the error whose catcher does the right thing; none of them holds the key."""
    vectors = over_http(lambda _: httpx.Response(status, json={"status": {"error": said}, "time": 0.0}))
    with pytest.raises(error, match=says) as caught:
        await vectors.count("x")
    assert KEY not in f"{caught.value!r} {caught.value.__cause__!r}"
    await vectors.aclose()


async def test_a_server_that_is_busy_and_says_for_how_long_is_unavailable() -> None:
    """A 429 with Retry-After, which the client raises as an error of its own kind, is ours too."""
    vectors = over_http(lambda _: httpx.Response(429, json={"status": {"error": "x"}}, headers={"Retry-After": "1"}))
    with pytest.raises(ServiceUnavailableError):
        await vectors.count("x")
    await vectors.aclose()


async def test_a_dropped_connection_is_tried_again() -> None:
    """Two connections in a row may break without the caller noticing."""
    calls = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise httpx.RemoteProtocolError("dropped", request=request)
        return ok({"count": 5})

    vectors = over_http(handler)
    assert await vectors.count("x") == 5
    await vectors.aclose()


async def test_a_server_that_is_away_is_named_without_its_password() -> None:
    """Nobody listens at port 9: the error names the address and QDRANT_URL."""
    vectors = Vectors("http://me:hidden@127.0.0.1:9")
    with pytest.raises(
        ServiceUnavailableError, match=r"not reachable at http://127\.0\.0\.1:9; .*QDRANT_URL"
    ) as caught:
        await vectors.ping()
    assert caught.value.service == "qdrant"
    assert "hidden" not in str(caught.value)
    await vectors.aclose()


async def test_a_server_is_asked_as_its_api_has_it_and_answers_in_our_words() -> None:
    """The request is what qdrant-client's own models say; a reply of another shape is a server that can't be used."""
    asked: list[dict[str, Any]] = []
    replies: list[Any] = [
        {"result": [{"points": [{"id": uid(1), "version": 3, "score": 1, "payload": None}]}, {"points": []}]},
        {"result": [{"points": [{"id": uid(1)}]}]},
        {"result": None},
        ["nothing"],
    ]

    def server(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/collections/talks/points/query/batch"
        assert request.url.params["timeout"] == "5"
        asked.append(json.loads(request.content))
        return httpx.Response(200, json=replies[len(asked) - 1])

    vectors = Vectors("http://qdrant.example:6333", transport=httpx.MockTransport(server))
    where = (Match("conference_id", "a"), Either((Range("start_time", NINE), AnyOf("room", ("Hall A",)))))
    wanted = [Nearest("talks", [1.0, 0.5], 3, where, 0.25, ("room",)), Nearest("talks", {7: 0.5, 9: 1.0}, 2)]
    assert await vectors.search_many(wanted) == [[Hit(uid(1), 1.0, {})], []]
    said = models.QueryRequestBatch.model_validate(asked[0])
    assert said.model_dump(mode="json", exclude_none=True) == asked[0]
    assert [one.limit for one in said.searches] == [3, 2]
    assert [one.with_payload for one in said.searches] == [["room"], True]
    assert [one.score_threshold for one in said.searches] == [0.25, None]
    assert said.searches[0].query == models.NearestQuery(nearest=[1.0, 0.5])
    assert said.searches[0].filter == as_filter(where)
    assert said.searches[1].query == models.NearestQuery(nearest=models.SparseVector(indices=[7, 9], values=[0.5, 1.0]))
    for _ in replies[1:]:
        with pytest.raises(ServiceUnavailableError):
            await vectors.search(wanted[0])
    await vectors.aclose()

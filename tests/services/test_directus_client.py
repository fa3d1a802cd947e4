"""How the client behaves when Directus is away, busy or says no; what Directus itself does is the contract's."""

from __future__ import annotations

import asyncio
import json
import re
import time
import traceback
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from services.directus.client import Directus
from services.errors import (
    AccessDeniedError,
    ConflictError,
    ErleahError,
    InvalidInputError,
    NotFoundError,
    ServiceRejectedError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "0b3cdd4e-6b4c-4a53-8a5c-3d0b7a1a2f10"
TOKEN = "very-secret-token"

Answer = httpx.Response | httpx.TransportError


class Script(httpx.AsyncBaseTransport):
    """Answers in order, the last one for ever; keeps what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.TransportError):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def data(value: object) -> httpx.Response:
    return httpx.Response(200, json={"data": value})


def error(status: int, code: str = "SOME_CODE", message: str = "some words", **headers: str) -> httpx.Response:
    body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def client(script: Script, *, retry_for_s: float = 2.0, url: str = "http://directus.test") -> Directus:
    return Directus(url, TOKEN, transport=script, retry_for_s=retry_for_s)


SAFE: dict[str, Callable[[Directus], Any]] = {
    "read": lambda d: d.read_items("messages"),
    "count": lambda d: d.count_items("messages"),
    "create with id": lambda d: d.create_item("messages", {"id": KEY}),
    "create many with ids": lambda d: d.create_items("messages", [{"id": KEY}]),
    "update by id": lambda d: d.update_item("messages", KEY, {"seq": 1}),
    "update many, asked to retry": lambda d: d.update_items("messages", [{"id": KEY}], retry=True),
    "delete": lambda d: d.delete_items("messages", [KEY]),
}
UNSAFE: dict[str, Callable[[Directus], Any]] = {
    "create without id": lambda d: d.create_item("messages", {"role": "user"}),
    "create many, one without id": lambda d: d.create_items("messages", [{"id": KEY}, {}]),
    "update many": lambda d: d.update_items("messages", [{"id": KEY}]),
    "update where": lambda d: d.update_where("messages", {"id": {"_eq": KEY}}, {"status": "answered"}),
    "share": lambda d: d.create_share("conversations", KEY, role=KEY),
    "open share": lambda d: d.open_share(KEY),
    "ping": lambda d: d.ping(),
}
PASSING: list[Answer] = [
    error(503, "SERVICE_UNAVAILABLE", "Under pressure"),
    error(429, "REQUESTS_EXCEEDED"),
    error(500),
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.ReadTimeout("silent"),
    httpx.RemoteProtocolError("closed"),
]


def name_of(answer: Answer) -> str:
    return str(answer.status_code) if isinstance(answer, httpx.Response) else type(answer).__name__


@pytest.mark.parametrize("call", SAFE.values(), ids=SAFE)
async def test_a_call_that_may_run_twice_is_tried_again(call: Callable[[Directus], Any]) -> None:
    script = Script(error(503), error(503), data([{"id": KEY, "count": 1}]))
    if call is SAFE["create with id"] or call is SAFE["update by id"]:
        script.answers[-1] = data({"id": KEY})
    await call(client(script))
    assert len(script.asked) == 3


@pytest.mark.parametrize("call", UNSAFE.values(), ids=UNSAFE)
async def test_a_call_that_may_not_run_twice_is_tried_once(call: Callable[[Directus], Any]) -> None:
    script = Script(error(503), data([]))
    with pytest.raises(ServiceUnavailableError):
        await call(client(script))
    assert len(script.asked) == 1


@pytest.mark.parametrize("answer", PASSING, ids=name_of)
async def test_what_passes_is_waited_out(answer: Answer) -> None:
    script = Script(answer, data([{"id": KEY}]))
    assert await client(script).read_items("messages") == [{"id": KEY}]


@pytest.mark.parametrize("answer", PASSING, ids=name_of)
async def test_what_does_not_pass_is_service_unavailable_in_bounded_time(answer: Answer) -> None:
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError) as caught:
        await client(Script(answer), retry_for_s=0.1).read_items("messages")
    assert time.monotonic() - began < 0.4
    assert caught.value.service == "directus"
    assert "http://directus.test" in str(caught.value)


async def test_a_silent_directus_is_given_up_in_bounded_time() -> None:
    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(60)
            raise AssertionError

    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError, match=r"within 0\.2 s"):
        await Directus("http://directus.test", None, transport=Silent(), retry_for_s=0.2).read_items("messages")
    assert time.monotonic() - began < 1


async def test_directus_away_says_where_it_was_looked_for_and_what_to_do() -> None:
    what_to_do = re.escape("not reachable at http://directus.test; start it or set DIRECTUS_URL")
    with pytest.raises(ServiceUnavailableError, match=what_to_do):
        await client(Script(httpx.ConnectError("refused"))).ping()


async def test_retry_after_is_honoured() -> None:
    script = Script(error(429, retry_after="1"), data([]))
    began = time.monotonic()
    await client(script, retry_for_s=5).read_items("messages")
    assert 1.0 <= time.monotonic() - began < 2.0


async def test_a_wish_longer_than_the_time_left_ends_at_once_and_is_passed_on() -> None:
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError) as caught:
        await client(Script(error(429, retry_after="3600"))).read_items("messages")
    assert time.monotonic() - began < 0.5
    assert caught.value.retry_after_s == 3600


async def test_no_retries_when_none_are_wanted() -> None:
    script = Script(error(503), data([]))
    with pytest.raises(ServiceUnavailableError):
        await client(script, retry_for_s=0).read_items("messages")
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(401, "INVALID_CREDENTIALS"), AccessDeniedError),
        (error(401, "TOKEN_EXPIRED"), AccessDeniedError),
        (error(403, "FORBIDDEN"), AccessDeniedError),
        (error(400, "RECORD_NOT_UNIQUE"), ConflictError),
        (error(400, "FAILED_VALIDATION", "Validation failed for field role"), ServiceRejectedError),
        (error(422, "UNPROCESSABLE_CONTENT"), ServiceRejectedError),
        (error(404, "ROUTE_NOT_FOUND"), ServiceRejectedError),
        (httpx.Response(413, text="<html>nginx</html>"), ServiceRejectedError),
        (httpx.Response(301, headers={"location": "https://directus.test/"}), ServiceRejectedError),
        (httpx.Response(200, text="<html>not Directus</html>"), ServiceRejectedError),
        (httpx.Response(502, text="<html>bad gateway</html>"), ServiceUnavailableError),
        (httpx.Response(503, json={"errors": "odd"}), ServiceUnavailableError),
    ],
    ids=lambda value: name_of(value) if isinstance(value, httpx.Response) else value.__name__,
)
async def test_an_answer_becomes_the_error_that_says_what_to_do(
    answer: httpx.Response, kind: type[ErleahError]
) -> None:
    script = Script(answer)
    with pytest.raises(kind) as caught:
        await client(script, retry_for_s=0).create_item("messages", {"id": KEY})
    assert type(caught.value) is kind
    assert len(script.asked) == 1


async def test_a_rejection_names_the_collection_and_directus_s_reason() -> None:
    script = Script(error(400, "FAILED_VALIDATION", "Validation failed for field role"))
    with pytest.raises(
        ServiceRejectedError, match=r"/items/messages .*FAILED_VALIDATION.*Validation failed for field role"
    ):
        await client(script).create_item("messages", {"id": KEY})


async def test_directus_s_words_are_cut_before_they_hold_a_whole_text() -> None:
    with pytest.raises(ServiceRejectedError) as caught:
        await client(Script(error(400, "X", "y" * 10_000))).create_item("messages", {"id": KEY})
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("answer", [*PASSING, error(401), error(403), error(400)], ids=name_of)
async def test_no_token_and_no_password_comes_out_with_an_error(answer: Answer) -> None:
    directus = client(Script(answer), retry_for_s=0.05, url="http://user:url-password@directus.test/")
    with pytest.raises(ErleahError) as caught:
        await directus.read_items("messages")
    said = "".join(traceback.format_exception(caught.value)) + repr(directus) + repr(vars(directus)) + directus.url
    assert TOKEN not in said
    assert "url-password" not in said


@pytest.mark.parametrize("token", ["two\nlines", "ü", "a b", "x" * 5000])
async def test_a_token_that_is_none_is_refused_before_it_reaches_a_header(token: str) -> None:
    script = Script(data([]))
    with pytest.raises(AccessDeniedError) as caught:
        await client(script).with_token(token).read_items("messages")
    assert token not in str(caught.value)
    assert script.asked == []


async def test_a_view_uses_its_own_token_and_closing_it_closes_nothing() -> None:
    script = Script(data([]))
    directus = client(script)
    async with directus.with_token("visitor") as view:
        await view.read_items("messages")
    await directus.with_token(None).read_items("messages")
    await directus.read_items("messages")
    assert [request.headers.get("authorization") for request in script.asked] == [
        "Bearer visitor",
        None,
        f"Bearer {TOKEN}",
    ]


@pytest.mark.parametrize("collection", ["", "messages/x", "../users", "messages?x", "a b", "1", "x" * 65])
async def test_a_collection_s_name_can_not_alter_the_path(collection: str) -> None:
    script = Script(data([]))
    with pytest.raises(InvalidInputError):
        await client(script).read_items(collection)
    assert script.asked == []


@pytest.mark.parametrize("path", ["items/messages", "/items/../users", "/items/messages?x=1", "/items/messages#x"])
async def test_a_path_stays_in_its_place(path: str) -> None:
    script = Script(data([]))
    with pytest.raises(InvalidInputError):
        await client(script).request("GET", path)
    assert script.asked == []


async def test_an_update_without_a_filter_is_refused() -> None:
    script = Script(data([]))
    with pytest.raises(InvalidInputError, match="every row"):
        await client(script).update_where("messages", {}, {"status": "answered"})
    assert script.asked == []


async def test_nothing_to_write_asks_nothing() -> None:
    script = Script(data([]))
    directus = client(script)
    assert await directus.create_items("messages", []) == []
    assert await directus.update_items("messages", []) == []
    assert await directus.read_by_ids("messages", []) == []
    await directus.delete_items("messages", [])
    assert script.asked == []


async def test_an_array_patch_is_one_request_with_every_row_in_it() -> None:
    script = Script(data([{"id": KEY}]))
    rows = [{"id": KEY, "messageText": "Grüße 🎉", "seq": 3}, {"id": KEY[::-1], "messageText": "", "seq": 1}]
    await client(script).update_items("messages", rows, fields=["id", "status"])
    (request,) = script.asked
    assert (request.method, request.url.path, request.url.params["fields"]) == ("PATCH", "/items/messages", "id,status")
    assert json.loads(request.content) == rows


async def test_a_query_travels_in_the_address_and_only_a_long_one_in_the_body() -> None:
    """Proxies know GET better than SEARCH, and cut addresses at 8 kB."""
    script = Script(data([]))
    directus = client(script)
    await directus.read_items("messages", filter={"id": {"_in": [KEY] * 50}}, sort=["-seq"], limit=5, page=2)
    await directus.read_items("messages", filter={"id": {"_in": [KEY] * 500}}, sort=["-seq"], limit=5, page=2)
    short, long = script.asked
    assert short.method == "GET"
    assert json.loads(short.url.params["filter"]) == {"id": {"_in": [KEY] * 50}}
    assert [short.url.params[name] for name in ("sort", "limit", "page")] == ["-seq", "5", "2"]
    query = {"filter": {"id": {"_in": [KEY] * 500}}, "sort": ["-seq"], "limit": 5, "page": 2}
    assert (long.method, dict(long.url.params), json.loads(long.content)) == ("SEARCH", {}, {"query": query})


async def test_an_administrator_s_silence_about_a_missing_row_is_not_found_too() -> None:
    with pytest.raises(NotFoundError):
        await client(Script(httpx.Response(204))).update_item("messages", KEY, {"seq": 1})


async def test_a_path_prefix_of_the_address_is_kept() -> None:
    script = Script(data([]))
    await client(script, url="https://example.com/cms/").read_items("messages")
    assert script.asked[0].url.path == "/cms/items/messages"


async def test_a_cancelled_call_stays_cancelled() -> None:
    """A time-out of the caller's ends the waits between tries as well."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client(Script(error(503)), retry_for_s=30).read_items("messages")

"""What every answer has: a correlation id, one shape of errors, safe headers, CORS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.webhook.conftest import SECRET, Door, opened_door, some_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WIDGET = "https://conference.example"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/nothing-here", 404),
        ("GET", "/api/messages", 405),
        ("POST", "/hooks/message-created", 401),
        ("POST", "/hooks/message-created/", 404),
        ("POST", "/api/messages", 401),
        ("POST", "/api/conversations", 422),
        ("GET", "/widget/nothing-here.js", 404),
        ("GET", "/metrics", 200),
    ],
)
async def test_every_answer_carries_the_callers_id_and_every_error_has_one_shape(
    door: Door, method: str, path: str, status: int
) -> None:
    answer = await door.http.request(method, path, headers={"X-Correlation-ID": "abc-1.2_3"})
    assert answer.status_code == status
    assert answer.headers.get_list("X-Correlation-ID") == ["abc-1.2_3"]
    if status >= 400:
        error = answer.json()
        assert {"error", "message", "request_id"} <= set(error) <= {"error", "message", "detail", "request_id"}
        assert error["request_id"] == "abc-1.2_3"


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "a\tb", "<script>", "a;b", "ünsafe".encode().decode("latin-1")])
async def test_an_id_that_is_not_sane_is_replaced(door: Door, sent: str) -> None:
    answer = await door.http.get("/health", headers={b"X-Correlation-ID": sent.encode("latin-1")})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Correlation-ID"])


async def test_each_request_without_an_id_gets_one_of_its_own(door: Door) -> None:
    first, second = [(await door.http.get("/health")).headers["X-Correlation-ID"] for _ in range(2)]
    assert first != second


@pytest.mark.parametrize("environment", ["development", "production"])
async def test_what_nobody_foresaw_is_a_500_that_tells_nothing(
    environment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = {"directus_api_key": "k" * 24, "directus_webhook_secret": SECRET}
    async with opened_door(environment=environment, cors_origins=(WIDGET,), **secrets) as door:
        private = "the-secret-of-it"  # on a line of its own: a trace shows the line that raises

        async def broken(*_: object, **__: object) -> bool:
            raise ZeroDivisionError(private)

        monkeypatch.setattr(door.queue, "enqueue", broken)
        body = {"event": "messages.items.create", "collection": "messages", "key": some_id()}
        answer = await door.hook("/hooks/message-created", body, Origin=WIDGET, **{"X-Correlation-ID": "trace-me"})
    assert (answer.status_code, answer.json()["error"]) == (500, "internal")
    assert answer.headers["X-Correlation-ID"] == answer.json()["request_id"] == "trace-me"
    assert answer.headers["Access-Control-Allow-Origin"] == WIDGET
    assert "the-secret-of-it" not in answer.text
    assert ("ZeroDivisionError" in answer.text) == (environment == "development")
    logged = "".join(capsys.readouterr())
    assert "ZeroDivisionError" in logged
    assert "trace-me" in logged
    assert "the-secret-of-it" not in logged


async def test_every_answer_tells_browsers_to_be_careful(door: Door) -> None:
    for path in ("/health", "/nothing-here", "/widget/config.json"):
        headers = (await door.http.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.fixture
async def known_widget() -> AsyncIterator[Door]:
    """A door that knows one widget's origin."""
    async with opened_door(cors_origins=f"{WIDGET}/") as door:
        yield door


async def test_a_known_widgets_browser_may_call_and_read(known_widget: Door) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = await known_widget.http.options("/api/messages", headers={"Origin": WIDGET, **ask})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == WIDGET
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    answer = await known_widget.http.post("/api/messages", json={}, headers={"Origin": WIDGET})
    assert answer.headers["Access-Control-Allow-Origin"] == WIDGET
    assert "X-Correlation-ID" in answer.headers["Access-Control-Expose-Headers"]


async def test_another_pages_browser_may_not(known_widget: Door) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = await known_widget.http.options("/api/messages", headers=headers)
    assert (preflight.status_code, preflight.json()["error"]) == (400, "cors")
    assert preflight.json()["request_id"] == preflight.headers["X-Correlation-ID"]
    answer = await known_widget.http.post("/api/messages", json={}, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_without_origins_set_no_other_page_may(door: Door) -> None:
    answer = await door.http.get("/health", headers={"Origin": WIDGET})
    assert "Access-Control-Allow-Origin" not in answer.headers

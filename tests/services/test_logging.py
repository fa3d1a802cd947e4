"""Logs carry a trace id, and neither secrets nor what people wrote."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from services.errors import NotFoundError
from services.logging import bind_trace, configure_logging, get_logger
from services.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping


@contextmanager
def json_logs(log_format: str = "json") -> Iterator[None]:
    """Log to the stderr of this very moment, and put back what was there."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    configure_logging(
        Settings(directus_api_key="k", directus_webhook_secret="s", log_format=log_format, _env_file=None)
    )
    try:
        yield
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


def logged(written: str, event: str) -> dict[str, Any]:
    """The one line of this event; what an earlier test left to the garbage collector may speak up at any time."""
    (found,) = [line for line in map(json.loads, written.splitlines()) if line["event"] == event]
    return dict(found)


def test_each_line_is_json_with_the_trace_of_its_task(capsys: pytest.CaptureFixture[str]) -> None:
    with json_logs():
        bind_trace("abc", message_id="m1")
        get_logger("room").info("turn.ended", attempt=2)
    line = logged(capsys.readouterr().err, "turn.ended")
    assert (line["event"], line["trace_id"], line["message_id"], line["attempt"]) == ("turn.ended", "abc", "m1", 2)
    assert (line["level"], line["logger"]) == ("info", "room")


def test_a_line_below_the_level_is_not_even_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is done for it that only its reader would need."""
    made: list[str] = []

    def note(_logger: object, method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        made.append(method)
        return event

    monkeypatch.setattr("services.logging._mask_private", note)
    with json_logs():
        get_logger("room").debug("turn.step", state="plan")
        get_logger("room").info("turn.ended")
    assert made == ["info"]
    assert json.loads(capsys.readouterr().err)["event"] == "turn.ended"


def test_private_values_are_masked_whatever_their_case(capsys: pytest.CaptureFixture[str]) -> None:
    with json_logs():
        get_logger("room").warning("odd", messageText="my diagnosis", Authorization="Bearer x", api_key="sk-1", size=3)
    written = capsys.readouterr().err
    assert "diagnosis" not in written
    assert "Bearer" not in written
    assert "sk-1" not in written
    assert logged(written, "odd")["size"] == 3


def test_a_libraries_line_has_the_same_form_and_its_requests_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with json_logs():
        logging.getLogger("httpx").info("GET https://cms.example.com/items/messages?filter=secret")
        logging.getLogger("elsewhere").warning("heard")
    written = capsys.readouterr().err
    assert logged(written, "heard")["logger"] == "elsewhere"
    assert "httpx" not in written


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_shows_where_and_not_what_it_quotes(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    """Type and frames of every link of the chain and of a group; the words only of our own errors."""
    private = "my diagnosis"  # the frames show a line of the source, which is no secret

    def fail() -> None:
        raise ValueError(private)

    def fail_again() -> None:
        try:
            fail()
        except ValueError as error:
            raise ExceptionGroup(private, [KeyError(private), NotFoundError("no such row")]) from error

    with json_logs(log_format):
        try:
            fail_again()
        except ExceptionGroup:
            get_logger("room").exception("tool.failed")
            logging.getLogger("elsewhere").exception("heard")
    written = capsys.readouterr().err
    assert "diagnosis" not in written
    assert written.count("in fail") >= 4
    assert written.count("KeyError") >= 2
    assert written.count("NotFoundError: no such row") == 2


async def test_a_task_that_nobody_awaited_shows_no_words_of_its_exception(capsys: pytest.CaptureFixture[str]) -> None:
    private = "my diagnosis"

    async def fail() -> None:
        raise ValueError(private)

    with json_logs():
        task = asyncio.ensure_future(fail())
        await asyncio.wait({task})
        del task
        gc.collect()
        await asyncio.sleep(0)
    written = capsys.readouterr().err
    assert "Task exception was never retrieved" in written
    assert "ValueError" in written
    assert "diagnosis" not in written

"""Logs carry a trace id, and neither secrets nor what people wrote."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from services.logging import bind_trace, configure_logging, get_logger
from services.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextmanager
def json_logs() -> Iterator[None]:
    """Log to the stderr of this very moment, and put back what was there."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    configure_logging(Settings(directus_api_key="k", directus_webhook_secret="s", _env_file=None))
    try:
        yield
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


def test_each_line_is_json_with_the_trace_of_its_task(capsys: pytest.CaptureFixture[str]) -> None:
    with json_logs():
        bind_trace("abc", message_id="m1")
        get_logger("room").info("turn.ended", attempt=2)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["trace_id"], line["message_id"], line["attempt"]) == ("turn.ended", "abc", "m1", 2)
    assert (line["level"], line["logger"]) == ("info", "room")


def test_private_values_are_masked_whatever_their_case(capsys: pytest.CaptureFixture[str]) -> None:
    with json_logs():
        get_logger("room").warning("odd", messageText="my diagnosis", Authorization="Bearer x", api_key="sk-1", size=3)
    written = capsys.readouterr().err
    assert "diagnosis" not in written
    assert "Bearer" not in written
    assert "sk-1" not in written
    assert json.loads(written)["size"] == 3


def test_a_libraries_line_has_the_same_form_and_its_requests_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with json_logs():
        logging.getLogger("httpx").info("GET https://cms.example.com/items/messages?filter=secret")
        logging.getLogger("elsewhere").warning("heard")
    assert json.loads(capsys.readouterr().err)["event"] == "heard"

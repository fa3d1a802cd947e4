"""The terminal: data on stdout, talk on stderr, and the settings a command starts with."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from services.logging import configure_logging
from services.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from services.settings import Settings

ResultT = TypeVar("ResultT")

__all__ = ["command_settings", "data", "is_terminal", "mark", "own_command", "run", "say"]


def command_settings() -> Settings:
    """The settings, with logs for people and quiet ones: a command talks by itself."""
    settings = load_settings().model_copy(update={"log_format": "console", "log_level": "ERROR"})
    configure_logging(settings)
    return settings


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def say(text: str = "") -> None:
    """Tell the person something."""
    click.echo(text, err=True)


def data(value: str | dict[str, Any] | list[Any]) -> None:
    """Give the result: text as it is, anything else as JSON."""
    click.echo(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))


def mark(*, ok: bool) -> str:
    """A tick or a cross, in colour where there is a terminal."""
    sign = "✓" if ok else "✗"
    return click.style(sign, fg="green" if ok else "red") if is_terminal() else sign


def is_terminal() -> bool:
    """Whether a person watches stderr, so that progress may move."""
    return sys.stderr.isatty()


def own_command() -> str:
    """What a person types in this folder to call this very ``erleah``, which may not be on the PATH."""
    called = Path(sys.argv[0])
    if called.suffix == ".py":
        return f"{shlex.quote(sys.executable)} -m cli.main"
    on_path = shutil.which(called.name)
    is_on_path = on_path is not None and called.exists() and called.samefile(on_path)
    return called.name if is_on_path else shlex.quote(str(called))

"""The ``erleah`` command: its list of commands, and the one place where their errors end."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
import traceback
from typing import Any

import click

from services.errors import ConfigurationError, ErleahError, InvalidInputError

__all__ = ["cli", "main"]

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "demo": "cli.demo:demo",
    "doctor": "cli.doctor:doctor",
    "bootstrap": "cli.bootstrap:bootstrap",
    "load": "cli.load:load",
    "reindex": "cli.reindex:reindex",
    "search": "cli.search:search",
    "ask": "cli.ask:ask",
    "status": "cli.status:status",
    "replay": "cli.replay:replay",
    "webhook": "cli.processes:webhook",
    "worker": "cli.processes:worker",
    "health": "cli.health:health",
}
"""In the order in which a newcomer needs them; each is imported when it is called."""


_COMMAND_AT_THE_END = re.compile(r"\berleah (--)?[a-z]+[^;.:]*$")


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="erleah", message="erleah %(version)s")
@click.option("--debug", is_flag=True, help="Show the trace of an error.")
def cli(*, debug: bool) -> None:
    """Answers people's questions inside Directus.

    New here? `erleah demo` runs everything on this machine, with a real conference.
    """


def main(arguments: list[str] | None = None) -> int:  # noqa: PLR0911 - one return for each way to end
    """Run one command: 0 done, 1 failed, 2 wrong usage, 130 ended by Ctrl-C."""
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    try:
        result: Any = cli.main(args=words, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return WRONG_USAGE
    except click.ClickException as error:
        _tell(f"{error.format_message().rstrip('.')}; see how it is called with: {_command(words)} --help")
        return WRONG_USAGE if isinstance(error, click.UsageError) else FAILED
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("", err=True)
        return INTERRUPTED
    except ErleahError as error:
        if debug:
            traceback.print_exc()
        _tell(_with_a_way_out(error, _command(words)))
        return FAILED
    except Exception as error:  # noqa: BLE001 - a defect is told in one line as well; --debug shows where
        if debug:
            traceback.print_exc()
        again = shlex.join(["erleah", "--debug", *(word for word in words if word != "--debug")])
        _tell(f"something unexpected: {error!r}; see where with: {again}")
        return FAILED
    return result if isinstance(result, int) else DONE


def _tell(error: str) -> None:
    """One line, whatever the error brings with it."""
    click.echo(f"erleah: {' '.join(error.split())}", err=True)


def _command(words: list[str]) -> str:
    """The command that was called; no option before it takes a value, so it is the first word that is one."""
    called = next((word for word in words if not word.startswith("-")), "")
    return f"erleah {called}" if called in COMMANDS else "erleah"


def _with_a_way_out(error: ErleahError, command: str) -> str:
    """The error's own words if they end with a command; else the command that mends it behind them."""
    text = " ".join(str(error).split()).rstrip(".;")
    if _COMMAND_AT_THE_END.search(text):
        return text
    match error:
        case ConfigurationError():
            return f"{text}; when that is mended, run again: {command}"
        case InvalidInputError():
            return f"{text}; see what it takes with: {command} --help"
        case _:
            return f"{text}; see what is wrong with: erleah doctor"


if __name__ == "__main__":
    sys.exit(main())

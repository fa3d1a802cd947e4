"""``erleah bootstrap``: makes what Directus must have, and says what it made and what was there."""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

import click

from cli.terminal import command_settings, run, say
from services.directus.client import Directus
from services.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.report import Report
    from services.settings import Settings

__all__ = ["bootstrap", "bootstrap_directus", "tell"]

_PLURALS = {"policy": "policies"}
_TIE = "\x00"
_WIDEST = 110


@click.command()
@click.option(
    "--secret-from-env/--secret-in-flows",
    default=None,
    help="Flows read the hook's secret from Directus's own environment (DIRECTUS_WEBHOOK_SECRET, "
    "allowed by FLOWS_ENV_ALLOW_LIST), or hold it. Without either it goes on as it is; new Flows hold it.",
)
def bootstrap(*, secret_from_env: bool | None) -> int:
    """Make collections, role, policy and flows in Directus.

    Needs DIRECTUS_ADMIN_TOKEN. Adds what is missing and never drops or narrows what it finds.
    """
    settings = command_settings()
    report = run(bootstrap_directus(settings, secret_from_env=secret_from_env))
    tell(report)
    return 0


async def bootstrap_directus(settings: Settings, *, secret_from_env: bool | None = None) -> Report:
    """Provision the Directus of the settings; raises ConfigurationError without an admin token."""
    from provision.provisioner import provision

    if settings.directus_admin_token is None:
        raise ConfigurationError("DIRECTUS_ADMIN_TOKEN is required here; set it in the environment or in .env")
    api_key = settings.directus_api_key.get_secret_value()
    async with Directus(settings.directus_url, settings.directus_admin_token.get_secret_value()) as admin:
        return await provision(
            admin,
            service=admin.with_token(api_key),
            api_key=api_key,
            webhook_url=settings.webhook_public_url,
            webhook_secret=settings.directus_webhook_secret.get_secret_value(),
            secret_from_env=secret_from_env,
        )


def tell(report: Report) -> None:
    """Say what was made, changed and found."""
    for what in report.made:
        say(f"  made     {what}")
    for what in report.changed:
        say(f"  changed  {what}")
    for line in _there(report.found):
        say(line)
    for note in report.notes:
        say(f"  note     {note}")
    for problem in report.problems:
        say(f"  look at  {problem}")
    if report.changed_nothing:
        say(f"Directus has all {len(report.found)} things Erleah needs; nothing changed.")
    else:
        say(f"Made {len(report.made)}, changed {len(report.changed)}, found {len(report.found)}.")
        say("Next: erleah load DIR, then erleah reindex --wait")


def _there(found: list[str]) -> list[str]:
    """What was there, a line for each kind; of the many only how many each collection or role has."""
    by_kind: dict[str, list[str]] = {}
    for what in found:
        kind, _, name = what.partition(" ")
        by_kind.setdefault(kind, []).append(name)
    lines: list[str] = []
    width = min(shutil.get_terminal_size(fallback=(_WIDEST, 0)).columns, _WIDEST)
    for kind, names in by_kind.items():
        shown = names
        if kind == "field":
            shown = _counted(name.partition(".")[0] for name in names)
        elif kind == "permission":
            shown = _counted(name.removeprefix("of ").partition(":")[0] for name in names)
        head = f"  there    {_PLURALS.get(kind, kind + 's'):<12} "
        # Names hold together: one of two words is not torn apart.
        text = ", ".join(name.replace(" ", _TIE) for name in shown)
        wrapped = textwrap.wrap(text, width - len(head), break_long_words=False, break_on_hyphens=False) or [""]
        for start, part in zip([head, *[" " * len(head)] * len(wrapped)], wrapped, strict=False):
            lines.append(start + part.replace(_TIE, " "))
    return lines


def _counted(names: Iterable[str]) -> list[str]:
    return [f"{name} {count}" for name, count in Counter(names).items()]

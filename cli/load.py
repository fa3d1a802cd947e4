"""``erleah load``: a folder of conference files into Directus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.terminal import command_settings, run, say
from services.directus.client import Directus

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.load_report import LoadReport
    from services.settings import Settings

__all__ = ["load", "load_data", "tell"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
def load(folder: Path) -> int:
    """Load conference.json, sessions.json, speakers.json and exhibitors.json into Directus.

    Rows are matched by id: loading twice changes nothing. Rows that can't be loaded are named, the others are
    loaded, and the exit code is 1.
    """
    settings = command_settings()
    report = run(load_data(settings, folder, progress=say))
    tell(report)
    _tell_ignored(report)
    say("Next: erleah reindex --wait")
    return 1 if any(count.skipped for count in report.counts.values()) else 0


async def load_data(
    settings: Settings, folder: Path, *, progress: Callable[[str], None] = lambda _line: None
) -> LoadReport:
    """Load a folder into the Directus of the settings; ``progress`` is told how far it is, a line at a time."""
    from ingest.load import load_folder

    async with Directus(settings.directus_url, settings.directus_api_key.get_secret_value()) as directus:
        return await load_folder(directus, folder, report=progress)


def tell(report: LoadReport) -> None:
    """Say what was written and what was left out."""
    for collection, count in report.counts.items():
        say(
            f"  {collection:<18} {count.created} new, {count.updated} changed, "
            f"{count.unchanged} as they were, {count.skipped} left out"
        )
    for problem in report.problems:
        say(f"  left out     {problem}")


def _tell_ignored(report: LoadReport) -> None:
    """Say which fields of the files have no place in Directus: a misspelt name is among them, or nothing is amiss."""
    for collection, fields in report.ignored_fields.items():
        if fields:
            named = ", ".join(f"{name} ({count})" for name, count in sorted(fields.items()))
            say(f"  fields unknown to {collection}, not loaded: {named}")

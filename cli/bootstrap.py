"""``erleah bootstrap``: makes what Directus must have, and says what it made and what was there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.terminal import command_settings, run, say
from services.directus.client import Directus
from services.errors import ConfigurationError

if TYPE_CHECKING:
    from provision.report import Report
    from services.settings import Settings

__all__ = ["bootstrap", "bootstrap_directus"]


@click.command()
@click.option(
    "--secret-from-env",
    is_flag=True,
    help="Flows read the hook's secret from Directus's own environment (DIRECTUS_WEBHOOK_SECRET, "
    "allowed by FLOWS_ENV_ALLOW_LIST) instead of holding it.",
)
def bootstrap(*, secret_from_env: bool) -> int:
    """Make collections, role, policy and flows in Directus.

    Needs DIRECTUS_ADMIN_TOKEN. Adds what is missing and never drops or narrows what it finds.
    """
    settings = command_settings()
    report = run(bootstrap_directus(settings, secret_from_env=secret_from_env))
    tell(report)
    return 0


async def bootstrap_directus(settings: Settings, *, secret_from_env: bool = False) -> Report:
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
    for problem in report.problems:
        say(f"  look at  {problem}")
    if report.changed_nothing:
        say(f"Directus has all {len(report.found)} things Erleah needs; nothing changed.")
    else:
        say(f"Made {len(report.made)}, changed {len(report.changed)}, found {len(report.found)}.")
        say("Next: erleah load DIR, then erleah reindex --wait")

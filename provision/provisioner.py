"""``provision``: brings a Directus to what Erleah needs, as often as it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.access import AccessBuilder
from provision.answers_flow import AnswersFlowBuilder
from provision.flows import FLOWS, FlowBuilder
from provision.report import Report
from provision.schema import COLLECTIONS
from provision.schema_builder import SchemaBuilder
from provision.secret_history import FORGETTING_FLOW_NAME, SecretHistory
from services.directus_names import ANSWERS_FLOW_NAME
from services.errors import AccessDeniedError, ConfigurationError, InvalidInputError, ServiceRejectedError

if TYPE_CHECKING:
    from provision.api import DirectusApi

__all__ = ["provision"]


async def provision(  # noqa: PLR0913 - each is one setting of the operator's
    admin: DirectusApi,
    *,
    service: DirectusApi,
    api_key: str,
    webhook_url: str,
    webhook_secret: str,
    secret_from_env: bool | None = None,
) -> Report:
    """Make the collections, access and Flows that are missing; change nothing else.

    ``admin`` calls with an administrator's token, ``service`` with ``api_key``, the static token
    that Erleah's own user gets. ``webhook_url`` is where Directus reaches the receiver. With
    ``secret_from_env`` the Flows take the secret from Directus's environment (see
    ``SECRET_FROM_ENV``) and ``webhook_secret`` is not written anywhere; without (False) it lies in
    the Flows' steps, and nowhere else; None leaves Flows that read it from the environment so.

    Raises ConfigurationError when the licence leaves no room, the admin token is none, or the key
    is another user's; any other ErleahError when Directus is away or refuses. What was made until
    then stays, and the next call goes on from there.
    """
    report = Report()
    await _require_admin(admin)
    has_room = await _require_room(admin)
    await SchemaBuilder(admin, report).build()
    await AccessBuilder(admin, report).build(service=service, api_key=api_key)
    history = SecretHistory(admin, report)
    await history.forget()
    await FlowBuilder(admin, report).build(
        receiver_url=webhook_url.rstrip("/"), secret=webhook_secret, secret_from_env=secret_from_env
    )
    await history.forget(of_this_run=True)
    if has_room:
        await AnswersFlowBuilder(admin, report).build()
    else:
        report.problems.append(
            f"The licence leaves no room for the Flow {ANSWERS_FLOW_NAME!r}: answers are written without it, "
            "with twice the work for Directus where many are written at once."
        )
    return report


async def _require_admin(admin: DirectusApi) -> None:
    """Ask for something that only administrators see, so that nothing is half made."""
    try:
        await admin.request("GET", "/settings", params={"fields": "id"})
        await admin.request("GET", "/flows", params={"limit": 1, "fields": "id"})
    except (AccessDeniedError, ServiceRejectedError, InvalidInputError) as error:
        raise ConfigurationError(
            "DIRECTUS_ADMIN_TOKEN is not an administrator's token of this Directus; "
            "make one in the Studio (your user, Token) and run erleah bootstrap again"
        ) from error


async def _require_room(admin: DirectusApi) -> bool:
    """Refuse to begin what the licence would stop in the middle; whether the Flow one can do without has room too.

    Directus 12 without a key allows 25 collections and 5 flows; versions before 12 have no limit
    and no ``/license``.
    """
    try:
        licence = await admin.request("GET", "/license")
    except (AccessDeniedError, ServiceRejectedError, InvalidInputError):
        return True
    entitlements = (licence or {}).get("entitlements") or {}
    collections = await admin.request("GET", "/collections")
    own = [
        row for row in collections if not row["collection"].startswith("directus_") and row.get("schema") is not None
    ]
    flows = await admin.request("GET", "/flows", params={"fields": "id,name,status", "limit": -1})
    wanted = {collection.name for collection in COLLECTIONS} | {row["collection"] for row in own}
    active = {row["name"] for row in flows if row["status"] == "active"} | {flow.name for flow in FLOWS}
    active.discard(FORGETTING_FLOW_NAME)  # left behind by a run that broke off, and soon gone
    for what, count in (("collections", len(wanted)), ("flows", len(active))):
        limit = _limit(entitlements, what)
        if limit is not None and count > limit:
            raise ConfigurationError(
                f"this Directus's licence allows {limit} {what} and with Erleah's there would be {count}; "
                f"remove some that are not needed, or add a licence key, and run erleah bootstrap again"
            )
    most = _limit(entitlements, "flows")
    return most is None or len(active | {ANSWERS_FLOW_NAME}) <= most


def _limit(entitlements: dict[str, Any], what: str) -> int | None:
    limit = (entitlements.get(what) or {}).get("limit")
    return limit if isinstance(limit, int) and limit >= 0 else None

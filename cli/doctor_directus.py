"""The doctor's look into Directus: what Erleah's token may do there, and whether the Flows are as they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.access import ERLEAH_PERMISSIONS, AccessBuilder
from provision.answers_flow import AnswersFlowBuilder
from provision.flows import FLOWS, FlowBuilder
from provision.report import Report
from services import directus_names as names
from services.errors import AccessDeniedError, ErleahError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.api import DirectusApi
    from services.settings import Settings

__all__ = ["look_at_flows", "look_at_rights"]

_NAMED_AT_MOST = 4
"""A row of the doctor's is read at a glance; bootstrap names them all."""


async def look_at_rights(service: DirectusApi) -> str:
    """What the doctor says of what ``service``, which calls with Erleah's token, may do.

    Raises ErleahError with what is missing.
    """
    granted = await service.request("GET", "/permissions/me") or {}
    missing = [
        f"{action} {collection}"
        for collection, action in ERLEAH_PERMISSIONS
        if not _is_whole((granted.get(collection) or {}).get(action) or {})
    ]
    if missing:
        raise ErleahError(f"DIRECTUS_API_KEY lacks the right to {_named(missing)}; run: erleah bootstrap")
    return f"DIRECTUS_API_KEY may do all that Erleah does ({len(ERLEAH_PERMISSIONS)} permissions)"


async def look_at_flows(admin: DirectusApi, service: DirectusApi, settings: Settings) -> str:
    """What the doctor says of the Flows, and of roles and rights where only an administrator sees them.

    Provisioning is gone through without a write: what it would make is missing, what it would change is not as it
    should be. Raises ErleahError with both.
    """
    rehearsal, report = _Rehearsal(admin), Report()
    try:
        await FlowBuilder(rehearsal, report).build(
            receiver_url=settings.webhook_public_url.rstrip("/"),
            secret=settings.directus_webhook_secret.get_secret_value(),
            secret_from_env=None,
        )
        await AccessBuilder(rehearsal, report).build(
            service=service, api_key=settings.directus_api_key.get_secret_value()
        )
    except AccessDeniedError:
        raise ErleahError(
            "DIRECTUS_ADMIN_TOKEN is not an administrator's token of this Directus; leave it out, or make one in the "
            "Studio (your user, Token)"
        ) from None
    wrong = [f"{what} is missing" for what in report.made] + [f"{what} would be set right" for what in report.changed]
    if wrong:
        raise ErleahError(f"{_named(wrong)}; run: erleah bootstrap")
    return f"{len(FLOWS)} call the receiver, active and as they should be{await _answers_flow(rehearsal)}"


class _Rehearsal:
    """Directus as ``admin`` sees it, where nothing is ever written."""

    def __init__(self, admin: DirectusApi) -> None:
        self._admin = admin

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,  # noqa: ANN401 - any JSON
        params: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON
        """Read; a write gives back what would have been written."""
        if method == "GET":
            return await self._admin.request(method, path, params=params)
        return {"id": "unwritten"} | json if isinstance(json, dict) else json


async def _answers_flow(rehearsal: _Rehearsal) -> str:
    """What is to be said of the Flow that workers do without; "" if nothing."""
    report = Report()
    await AnswersFlowBuilder(rehearsal, report).build()
    if not (report.made or report.changed):
        return ""
    state = "is missing" if report.made else "is not as bootstrap makes it, or not active"
    return (
        f"; {names.ANSWERS_FLOW_NAME!r} {state}: answers are written without it, with twice the work for Directus "
        "(erleah bootstrap, where the licence has room)"
    )


def _is_whole(granted: dict[str, Any]) -> bool:
    """Whether an action is allowed on all rows, and on all fields where it has some."""
    return granted.get("access") == "full" and "*" in (granted.get("fields") or ("*",))


def _named(things: Sequence[str]) -> str:
    more = len(things) - _NAMED_AT_MOST
    return ", ".join(things[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")

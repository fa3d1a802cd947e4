"""The two Flows that call the receiver: a message was created, content has changed.

A Flow calls once, without a time-out or a second try; what it misses, the worker's sweep finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.operations import Operation, bring_about
from services import directus_names as names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.api import DirectusApi
    from provision.report import Report

__all__ = ["FLOWS", "SECRET_FROM_ENV", "Flow", "FlowBuilder"]

SECRET_FROM_ENV = "{{$env.DIRECTUS_WEBHOOK_SECRET}}"  # noqa: S105 - says where the secret is, is none
"""A header value for Directus servers that have the secret in their environment and allow it
(``FLOWS_ENV_ALLOW_LIST``): then it lies in no row of the database."""

_IS_ANSWER = {"$trigger": {"payload": {"role": {"_eq": "assistant"}}}}
"""A row that its writer calls an answer is none of the receiver's business, and Erleah writes as many of them as
visitors ask questions. One without a role goes on: the receiver decides."""


@dataclass(frozen=True)
class Flow:
    """A Flow as declared; ``path`` is the receiver's. Where ``unless`` holds of its data, nothing is called."""

    id: str
    name: str
    description: str
    scope: tuple[str, ...]
    collections: tuple[str, ...]
    path: str
    unless: dict[str, Any] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The trigger's options; ``action`` fires after the commit and holds nobody up."""
        return {"type": "action", "scope": list(self.scope), "collections": list(self.collections)}


FLOWS: tuple[Flow, ...] = (
    Flow(
        names.MESSAGE_CREATED_FLOW_ID,
        names.MESSAGE_CREATED_FLOW_NAME,
        "Tells Erleah that a visitor has asked something",
        scope=("items.create",),
        collections=(names.MESSAGES,),
        path="/hooks/message-created",
        unless=_IS_ANSWER,
    ),
    Flow(
        names.CONTENT_CHANGED_FLOW_ID,
        names.CONTENT_CHANGED_FLOW_NAME,
        "Tells Erleah that it must index something anew",
        scope=("items.create", "items.update", "items.delete"),
        # The junction too: giving a session another speaker may change no row but one of these.
        collections=(
            names.SESSIONS,
            names.EXHIBITORS,
            names.SPEAKERS,
            names.CONFERENCES,
            names.SESSIONS_SPEAKERS,
        ),
        path="/hooks/content-changed",
    ),
)


class FlowBuilder:
    """Makes the Flows, and brings a moved address or a new secret into those that are there."""

    def __init__(self, admin: DirectusApi, report: Report) -> None:
        self._admin = admin
        self._report = report

    async def build(self, *, receiver_url: str, header_value: str) -> None:
        """Make or mend each Flow; ``receiver_url`` is without a trailing slash."""
        rows = await self._admin.request("GET", "/flows", params={"fields": "*,operations.*", "limit": -1})
        by_id = {row["id"]: row for row in rows}
        by_name = {row["name"]: row for row in rows}
        for flow in FLOWS:
            steps = _steps(flow, receiver_url, header_value)
            there = by_id.get(flow.id) or by_name.get(flow.name)
            if there is None:
                await self._make(flow, steps)
            else:
                await self._mend(flow, there, steps)

    async def _make(self, flow: Flow, steps: Sequence[Operation]) -> None:
        body = {
            "id": flow.id,
            "name": flow.name,
            "icon": "smart_toy",
            "description": flow.description,
            "status": "active",
            "trigger": "event",
            # Tracked, a run would leave the header, and with it the secret, in the revisions.
            "accountability": None,
            "options": flow.options,
        }
        await self._admin.request("POST", "/flows", json=body)
        await bring_about(self._admin, body, steps)
        self._report.made.append(f"flow {flow.name}")

    async def _mend(self, flow: Flow, there: dict[str, Any], steps: Sequence[Operation]) -> None:
        changes: dict[str, Any] = {}
        if there["status"] != "active":
            changes["status"] = "active"
        if there.get("accountability") is not None:
            changes["accountability"] = None
        if there["trigger"] != "event" or _shape(there.get("options")) != _shape(flow.options):
            changes |= {"trigger": "event", "options": (there.get("options") or {}) | flow.options}
        if changes:
            await self._admin.request("PATCH", f"/flows/{there['id']}", json=changes)
        changed = sorted({*changes, *await bring_about(self._admin, there, steps)})
        if changed:
            self._report.changed.append(f"flow {flow.name}: {', '.join(changed)}")
        else:
            self._report.found.append(f"flow {flow.name}")


def _steps(flow: Flow, receiver_url: str, header_value: str) -> list[Operation]:
    call = Operation(
        "call_erleah",
        "Call Erleah",
        "request",
        {
            "method": "POST",
            "url": f"{receiver_url}{flow.path}",
            "headers": [{"header": "X-Erleah-Secret", "value": header_value}],
            # Alone in the body it stays an object; inside other text it would be escaped twice.
            "body": "{{$trigger}}",
        },
    )
    if flow.unless is None:
        return [call]
    return [Operation("is_answer", "An answer?", "condition", {"filter": flow.unless}, next_on="reject"), call]


def _shape(options: dict[str, Any] | None) -> tuple[object, ...]:
    options = options or {}
    return (
        options.get("type"),
        frozenset(options.get("scope") or ()),
        frozenset(options.get("collections") or ()),
    )

"""The two Flows that call the receiver: a message was created, content has changed.

A Flow calls once, without a time-out or a second try; what it misses, the worker's sweep finds. A third Flow writes
answers: ``answers_flow.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.operations import Operation, bring_about
from services import directus_names as names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provision.api import DirectusApi
    from provision.report import Report

__all__ = ["FLOWS", "SECRET_FROM_ENV", "SECRET_HEADER", "Flow", "FlowBuilder", "is_template"]

SECRET_HEADER = "X-Erleah-Secret"  # noqa: S105 - the name of a header, not what it holds

SECRET_FROM_ENV = "{{$env.DIRECTUS_WEBHOOK_SECRET}}"  # noqa: S105 - says where the secret is, is none
"""A header value for Directus servers that have the secret in their environment and allow it
(``FLOWS_ENV_ALLOW_LIST``): then it lies in no row of the database."""

_CALL = "call_erleah"

_IS_ANSWER = {"$trigger": {"payload": {"role": {"_eq": "assistant"}}}}
"""A row that its writer calls an answer is none of the receiver's business, and Erleah writes as many of them as
visitors ask questions. One without a role goes on: the receiver decides."""


@dataclass(frozen=True)
class Flow:
    """A Flow as declared; ``path`` is the receiver's. Where ``unless`` holds of its data, nothing is called.

    What somebody added to scope or collections stays: the receiver says politely that it does not want it.
    ``never`` is what does not: with it Directus would run the Flow, and the Flow call, at each piece of an answer.
    """

    id: str
    name: str
    description: str
    scope: tuple[str, ...]
    collections: tuple[str, ...]
    path: str
    never: tuple[str, ...] = ()
    unless: dict[str, Any] | None = None

    def options(self, found: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The trigger's options, with what was ``found``; ``action`` fires after the commit and holds nobody up."""
        found = found or {}
        return {
            **found,
            "type": "action",
            "scope": self._with(found.get("scope"), self.scope),
            "collections": self._with(found.get("collections"), self.collections),
        }

    def _with(self, found: Sequence[str] | None, declared: Sequence[str]) -> list[str]:
        return [name for name in dict.fromkeys([*(found or ()), *declared]) if name not in self.never]


FLOWS: tuple[Flow, ...] = (
    Flow(
        names.MESSAGE_CREATED_FLOW_ID,
        names.MESSAGE_CREATED_FLOW_NAME,
        "Tells Erleah that a visitor has asked something",
        scope=("items.create",),
        collections=(names.MESSAGES,),
        path="/hooks/message-created",
        never=("items.update",),
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
        never=(names.MESSAGES,),
    ),
)


class FlowBuilder:
    """Makes the Flows, and brings a moved address or a new secret into those that are there."""

    def __init__(self, admin: DirectusApi, report: Report) -> None:
        self._admin = admin
        self._report = report

    async def build(self, *, receiver_url: str, secret: str, secret_from_env: bool | None) -> None:
        """Make or mend each Flow; ``receiver_url`` is without a trailing slash.

        The secret is read from Directus's environment or written into the Flows; with None it goes on as it is,
        and is written where there is no Flow yet.
        """
        rows = await self._admin.request("GET", "/flows", params={"fields": "*,operations.*", "limit": -1})
        by_id = {row["id"]: row for row in rows}
        by_name = {row["name"]: row for row in rows}
        there = {flow.id: row for flow in FLOWS if (row := by_id.get(flow.id) or by_name.get(flow.name)) is not None}
        header_value = SECRET_FROM_ENV if secret_from_env else secret
        if secret_from_env is None and (template := _template_of(there.values())) is not None:
            header_value = template
            self._report.notes.append(
                f"the Flows go on reading the hook's secret from Directus's environment ({template}); "
                "erleah bootstrap --secret-in-flows writes it into them"
            )
        for flow in FLOWS:
            steps = _steps(flow, receiver_url, header_value)
            if flow.id in there:
                await self._mend(flow, there[flow.id], steps)
            else:
                await self._make(flow, steps)

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
            "options": flow.options(),
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
        options = flow.options(there.get("options"))
        if there["trigger"] != "event" or _shape(there.get("options")) != _shape(options):
            changes |= {"trigger": "event", "options": options}
        if changes:
            await self._admin.request("PATCH", f"/flows/{there['id']}", json=changes)
        changed = sorted({*changes, *await bring_about(self._admin, there, steps)})
        if changed:
            self._report.changed.append(f"flow {flow.name}: {', '.join(changed)}")
        else:
            self._report.found.append(f"flow {flow.name}")


def is_template(value: str) -> bool:
    """Whether Directus fills the value in when the Flow runs: then it holds no secret itself."""
    return value.startswith("{{")


def _template_of(flows: Iterable[Mapping[str, Any]]) -> str | None:
    """What the Flows that are there have in place of the secret, where they read it from elsewhere."""
    calls = (step for flow in flows for step in flow.get("operations") or () if step["key"] == _CALL)
    headers = (header for step in calls for header in (step.get("options") or {}).get("headers") or ())
    values = (str(header.get("value")) for header in headers if header.get("header") == SECRET_HEADER)
    return next(filter(is_template, values), None)


def _steps(flow: Flow, receiver_url: str, header_value: str) -> list[Operation]:
    call = Operation(
        _CALL,
        "Call Erleah",
        "request",
        {
            "method": "POST",
            "url": f"{receiver_url}{flow.path}",
            "headers": [{"header": SECRET_HEADER, "value": header_value}],
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

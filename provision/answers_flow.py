"""The Flow that writes many answers in one call: Directus's own way to spare a look-up for each row.

A PATCH of many rows with Erleah's token makes Directus look up each row and its permissions before it
may be changed: more than half of its work at 200 rows. Erleah may change every message anyway, so this
Flow asks who is calling once for all of them, and its writing step runs with full rights.

Full rights would also write what is nested in a row: a message with a new ``user_created`` in it would
make a user, an administrator if it says so. So what was sent goes through a script before: the fields
named here and no others, no value of them an object. A worker does without the Flow where there is none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from provision.operations import Operation, bring_about
from services import directus_names as names

if TYPE_CHECKING:
    from provision.api import DirectusApi
    from provision.report import Report

__all__ = ["ANSWER_FIELDS", "OPERATIONS", "AnswersFlowBuilder"]

ANSWER_FIELDS = (
    "id",
    "messageText",
    "seq",
    "status",
    "assistant",
    "intent",
    "outcome",
    "language",
    "degraded",
    "first_token_ms",
    "total_ms",
    "cost_usd",
)
"""What may be written through the Flow; none of them is a relation. ``metadata`` goes as JSON text besides."""

_SCRIPT = f"""const plain = {json.dumps(ANSWER_FIELDS)};
module.exports = function (data) {{
  return data.$trigger.body.map((row) => {{
    const taken = {{}};
    for (const field of plain) {{
      if (!Object.hasOwn(row, field)) continue;
      if (row[field] !== null && typeof row[field] === "object") throw new Error(field + " is no plain value");
      taken[field] = row[field];
    }}
    if (Object.hasOwn(row, "metadata")) taken.metadata = JSON.stringify(row.metadata);
    return taken;
  }});
}};
"""


OPERATIONS = (
    Operation(
        "caller",
        "Only Erleah",
        "condition",
        # A share's token has no user. Today it has no role either, whatever role the share was made with, but a
        # visitor must be kept out even if a later Directus gives it one. ``share`` itself cannot be asked for: where
        # there is none the condition fails for want of it (12.4.0).
        {"filter": {"$accountability": {"role": {"_eq": names.ERLEAH_ROLE_ID}, "user": {"_nnull": True}}}},
    ),
    Operation("rows", "Plain fields of answers alone", "exec", {"code": _SCRIPT}),
    Operation(
        "write",
        "Write them",
        "item-update",
        {"collection": names.MESSAGES, "payload": "{{rows}}", "permissions": "$full", "emitEvents": True},
    ),
    Operation(
        "written",
        "Read how they stand",
        "item-read",
        {
            "collection": names.MESSAGES,
            "query": {"filter": {"id": {"_in": "{{write}}"}}, "fields": ["id", "status"], "limit": -1},
            "permissions": "$full",
            "emitEvents": False,
        },
    ),
)
"""In the order in which they run."""

_FLOW = {
    "trigger": "webhook",
    # Tracked, each write of answers would leave them whole in the revisions.
    "accountability": None,
    "status": "active",
    "options": {"method": "POST", "async": False, "return": "$last", "error_on_reject": True},
}


class AnswersFlowBuilder:
    """Makes the Flow, or brings one that was changed back to what is declared here."""

    def __init__(self, admin: DirectusApi, report: Report) -> None:
        self._admin = admin
        self._report = report

    async def build(self) -> None:
        """Make or mend it; a run that breaks off is taken up by the next."""
        flows = await self._admin.request("GET", "/flows", params={"fields": "*,operations.*", "limit": -1})
        flow = next((row for row in flows if row["id"] == names.ANSWERS_FLOW_ID), None)
        what = f"flow {names.ANSWERS_FLOW_NAME}"
        if flow is None:
            shown = {
                "id": names.ANSWERS_FLOW_ID,
                "name": names.ANSWERS_FLOW_NAME,
                "icon": "smart_toy",
                "description": "Erleah's workers write answers through it, many in one call",
            }
            await self._admin.request("POST", "/flows", json=shown | _FLOW)
            await bring_about(self._admin, shown, OPERATIONS)
            self._report.made.append(what)
            return
        changes = {name: value for name, value in _FLOW.items() if flow.get(name) != value}
        if changes:
            await self._admin.request("PATCH", f"/flows/{names.ANSWERS_FLOW_ID}", json=changes)
        changed = sorted({*changes, *await bring_about(self._admin, flow, OPERATIONS)})
        if changed:
            self._report.changed.append(f"{what}: {', '.join(changed)}")
        else:
            self._report.found.append(what)

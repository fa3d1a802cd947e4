"""``SecretHistory``: takes the hook's secret out of what Directus remembers of the Flows' steps.

Directus writes a revision of every write to a step, with its options whole: the header, and in it the secret,
stays readable in ``directus_revisions`` after the secret was changed. So does the log of a Flow that somebody had
tracked. A call of Directus cannot keep these rows from being written, and none may change or delete one. A step of
a Flow with full rights may: a Flow is made for that, run and deleted again, and only where there is something to
do. The rows stay, with Directus's own word for what was taken out: to delete one fails where another names it as
its parent.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from provision.flows import SECRET_HEADER, is_template
from provision.operations import Operation, bring_about
from services import directus_names as names
from services.errors import AccessDeniedError, ServiceRejectedError, ServiceUnavailableError

if TYPE_CHECKING:
    from provision.api import DirectusApi
    from provision.report import Report

__all__ = ["FORGETTING_FLOW_NAME", "SecretHistory"]

FORGETTING_FLOW_ID: Final = "e1ea4000-0000-4000-8000-000000000009"
"""Fixed, so that what a run that broke off left behind is found again."""
FORGETTING_FLOW_NAME: Final = "Erleah: forget secrets"

_REDACTED: Final = "--redacted--"
_PAGE: Final = 100
"""Rows looked at, and rewritten, in one call: a step's is 1 kB, a Flow's log some."""
_TRIES: Final = 20
_TRY_EVERY_S: Final = 0.25
"""Directus loads its Flows anew behind the call that changes one, and its other processes some time after it."""

_LENDERS: Final = (names.ANSWERS_FLOW_ID, names.MESSAGE_CREATED_FLOW_ID)
"""Where the licence has no room for one more Flow, one of Erleah's rests meanwhile: workers write without the first,
and what the second misses the sweep finds."""

_SCRIPT: Final = f"""const OPEN = "{{".repeat(2); // together they would be read as a template, here too
function cleaned(value) {{
  if (Array.isArray(value)) return value.map(cleaned);
  if (value === null || typeof value !== "object") return value;
  const copy = {{}};
  for (const [name, inner] of Object.entries(value)) copy[name] = cleaned(inner);
  const named = typeof copy.header === "string" && copy.header.toLowerCase() === {json.dumps(SECRET_HEADER.lower())};
  if (named && typeof copy.value === "string" && !copy.value.startsWith(OPEN)) copy.value = {json.dumps(_REDACTED)};
  return copy;
}}
module.exports = function (data) {{
  return data.revisions
    .map((row) => ({{ id: row.id, data: cleaned(row.data), delta: cleaned(row.delta) }}))
    .filter((row, place) => JSON.stringify([row.data, row.delta]) !==
      JSON.stringify([data.revisions[place].data, data.revisions[place].delta]));
}};
"""

_OPERATIONS: Final = (
    Operation("caller", "Only administrators", "condition", {"filter": {"$accountability": {"admin": {"_eq": True}}}}),
    Operation(
        "revisions",
        "Read what is remembered",
        "item-read",
        {
            "collection": "directus_revisions",
            "query": {
                "filter": {
                    "_or": [
                        {"id": {"_in": "{{$trigger.body.revisions}}"}},
                        # Of the same steps also what is older than the licence shows (30 days without a key).
                        {
                            "_and": [
                                {"collection": {"_eq": "directus_operations"}},
                                {"item": {"_in": "{{$trigger.body.steps}}"}},
                            ]
                        },
                    ]
                },
                "fields": ["id", "data", "delta"],
                "limit": -1,
            },
            "permissions": "$full",
            "emitEvents": False,
        },
    ),
    Operation("cleaned", "Take the secret out", "exec", {"code": _SCRIPT}),
    Operation(
        "write",
        "Write them back",
        "item-update",
        {
            "collection": "directus_revisions",
            "payload": "{{cleaned}}",
            "permissions": "$full",
            "emitEvents": False,
        },
    ),
)

_REFUSALS = (AccessDeniedError, ServiceRejectedError)


class SecretHistory:
    """Looks for revisions that hold the secret, and rewrites them."""

    def __init__(self, admin: DirectusApi, report: Report) -> None:
        self._admin = admin
        self._report = report

    async def forget(self, *, of_this_run: bool = False) -> None:
        """Rewrite what holds the secret, this one or one before; a run that breaks off is taken up by the next.

        What ``of_this_run`` was just written is no news, and not in the report. Where Directus refuses, the
        report has it as a problem.
        """
        try:
            held = await self._holding()
            flows = await self._admin.request("GET", "/flows", params={"fields": "*,operations.*", "limit": -1})
            by_id = {row["id"]: row for row in flows}
            if held:
                await self._rewrite(held, by_id)
            elif FORGETTING_FLOW_ID in by_id:
                await self._admin.request("DELETE", f"/flows/{FORGETTING_FLOW_ID}")
            left = await self._holding() if held else {}
        except _REFUSALS as refusal:
            self._complain(f"Directus refused to have it taken out ({refusal})")
            return
        if left:
            self._complain(f"{len(left)} are as they were")
        elif held and not of_this_run:
            self._report.changed.append(f"revisions: the hook's secret taken out of {len(held)}")

    def _complain(self, why: str) -> None:
        problem = f"The hook's secret can be read in the revisions of the Flows (directus_revisions): {why}"
        if problem not in self._report.problems:
            self._report.problems.append(problem)

    async def _holding(self) -> dict[int, dict[str, Any]]:
        """The revisions that hold a secret, by id: all that the licence shows."""
        flows = [flow_id for name, flow_id in vars(names).items() if name.endswith("_FLOW_ID")]
        of_a_step = {"collection": {"_eq": "directus_operations"}}
        of_a_run = {"_and": [{"collection": {"_eq": "directus_flows"}}, {"item": {"_in": flows}}]}
        held: dict[int, dict[str, Any]] = {}
        last = 0
        while True:
            params = {
                "filter": json.dumps({"_and": [{"id": {"_gt": last}}, {"_or": [of_a_step, of_a_run]}]}),
                "fields": "id,collection,item,data,delta",
                "sort": "id",
                "limit": _PAGE,
            }
            rows = await self._admin.request("GET", "/revisions", params=params)
            if not rows:
                return held
            held |= {row["id"]: row for row in rows if _holds_secret([row["data"], row["delta"]])}
            last = rows[-1]["id"]

    async def _rewrite(self, held: dict[int, dict[str, Any]], flows: dict[str, dict[str, Any]]) -> None:
        flow = flows.get(FORGETTING_FLOW_ID)
        if flow is None:
            flow = {
                "id": FORGETTING_FLOW_ID,
                "name": FORGETTING_FLOW_NAME,
                "icon": "smart_toy",
                "trigger": "webhook",
                "accountability": None,  # or its log would hold what it takes out
                "status": "inactive",
                "options": {"method": "POST", "async": False, "return": "$last", "error_on_reject": True},
            }
            await self._admin.request("POST", "/flows", json=flow)
        await bring_about(self._admin, flow, _OPERATIONS)
        lender = None
        try:
            if flow["status"] != "active":
                lender = await self._activate(flows)
            ids = sorted(held)
            steps = sorted({row["item"] for row in held.values() if row["collection"] == "directus_operations"})
            for start in range(0, len(ids), _PAGE):
                await self._run({"revisions": ids[start : start + _PAGE], "steps": steps})
        finally:
            await self._admin.request("DELETE", f"/flows/{FORGETTING_FLOW_ID}")
            if lender is not None:
                await self._admin.request("PATCH", f"/flows/{lender}", json={"status": "active"})

    async def _activate(self, flows: dict[str, dict[str, Any]]) -> str | None:
        """Let the Flow be run; the id of the one that rests for it, None where there is room."""
        place, active = f"/flows/{FORGETTING_FLOW_ID}", {"status": "active"}
        try:
            await self._admin.request("PATCH", place, json=active)
        except _REFUSALS:
            lender = next((name for name in _LENDERS if flows.get(name, {}).get("status") == "active"), None)
            if lender is None:
                raise
            await self._admin.request("PATCH", f"/flows/{lender}", json={"status": "inactive"})
            try:
                await self._admin.request("PATCH", place, json=active)
            except _REFUSALS:
                await self._admin.request("PATCH", f"/flows/{lender}", json=active)
                raise
            return lender
        return None

    async def _run(self, body: dict[str, Any]) -> None:
        for further_tries in reversed(range(_TRIES)):
            try:
                await self._admin.request("POST", f"/flows/trigger/{FORGETTING_FLOW_ID}", json=body)
            except AccessDeniedError:
                if not further_tries:
                    raise
                await asyncio.sleep(_TRY_EVERY_S)
            except ServiceUnavailableError as error:
                if error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                # A step broke, and would again: no reason to leave all else that is to be made unmade.
                raise ServiceRejectedError(error.service, str(error), status=error.status) from error
            else:
                return


def _holds_secret(value: object) -> bool:
    """Whether somewhere in it there is our header with a value that is neither a template nor taken out already.

    A log shows ``--redacted:…`` where Directus itself has hidden a value of its environment.
    """
    if isinstance(value, list):
        return any(map(_holds_secret, value))
    if not isinstance(value, dict):
        return False
    header, content = value.get("header"), value.get("value")
    if isinstance(header, str) and header.lower() == SECRET_HEADER.lower() and isinstance(content, str):
        return not is_template(content) and not content.startswith("--redacted")
    return any(map(_holds_secret, value.values()))

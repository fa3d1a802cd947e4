"""The steps of a Flow: made, mended and chained, each run again changing only what differs.

Directus refuses steps nested in the call that makes their Flow, and each names its next: they are made from the
last to the first, then the Flow is pointed at the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.api import DirectusApi

__all__ = ["Operation", "bring_about"]


@dataclass(frozen=True)
class Operation:
    """One step as declared; the next one follows where it succeeds, or where it fails (``reject``), nowhere else."""

    key: str
    name: str
    type: str
    options: dict[str, Any]
    next_on: Literal["resolve", "reject"] = "resolve"


async def bring_about(admin: DirectusApi, flow: Mapping[str, Any], operations: Sequence[Operation]) -> list[str]:
    """Give a Flow (its row, with ``operations`` and ``operation``) these steps; the keys of those made or changed.

    Steps of other keys are left alone: whoever added them has his reasons. Nothing leads to them any more, and
    they lead to none of these.
    """
    there = {row["key"]: row for row in flow.get("operations") or ()}
    changed = await _unlink(admin, there, operations)
    following: str | None = None
    for place, operation in reversed(list(enumerate(operations))):
        wanted: dict[str, Any] = {"type": operation.type, "options": operation.options, "resolve": None, "reject": None}
        wanted[operation.next_on] = following
        row = there.get(operation.key)
        if row is None:
            shown = {"key": operation.key, "name": operation.name, "position_x": 19 + 18 * place, "position_y": 1}
            row = await admin.request("POST", "/operations", json={"flow": flow["id"]} | shown | wanted)
            changed.append(operation.key)
        elif any(row.get(name) != value for name, value in wanted.items()):
            await admin.request("PATCH", f"/operations/{row['id']}", json=wanted)
            changed.append(operation.key)
        following = row["id"]
    if flow.get("operation") != following:
        await admin.request("PATCH", f"/flows/{flow['id']}", json={"operation": following})
        changed.append("first step")
    return changed


async def _unlink(
    admin: DirectusApi, there: Mapping[str, Mapping[str, Any]], operations: Sequence[Operation]
) -> list[str]:
    """Undo links to these steps that are none of theirs: Directus lets one step alone lead to another.

    So as long as a step that somebody put in between leads to the next, the one before cannot. Gives the keys of
    other steps that were unlinked.
    """
    ids = [there[operation.key]["id"] if operation.key in there else None for operation in operations]
    wanted = {
        (operation.key, operation.next_on): following
        for operation, following in zip(operations, [*ids[1:], None], strict=True)
    }
    own = {operation.key for operation in operations}
    unlinked = []
    for key, row in there.items():
        astray = [
            end
            for end in ("resolve", "reject")
            if row.get(end) is not None and row[end] in ids and wanted.get((key, end)) != row[end]
        ]
        if astray:
            await admin.request("PATCH", f"/operations/{row['id']}", json=dict.fromkeys(astray))
            if key not in own:
                unlinked.append(f"{key} unlinked")
    return unlinked

"""Who may do what: Erleah's own user, and the role that visitors' shares are made with.

Directus without a licence key knows no row or field rules (it answers 403), so every permission is
plain: all fields, no filter. What keeps a visitor to one conversation is the share, not the role.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from services import directus_names as names
from services.errors import AccessDeniedError, ConfigurationError, InvalidInputError, ServiceRejectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.api import DirectusApi
    from provision.report import Report

__all__ = ["ERLEAH_PERMISSIONS", "VISITOR_PERMISSIONS", "AccessBuilder"]

_CONTENT = (names.CONFERENCES, names.SESSIONS, names.EXHIBITORS, names.SPEAKERS)

ERLEAH_PERMISSIONS: tuple[tuple[str, str], ...] = (
    *((collection, action) for collection in _CONTENT for action in ("read", "create", "update")),
    *((names.SESSIONS_SPEAKERS, action) for action in ("read", "create", "update", "delete")),
    *((names.CONVERSATIONS, action) for action in ("read", "create", "update", "share")),
    *((names.MESSAGES, action) for action in ("read", "create", "update", "delete")),
    *(("directus_shares", action) for action in ("read", "create")),
)
"""What Erleah's user may do: (collection, action)."""

VISITOR_PERMISSIONS: tuple[tuple[str, str], ...] = (
    (names.CONVERSATIONS, "read"),
    (names.MESSAGES, "read"),
)
"""What a share may show at most; it narrows this to its own conversation."""


class AccessBuilder:
    """Makes roles, policies, permissions and Erleah's user where they are missing."""

    def __init__(self, admin: DirectusApi, report: Report) -> None:
        self._admin = admin
        self._report = report

    async def build(self, *, service: DirectusApi, api_key: str) -> None:
        """Make what is missing; ``service`` calls Directus with ``api_key``, which its user must have.

        Raises ConfigurationError when the key belongs to another user.
        """
        await self._role_with_policy(
            names.ERLEAH_ROLE_ID,
            names.ERLEAH_POLICY_ID,
            name="Erleah",
            description="Erleah's own user: reads content, writes answers",
            icon="smart_toy",
            permissions=ERLEAH_PERMISSIONS,
        )
        await self._role_with_policy(
            names.VISITOR_ROLE_ID,
            names.VISITOR_POLICY_ID,
            name=names.VISITOR_ROLE_NAME,
            description="For shares of one conversation; give it to no user",
            icon="person",
            permissions=VISITOR_PERMISSIONS,
        )
        await self._user(service, api_key)

    async def _role_with_policy(  # noqa: PLR0913 - what the two roles differ in
        self,
        role_id: str,
        policy_id: str,
        *,
        name: str,
        description: str,
        icon: str,
        permissions: Sequence[tuple[str, str]],
    ) -> None:
        shown = {"name": name, "description": description, "icon": icon}
        await self._keep(f"role {name}", "/roles", role_id, {"id": role_id} | shown)
        plain = {"app_access": False, "admin_access": False, "enforce_tfa": False}
        await self._keep(f"policy {name}", "/policies", policy_id, {"id": policy_id} | shown | plain)
        params = {"filter": {"role": {"_eq": role_id}, "policy": {"_eq": policy_id}}, "fields": "id"}
        if not await self._admin.request("GET", "/access", params=_encoded(params)):
            await self._admin.request("POST", "/access", json={"role": role_id, "policy": policy_id})
            self._report.made.append(f"role {name} has policy {name}")
        await self._permissions(name, policy_id, permissions)

    async def _keep(self, what: str, path: str, key: str, body: dict[str, Any]) -> None:
        params = {"filter": {"id": {"_eq": key}}, "fields": "id"}
        if await self._admin.request("GET", path, params=_encoded(params)):
            self._report.found.append(what)
            return
        await self._admin.request("POST", path, json=body)
        self._report.made.append(what)

    async def _permissions(self, name: str, policy_id: str, wanted: Sequence[tuple[str, str]]) -> None:
        params = {"filter": {"policy": {"_eq": policy_id}}, "limit": -1}
        rows = await self._admin.request("GET", "/permissions", params=_encoded(params)) or []
        there = {(row["collection"], row["action"]): row for row in rows}
        missing = []
        for collection, action in wanted:
            row = there.get((collection, action))
            what = f"permission of {name}: {action} {collection}"
            if row is None:
                missing.append(
                    {
                        "policy": policy_id,
                        "collection": collection,
                        "action": action,
                        "fields": ["*"],
                        "permissions": {},
                        "validation": {},
                    }
                )
                self._report.made.append(what)
            elif "*" not in (row.get("fields") or ()):
                # Erleah sets this policy's own permissions: a field list makes Directus refuse them all.
                await self._admin.request("PATCH", f"/permissions/{row['id']}", json={"fields": ["*"]})
                self._report.changed.append(what)
            else:
                self._report.found.append(what)
        if missing:
            await self._admin.request("POST", "/permissions", json=missing)

    async def _user(self, service: DirectusApi, api_key: str) -> None:
        owner = await _owner_of_token(service)
        params = {"filter": {"email": {"_eq": names.ERLEAH_USER_EMAIL}}, "fields": "id,role,status"}
        rows = await self._admin.request("GET", "/users", params=_encoded(params))
        if owner is not None and (not rows or owner != rows[0]["id"]):
            raise ConfigurationError(
                "DIRECTUS_API_KEY is the token of another Directus user; give Erleah one of its own "
                "(openssl rand -hex 24) and run erleah bootstrap again"
            )
        if not rows:
            body = {
                "id": names.ERLEAH_USER_ID,
                "email": names.ERLEAH_USER_EMAIL,
                "first_name": "Erleah",
                "role": names.ERLEAH_ROLE_ID,
                "status": "active",
                "token": api_key,
            }
            await self._admin.request("POST", "/users", json=body)
            self._report.made.append("user Erleah")
            return
        changes = {
            key: value for key, value in (("role", names.ERLEAH_ROLE_ID), ("status", "active")) if rows[0][key] != value
        }
        changes |= {"token": api_key} if owner is None else {}
        if changes:
            await self._admin.request("PATCH", f"/users/{rows[0]['id']}", json=changes)
            self._report.changed.append(f"user Erleah: {', '.join(sorted(changes))}")
        else:
            self._report.found.append("user Erleah")


async def _owner_of_token(service: DirectusApi) -> str | None:
    """The id of the user whose token ``service`` has, None when it is nobody's.

    Directus never gives a token back, so the only way to compare one is to use it.
    """
    try:
        row = await service.request("GET", "/users/me", params={"fields": "id"})
    except (AccessDeniedError, ServiceRejectedError, InvalidInputError):
        return None
    return str(row["id"]) if row and "id" in row else None


def _encoded(params: dict[str, Any]) -> dict[str, Any]:
    """Directus takes a filter in a query as JSON text."""
    return params | {"filter": json.dumps(params["filter"])}

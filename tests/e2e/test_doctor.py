"""The doctor's look into a real Directus: what it finds missing, without ever writing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services import directus_names as names
from tests.e2e.directus_server import Rest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.directus_server import DirectusServer

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
AS_IT_SHOULD_BE = "2 call the receiver, active and as they should be"


@pytest.fixture
def admin(directus_server: DirectusServer) -> Iterator[Rest]:
    with Rest(directus_server.url, directus_server.admin_token) as rest:
        yield rest


def findings(directus: DirectusServer, folder: Path, **changes: str) -> dict[str, tuple[bool, str]]:
    """What ``erleah doctor`` says, by what it looked at; a setting that is "" is left out."""
    settings = {
        "DIRECTUS_URL": directus.url,
        "DIRECTUS_API_KEY": directus.service_token,
        "DIRECTUS_ADMIN_TOKEN": directus.admin_token,
        "DIRECTUS_WEBHOOK_SECRET": directus.webhook_secret,
        "WEBHOOK_PUBLIC_URL": directus.receiver_url,
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "QDRANT_URL": "embedded://",
        "EMBEDDING_PROVIDER": "local",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "cli.main", "doctor", "--json"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | settings | changes,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return {each["what"]: (each["ok"], each["said"]) for each in json.loads(ran.stdout)}


@contextmanager
def changed(admin: Rest, path: str, **values: Any) -> Iterator[None]:  # noqa: ANN401 - any JSON
    """A row of Directus's with these values, for as long."""
    before = {name: admin.data("GET", path)[name] for name in values}
    admin.data("PATCH", path, json=values)
    try:
        yield
    finally:
        admin.data("PATCH", path, json=before)


def permission(admin: Rest, collection: str, action: str) -> dict[str, Any]:
    """The row that lets Erleah do this."""
    rows = admin.data("GET", "/permissions", params={"limit": -1})
    (row,) = [
        each
        for each in rows
        if (each["policy"], each["collection"], each["action"]) == (names.ERLEAH_POLICY_ID, collection, action)
    ]
    return dict(row)


def state(admin: Rest) -> list[Any]:
    """All that the doctor might write to."""
    paths = ("/flows", "/operations", "/permissions", "/policies", "/roles", "/access", "/users")
    return [admin.data("GET", path, params={"limit": -1, "sort": "id"}) for path in paths]


def test_a_directus_as_bootstrap_leaves_it_is_well(
    directus_server: DirectusServer, admin: Rest, tmp_path: Path
) -> None:
    """Rights and Flows; and having looked, the doctor has changed nothing."""
    before = state(admin)
    found = findings(directus_server, tmp_path)
    assert found["rights"] == (True, "DIRECTUS_API_KEY may do all that Erleah does (26 permissions)")
    assert found["flows"] == (True, AS_IT_SHOULD_BE)
    fields = ("token", "last_access")
    after = state(admin)
    for user in (*before[-1], *after[-1]):
        for name in fields:
            user.pop(name, None)
    assert after == before


def test_a_right_that_is_missing_is_named_with_its_remedy(
    directus_server: DirectusServer, admin: Rest, tmp_path: Path
) -> None:
    """Also where there is no administrator's token, as in an installation that runs."""
    row = permission(admin, "messages", "update")
    admin.data("DELETE", f"/permissions/{row['id']}")
    try:
        found = findings(directus_server, tmp_path, DIRECTUS_ADMIN_TOKEN="")
        with_admin = findings(directus_server, tmp_path)["flows"]
        with pytest.raises(ValueError, match="not enough values"):
            permission(admin, "messages", "update")  # the doctor gives nothing
    finally:
        admin.data("POST", "/permissions", json=row)
    assert found["rights"] == (False, "DIRECTUS_API_KEY lacks the right to update messages; run: erleah bootstrap")
    assert found["flows"][0]
    assert found["flows"][1].startswith("not looked at")
    assert with_admin == (False, "permission of Erleah: update messages is missing; run: erleah bootstrap")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"status": "inactive"}, "status"),
        ({"options": {"type": "action", "scope": ["items.update"], "collections": ["messages"]}}, "options"),
    ],
)
def test_a_flow_that_would_not_call_is_named(
    change: dict[str, Any], named: str, directus_server: DirectusServer, admin: Rest, tmp_path: Path
) -> None:
    path = f"/flows/{names.MESSAGE_CREATED_FLOW_ID}"
    with changed(admin, path, **change):
        ok, said = findings(directus_server, tmp_path)["flows"]
        assert {name: admin.data("GET", path)[name] for name in change} == change, "the doctor mends nothing"
    assert not ok
    assert said.startswith(f"flow Erleah: message created: {named}")
    assert said.endswith("run: erleah bootstrap")


def test_a_flow_that_calls_elsewhere_is_named(directus_server: DirectusServer, tmp_path: Path) -> None:
    """The receiver has moved and bootstrap has not been run."""
    ok, said = findings(directus_server, tmp_path, WEBHOOK_PUBLIC_URL="http://127.0.0.1:7")["flows"]
    assert not ok
    assert "flow Erleah: message created: call_erleah would be set right" in said
    assert "flow Erleah: content changed: call_erleah would be set right" in said


def test_without_the_flow_for_answers_nothing_is_wrong_and_it_is_said(
    directus_server: DirectusServer, admin: Rest, tmp_path: Path
) -> None:
    with changed(admin, f"/flows/{names.ANSWERS_FLOW_ID}", status="inactive"):
        ok, said = findings(directus_server, tmp_path)["flows"]
    assert ok
    assert said.startswith(f"{AS_IT_SHOULD_BE}; 'Erleah: write answers' is not as bootstrap makes it, or not active")


def test_who_is_no_administrator_is_told_so(directus_server: DirectusServer, tmp_path: Path) -> None:
    found = findings(directus_server, tmp_path, DIRECTUS_ADMIN_TOKEN=directus_server.service_token)
    ok, said = found["flows"]
    assert not ok
    assert said.startswith("DIRECTUS_ADMIN_TOKEN is not an administrator's token")

"""Provisioning against a real Directus: what it makes, and what it leaves alone."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from provision.answers_flow import OPERATIONS
from provision.provisioner import provision
from provision.secret_history import FORGETTING_FLOW_NAME
from services import directus_names as names
from services.directus.client import Directus
from services.errors import ConfigurationError, ServiceUnavailableError
from tests.e2e.directus_server import DirectusServer, Rest, provision_directus, start_directus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.local_directus import DirectusSecrets
    from provision.report import Report

pytestmark = pytest.mark.e2e

CONTRACT = {
    "conferences": "id name description start_date end_date venue city country timezone website faq",
    "sessions": "id conference_id title description track session_type level tags start_time end_time room language "
    "speakers",
    "exhibitors": "id conference_id name description category booth_number website sponsor_level tags",
    "speakers": "id conference_id name title company bio topics links sessions",
    "conversations": "id source conference_id user_created date_created messages",
    "messages": "id conversation_id role messageText status seq metadata assistant intent outcome language degraded "
    "first_token_ms total_ms cost_usd user_created date_created",
}
API_KEY = "the-first-service-token"
OTHER_API_KEY = "the-second-service-token"


@dataclass(frozen=True)
class EmptyDirectus:
    """A Directus of its own that nobody has provisioned."""

    url: str
    admin_token: str = field(repr=False)
    admin: Rest = field(repr=False)
    database: Path = field(repr=False)

    def tables_with(self, secret: str) -> set[str]:
        """The tables of the database that have a row with the secret in it."""
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name for name in tables if secret in str(database.execute(f'SELECT * FROM "{name}"').fetchall())}  # noqa: S608 - the database's own names

    async def provision(self, **changes: Any) -> Report:  # noqa: ANN401 - the settings' own types
        """Provision with this file's settings and ``changes``."""
        settings = {"api_key": API_KEY, "webhook_url": "http://127.0.0.1:9", "webhook_secret": "a-webhook-secret"}
        return await provision_directus(self.url, self.admin_token, **(settings | changes))


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DirectusSecrets]:
    """The data folder of a Directus that was started once, to be copied: making one takes seconds."""
    folder = tmp_path_factory.mktemp("fresh-directus")
    process, own = start_directus(folder)
    process.stop()
    return folder, own


@pytest.fixture
def empty_directus(fresh_database: tuple[Path, DirectusSecrets], tmp_path: Path) -> Iterator[EmptyDirectus]:
    folder, own = fresh_database
    process, _ = start_directus(shutil.copytree(folder, tmp_path / "directus"), own)
    try:
        with Rest(process.url, own.admin_token) as admin:
            yield EmptyDirectus(process.url, own.admin_token, admin, process.database_path)
    finally:
        process.stop()


def wait_for(holds: Callable[[], bool], patience_s: float = 10) -> None:
    """Wait until it holds."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def request_operations(admin: Rest) -> dict[str, dict[str, Any]]:
    """The one operation of each flow that calls the receiver, by the flow's name."""
    flows = admin.data("GET", "/flows", params={"fields": "name,trigger,operations.*"})
    calls = {flow["name"]: [step for step in flow["operations"] if step["type"] == "request"] for flow in flows}
    assert all(len(steps) <= 1 for steps in calls.values())
    return {name: steps[0] for name, steps in calls.items() if steps}


def test_every_field_of_the_contract_is_there(directus_server: DirectusServer) -> None:
    """Collections have the fields that other rooms and other systems read, under their exact names."""
    with Rest(directus_server.url, directus_server.admin_token) as admin:
        for collection, fields in CONTRACT.items():
            there = {row["field"] for row in admin.data("GET", f"/fields/{collection}")}
            assert there == set(fields.split()), collection


def test_what_erleah_makes_stays_inside_the_free_licence(directus_server: DirectusServer) -> None:
    """At most 20 collections and 4 flows are Erleah's, and no permission has a custom rule."""
    with Rest(directus_server.url, directus_server.admin_token) as admin:
        usage = admin.data("GET", "/license")["usage"]
        assert usage["collections"] <= 20
        assert usage["flows"] <= 4
        assert usage["seats"] == 1
        rows = admin.data("GET", "/permissions", params={"limit": -1})
        own = [row for row in rows if row["policy"] in {names.ERLEAH_POLICY_ID, names.VISITOR_POLICY_ID}]
        assert own
        for row in own:
            assert (row["fields"], row["permissions"], row["presets"]) == (["*"], {}, None)


def test_messages_leave_no_revisions(directus_server: DirectusServer) -> None:
    """Writing an answer piece by piece leaves no activity and no revision rows behind."""
    with (
        Rest(directus_server.url, directus_server.admin_token) as admin,
        Rest(directus_server.url, directus_server.service_token) as service,
    ):
        conversation = service.data("POST", "/items/conversations", json={})
        body = {"conversation_id": conversation["id"], "role": "assistant", "status": "streaming"}
        message = service.data("POST", "/items/messages", json=body)
        service.data("PATCH", f"/items/messages/{message['id']}", json={"messageText": "a piece", "seq": 1})
        params = {"filter[item][_eq]": message["id"]}
        assert admin.data("GET", "/revisions", params=params) == []
        assert admin.data("GET", "/activity", params=params) == []


def test_a_moment_keeps_its_instant(directus_server: DirectusServer) -> None:
    """A start given with any offset comes back as the same instant, in UTC."""
    with Rest(directus_server.url, directus_server.service_token) as service:
        body = {"title": "A workshop", "start_time": "2024-07-08T08:30:00+02:00"}
        session = service.data("POST", "/items/sessions", json=body)
        assert session["start_time"] == "2024-07-08T06:30:00.000Z"


def test_deleting_a_conversation_takes_its_messages_along(directus_server: DirectusServer) -> None:
    """A message cannot outlive its conversation."""
    with Rest(directus_server.url, directus_server.admin_token) as admin:
        conversation = admin.data("POST", "/items/conversations", json={})
        assert conversation["source"] == "mini"
        message = admin.data(
            "POST", "/items/messages", json={"conversation_id": conversation["id"], "role": "user", "messageText": "?"}
        )
        admin.data("DELETE", f"/items/conversations/{conversation['id']}")
        assert admin.call("GET", f"/items/messages/{message['id']}").status_code == 403


async def test_the_second_run_changes_nothing_and_a_new_setting_only_its_own(empty_directus: EmptyDirectus) -> None:
    """Bootstrap may be run at any time: it makes what is missing once, and follows the settings."""
    admin = empty_directus.admin
    first = await empty_directus.provision()
    assert {f"collection {name}" for name in (*CONTRACT, names.SESSIONS_SPEAKERS)} <= set(first.made)
    assert (first.changed, first.problems) == ([], [])

    snapshot = admin.data("GET", "/schema/snapshot")
    second = await empty_directus.provision()
    assert second.changed_nothing
    assert second.problems == []
    assert admin.data("GET", "/schema/snapshot") == snapshot

    moved = await empty_directus.provision(webhook_url="https://erleah.example.com/", webhook_secret="another-secret")
    assert moved.made == []
    assert set(moved.changed) == {
        "flow Erleah: message created: call_erleah",
        "flow Erleah: content changed: call_erleah",
    }
    operation = request_operations(admin)["Erleah: message created"]
    assert operation["options"]["url"] == "https://erleah.example.com/hooks/message-created"
    assert operation["options"]["headers"] == [{"header": "X-Erleah-Secret", "value": "another-secret"}]

    rotated = await empty_directus.provision(
        api_key=OTHER_API_KEY, webhook_url="https://erleah.example.com", secret_from_env=True
    )
    assert "user Erleah: token" in rotated.changed
    with Rest(empty_directus.url, OTHER_API_KEY) as service, Rest(empty_directus.url, API_KEY) as old:
        assert service.data("GET", "/items/messages") == []
        assert old.call("GET", "/items/messages").status_code == 401
    assert "another-secret" not in str(request_operations(admin))


async def test_what_an_operator_broke_is_mended(empty_directus: EmptyDirectus) -> None:
    """A permission, an operation or a field that somebody deleted comes back with the next bootstrap."""
    admin = empty_directus.admin
    await empty_directus.provision()
    permission = admin.data("GET", "/permissions", params={"filter[policy][_eq]": names.VISITOR_POLICY_ID})[0]
    admin.data("DELETE", f"/permissions/{permission['id']}")
    operation = request_operations(admin)["Erleah: content changed"]
    admin.data("DELETE", f"/operations/{operation['id']}")
    admin.data("PATCH", f"/flows/{names.MESSAGE_CREATED_FLOW_ID}", json={"status": "inactive"})
    admin.data("DELETE", "/fields/messages/seq")
    admin.data("PATCH", f"/roles/{names.VISITOR_ROLE_ID}", json={"name": "Guests"})
    steps = admin.data("GET", "/operations", params={"filter[flow][_eq]": names.ANSWERS_FLOW_ID})
    by_key = {step["key"]: step["id"] for step in steps}
    admin.data("PATCH", f"/operations/{by_key['caller']}", json={"options": {"filter": {}}, "resolve": None})
    admin.data("DELETE", f"/operations/{by_key['rows']}")

    report = await empty_directus.provision()
    assert len(report.made) == 2, report.made
    assert "field messages.seq" in report.made
    assert set(report.changed) == {
        "flow Erleah: content changed: call_erleah, first step",
        "flow Erleah: message created: status",
        "flow Erleah: write answers: caller, rows",
    }
    assert (await empty_directus.provision()).changed_nothing


async def test_a_step_that_somebody_put_in_between_is_led_around(empty_directus: EmptyDirectus) -> None:
    """It stays in its Flow and nothing leads to it: of a Flow's steps, only one may lead to another."""
    admin = empty_directus.admin
    await empty_directus.provision()
    steps = admin.data("GET", "/operations", params={"filter[flow][_eq]": names.ANSWERS_FLOW_ID})
    ids = {step["key"]: step["id"] for step in steps}
    admin.data("PATCH", f"/operations/{ids['rows']}", json={"resolve": None})
    body = {"flow": names.ANSWERS_FLOW_ID, "key": "theirs", "type": "log", "options": {"message": "here"}}
    place = {"position_x": 1, "position_y": 1}
    theirs = admin.data("POST", "/operations", json=body | place | {"resolve": ids["write"]})["id"]
    admin.data("PATCH", f"/operations/{ids['rows']}", json={"resolve": theirs})
    refused = admin.call("PATCH", f"/operations/{ids['rows']}", json={"resolve": ids["write"]})
    assert refused.json()["errors"][0]["extensions"]["code"] == "RECORD_NOT_UNIQUE"

    report = await empty_directus.provision()
    assert report.changed == ["flow Erleah: write answers: rows, theirs unlinked"]
    steps = {step["key"]: step for step in admin.data("GET", "/operations", params={"filter[key][_eq]": "theirs"})}
    assert (steps["theirs"]["resolve"], steps["theirs"]["options"]) == (None, {"message": "here"})
    assert admin.data("GET", f"/operations/{ids['rows']}")["resolve"] == ids["write"]
    assert (await empty_directus.provision()).changed_nothing


async def test_steps_in_another_order_are_put_back(empty_directus: EmptyDirectus) -> None:
    """Even where a step of Erleah's own holds the link that another one must have."""
    admin = empty_directus.admin
    await empty_directus.provision()
    steps = admin.data("GET", "/operations", params={"filter[flow][_eq]": names.ANSWERS_FLOW_ID})
    ids = {step["key"]: step["id"] for step in steps}
    admin.data("PATCH", f"/operations/{ids['rows']}", json={"resolve": None})
    admin.data("PATCH", f"/operations/{ids['caller']}", json={"resolve": ids["write"], "reject": ids["rows"]})
    admin.data("PATCH", f"/flows/{names.ANSWERS_FLOW_ID}", json={"operation": ids["rows"]})

    report = await empty_directus.provision()
    assert report.changed == ["flow Erleah: write answers: caller, first step, rows"]
    steps = admin.data("GET", "/operations", params={"filter[flow][_eq]": names.ANSWERS_FLOW_ID})
    follows = {step["key"]: (step["resolve"], step["reject"]) for step in steps}
    assert follows == {
        "caller": (ids["rows"], None),
        "rows": (ids["write"], None),
        "write": (ids["written"], None),
        "written": (None, None),
    }
    assert (await empty_directus.provision()).changed_nothing


async def test_the_secret_lies_in_the_steps_that_need_it_and_nowhere_else(empty_directus: EmptyDirectus) -> None:
    """Without ``secret_from_env`` Directus needs it in ``directus_operations``; its memory of changes does not keep it.

    An older secret is nowhere at all. What the Flows' history says otherwise stays.
    """
    admin = empty_directus.admin
    first = await empty_directus.provision(webhook_secret="a-first-secret")
    assert (first.changed, first.problems) == ([], [])
    assert empty_directus.tables_with("a-first-secret") == {"directus_operations"}
    assert FORGETTING_FLOW_NAME not in {flow["name"] for flow in admin.data("GET", "/flows")}

    await empty_directus.provision(webhook_secret="a-second-secret")
    assert empty_directus.tables_with("a-first-secret") == set()
    assert empty_directus.tables_with("a-second-secret") == {"directus_operations"}
    step = request_operations(admin)["Erleah: content changed"]
    of_step = {"filter[collection][_eq]": "directus_operations", "filter[item][_eq]": step["id"], "sort": "id"}
    made, changed = admin.data("GET", "/revisions", params=of_step)
    for remembered in (made["data"], made["delta"], changed["data"], changed["delta"]):
        assert remembered["options"]["headers"] == [{"header": "X-Erleah-Secret", "value": "--redacted--"}]
        assert remembered["options"]["body"] == "{{$trigger}}"
    assert (made["data"]["position_x"], changed["data"]["id"]) == (step["position_x"], step["id"])


async def test_what_was_remembered_before_is_forgotten_too(empty_directus: EmptyDirectus) -> None:
    """A step somebody moved in the Studio, one that was deleted, a tracked run, revisions that have others below."""
    admin = empty_directus.admin
    await empty_directus.provision(webhook_secret="an-old-secret")
    step = request_operations(admin)["Erleah: content changed"]
    admin.data("PATCH", f"/flows/{names.CONTENT_CHANGED_FLOW_ID}", json={"accountability": "all"})
    admin.data("POST", "/items/speakers", json={"name": "Ada"})
    admin.data("PATCH", f"/operations/{step['id']}", json={"position_x": 40})
    theirs = {"flow": step["flow"], "key": "theirs", "type": "log", "position_x": 1, "position_y": 1}
    admin.data("PATCH", f"/operations/{step['id']}", json={"resolve": theirs})
    admin.data("PATCH", f"/operations/{step['id']}", json={"resolve": None})
    admin.data("PATCH", f"/flows/{names.CONTENT_CHANGED_FLOW_ID}", json={"operation": None})
    admin.data("DELETE", f"/operations/{step['id']}")
    of_runs = {"filter[activity][action][_eq]": "run"}
    wait_for(lambda: "an-old-secret" in str(admin.data("GET", "/revisions", params=of_runs)))
    assert empty_directus.tables_with("an-old-secret") == {"directus_operations", "directus_revisions"}

    report = await empty_directus.provision(webhook_secret="a-new-secret")
    assert [change for change in report.changed if change.startswith("revisions: the hook's secret taken out of ")]
    assert report.problems == []
    assert empty_directus.tables_with("an-old-secret") == set()
    assert empty_directus.tables_with("a-new-secret") == {"directus_operations"}
    assert (await empty_directus.provision(webhook_secret="a-new-secret")).changed_nothing


async def test_the_secret_is_forgotten_where_the_licence_is_full(empty_directus: EmptyDirectus) -> None:
    """A Flow of Erleah's rests for the moment that it takes, and an operator's Flows go on."""
    admin = empty_directus.admin
    async with Directus(empty_directus.url, empty_directus.admin_token) as directus:
        for number in range(2):
            body = {"name": f"own {number}", "trigger": "manual", "status": "active", "options": {}}
            await directus.request("POST", "/flows", json=body, retry=True)
    assert (await empty_directus.provision(webhook_secret="a-first-secret")).problems == []
    report = await empty_directus.provision(webhook_secret="a-second-secret")
    assert report.problems == []
    assert empty_directus.tables_with("a-first-secret") == set()
    assert empty_directus.tables_with("a-second-secret") == {"directus_operations"}
    assert [flow["status"] for flow in admin.data("GET", "/flows")] == ["active"] * 5
    of_lender = {"filter[item][_eq]": names.ANSWERS_FLOW_ID, "sort": "id"}
    rested = [row["delta"].get("status") for row in admin.data("GET", "/revisions", params=of_lender)]
    assert rested[-2:] == ["inactive", "active"]
    assert (await empty_directus.provision(webhook_secret="a-second-secret")).changed_nothing


async def test_flows_that_read_the_secret_elsewhere_go_on_so(empty_directus: EmptyDirectus) -> None:
    """Unless told otherwise, bootstrap puts no secret into a database that has none; a new Flow is like the others."""
    admin = empty_directus.admin
    settings: dict[str, Any] = {"webhook_secret": "not-for-the-database"}
    await empty_directus.provision(**settings, secret_from_env=True)
    again = await empty_directus.provision(**settings, secret_from_env=None)
    assert again.changed_nothing
    assert ["--secret-in-flows" in note for note in again.notes] == [True]
    admin.data("DELETE", f"/flows/{names.MESSAGE_CREATED_FLOW_ID}")
    step = request_operations(admin)["Erleah: content changed"]
    headers = [{"header": "X-Erleah-Secret", "value": "{{$env.THEIR_OWN_NAME}}"}]
    admin.data("PATCH", f"/operations/{step['id']}", json={"options": step["options"] | {"headers": headers}})

    mended = await empty_directus.provision(**settings, secret_from_env=None)
    assert (mended.made, mended.changed) == (["flow Erleah: message created"], [])
    assert [step["options"]["headers"] for step in request_operations(admin).values()] == [headers, headers]
    assert empty_directus.tables_with("not-for-the-database") == set()

    told = await empty_directus.provision(**settings, secret_from_env=False)
    assert len(told.changed) == 2
    assert told.notes == []
    assert empty_directus.tables_with("not-for-the-database") == {"directus_operations"}


async def test_what_an_operator_added_to_a_flow_stays_where_it_does_no_harm(empty_directus: EmptyDirectus) -> None:
    """His collection goes on calling; what would call at each written piece of an answer goes."""
    admin = empty_directus.admin
    await empty_directus.provision()
    for flow_id, scope, collections in (
        (names.CONTENT_CHANGED_FLOW_ID, ["items.create", "items.sort"], ["rooms", "sessions", "messages"]),
        (names.MESSAGE_CREATED_FLOW_ID, ["items.create", "items.update"], ["tickets"]),
    ):
        options = {"type": "filter", "scope": scope, "collections": collections, "theirs": True}
        admin.data("PATCH", f"/flows/{flow_id}", json={"options": options})

    report = await empty_directus.provision()
    assert set(report.changed) == {
        "flow Erleah: message created: options, trigger",
        "flow Erleah: content changed: options, trigger",
    }
    options = admin.data("GET", f"/flows/{names.CONTENT_CHANGED_FLOW_ID}")["options"]
    assert options == {
        "type": "action",
        "scope": ["items.create", "items.sort", "items.update", "items.delete"],
        "collections": ["rooms", "sessions", "exhibitors", "speakers", "conferences", "sessions_speakers"],
        "theirs": True,
    }
    options = admin.data("GET", f"/flows/{names.MESSAGE_CREATED_FLOW_ID}")["options"]
    assert (options["scope"], options["collections"]) == (["items.create"], ["tickets", "messages"])
    assert (await empty_directus.provision()).changed_nothing


def test_a_share_is_not_erleah_whatever_role_it_has(directus_server: DirectusServer) -> None:
    """The Flow that writes answers lets Erleah's user alone through, not a visitor of a Directus to come.

    A step named like Directus's own data stands in for who is calling: 12.4.0 gives a share no role.
    """
    callers: dict[str, dict[str, Any]] = {
        "erleah": {"role": names.ERLEAH_ROLE_ID, "user": names.ERLEAH_USER_ID},
        "another user": {"role": names.VISITOR_ROLE_ID, "user": names.ERLEAH_USER_ID},
        "share": {"role": names.ERLEAH_ROLE_ID, "user": None, "share": "1"},
        "share of old": {"role": None, "user": None, "share": "1"},
    }
    with Rest(directus_server.url, directus_server.admin_token) as admin:
        options = {"method": "POST", "return": "$last", "error_on_reject": True}
        body = {"name": "who", "trigger": "webhook", "accountability": None, "status": "active", "options": options}
        flow = admin.data("POST", "/flows", json=body)["id"]
        place = {"flow": flow, "position_x": 1, "position_y": 1}
        question = {"key": "caller", "type": OPERATIONS[0].type, "options": OPERATIONS[0].options}
        asked = admin.data("POST", "/operations", json=place | question)["id"]
        who = {"key": "$accountability", "type": "transform", "options": {"json": "{{$trigger.body}}"}}
        first = admin.data("POST", "/operations", json=place | who | {"resolve": asked})["id"]
        admin.data("PATCH", f"/flows/{flow}", json={"operation": first})
        passed = {
            name: admin.call("POST", f"/flows/trigger/{flow}", json=caller).is_success
            for name, caller in callers.items()
        }
        admin.data("DELETE", f"/flows/{flow}")
    assert passed == {"erleah": True, "another user": False, "share": False, "share of old": False}


class BreaksOff:
    """A way to Directus that is gone after one write."""

    def __init__(self, directus: Directus) -> None:
        self._directus = directus
        self._written = False

    async def request(self, method: str, path: str, *, json: Any = None, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Pass calls on until the second write."""
        if method != "GET":
            if self._written:
                raise ServiceUnavailableError("directus", "the cable was pulled")
            self._written = True
        return await self._directus.request(method, path, json=json, params=params)


async def test_an_interrupted_run_is_taken_up_where_it_stopped(empty_directus: EmptyDirectus) -> None:
    """Wherever a bootstrap breaks off, the next one ends with the same schema, access and Flows."""
    settings: dict[str, Any] = {"webhook_url": "http://127.0.0.1:9", "webhook_secret": "a-webhook-secret"}
    report = None
    async with Directus(empty_directus.url, empty_directus.admin_token) as admin:
        service = admin.with_token(API_KEY)
        for _ in range(200):
            with contextlib.suppress(ServiceUnavailableError):
                report = await provision(BreaksOff(admin), service=service, api_key=API_KEY, **settings)
                break
    assert report is not None
    assert report.problems == []
    assert (await empty_directus.provision()).changed_nothing
    relations = empty_directus.admin.data("GET", "/relations")
    own = {f"{row['collection']}.{row['field']}": row for row in relations if not row["collection"].startswith("direc")}
    assert len(own) == 9
    assert all(row["schema"] for row in own.values())
    assert own["messages.conversation_id"]["schema"]["on_delete"] == "CASCADE"
    assert len(request_operations(empty_directus.admin)) == 2
    steps = empty_directus.admin.data("GET", "/operations", params={"filter[flow][_eq]": names.ANSWERS_FLOW_ID})
    assert len(steps) == len(OPERATIONS)


async def test_a_token_that_is_no_administrators_makes_nothing(directus_server: DirectusServer) -> None:
    """Bootstrap with the wrong token says which setting is wrong."""
    settings: dict[str, Any] = {"webhook_url": "http://127.0.0.1:9", "webhook_secret": "a-webhook-secret"}
    url, admin, own = directus_server.url, directus_server.admin_token, directus_server.service_token
    with pytest.raises(ConfigurationError, match="DIRECTUS_ADMIN_TOKEN"):
        await provision_directus(url, own, api_key=own, **settings)
    with pytest.raises(ConfigurationError, match="DIRECTUS_ADMIN_TOKEN"):
        await provision_directus(url, "nobody's-token", api_key=own, **settings)
    with pytest.raises(ConfigurationError, match="DIRECTUS_API_KEY"):
        await provision_directus(url, admin, api_key=admin, **settings)


async def test_where_the_licence_has_room_for_two_flows_answers_go_without_the_third(
    empty_directus: EmptyDirectus,
) -> None:
    """An operator with three Flows of his own keeps them, and is told what it costs."""
    async with Directus(empty_directus.url, empty_directus.admin_token) as admin:
        for number in range(3):
            body = {"name": f"own {number}", "trigger": "manual", "status": "active", "options": {}}
            await admin.request("POST", "/flows", json=body, retry=True)
    report = await empty_directus.provision()
    assert [problem for problem in report.problems if names.ANSWERS_FLOW_NAME in problem]
    assert len(empty_directus.admin.data("GET", "/flows")) == 5
    assert not (await empty_directus.provision()).made


async def test_a_foreign_sessions_collection_survives(empty_directus: EmptyDirectus) -> None:
    """A collection that was there keeps its key, its fields and its rows, gets what is missing, and is named."""
    admin = empty_directus.admin
    fields = [
        {"field": "id", "type": "integer", "schema": {"is_primary_key": True, "has_auto_increment": True}},
        {"field": "title", "type": "string", "schema": {"max_length": 100}},
        {"field": "code", "type": "string", "schema": {"is_nullable": False}},
        {"field": "speakers", "type": "text", "schema": {}},
        {"field": "tags", "type": "boolean", "schema": {}},
    ]
    admin.data("POST", "/collections", json={"collection": "sessions", "meta": {}, "schema": {}, "fields": fields})
    row = {"title": "Old", "code": "A1", "speakers": "Ada, Grace", "tags": True}
    key = admin.data("POST", "/items/sessions", json=row)["id"]
    before = {field["field"]: field for field in admin.data("GET", "/fields/sessions")}

    report = await empty_directus.provision()

    assert "collection sessions" in report.found
    assert "field sessions.start_time" in report.made
    for named in ("integer key 'id'", "sessions.tags is of type boolean", "sessions.speakers", "sessions.code must be"):
        assert any(named in problem for problem in report.problems), named
    after = {field["field"]: field for field in admin.data("GET", "/fields/sessions")}
    assert {name: after[name] for name in before} == before
    assert {name: value for name, value in admin.data("GET", f"/items/sessions/{key}").items() if name in row} == row

    with Rest(empty_directus.url, API_KEY) as service:
        speaker = service.data("POST", "/items/speakers", json={"name": "Ada"})
        link = {names.SESSIONS_SPEAKERS_SESSION: key, names.SESSIONS_SPEAKERS_SPEAKER: speaker["id"]}
        service.data("POST", "/items/sessions_speakers", json=link)
        read = service.data("GET", f"/items/speakers/{speaker['id']}", params={"fields": "sessions.sessions_id.title"})
        assert read == {"sessions": [{"sessions_id": {"title": "Old"}}]}

    again = await empty_directus.provision()
    assert again.changed_nothing
    assert again.problems == report.problems


async def test_a_found_relation_gets_its_missing_side(empty_directus: EmptyDirectus) -> None:
    """Messages of an older installation are all kept, lost ones too, and become readable through their conversation."""
    admin = empty_directus.admin
    key = {"field": "id", "type": "uuid", "meta": {"special": ["uuid"]}, "schema": {"is_primary_key": True}}
    link = {"field": "conversation_id", "type": "uuid", "schema": {}}
    admin.data("POST", "/collections", json={"collection": "conversations", "schema": {}, "meta": {}, "fields": [key]})
    admin.data("POST", "/collections", json={"collection": "messages", "schema": {}, "meta": {}, "fields": [key, link]})
    conversation = admin.data("POST", "/items/conversations", json={})["id"]
    message = admin.data("POST", "/items/messages", json={"conversation_id": conversation})["id"]
    lost = admin.data("POST", "/items/messages", json={"conversation_id": names.ERLEAH_ROLE_ID})["id"]

    report = await empty_directus.provision()

    assert report.problems == []
    assert "relation messages.conversation_id, without a database constraint" in report.made
    assert admin.data("GET", "/relations/messages/conversation_id")["schema"] is None
    read = admin.data("GET", f"/items/conversations/{conversation}", params={"fields": "messages.id"})
    assert read == {"messages": [{"id": message}]}
    assert admin.data("GET", f"/items/messages/{lost}")["id"] == lost
    assert (await empty_directus.provision()).changed_nothing

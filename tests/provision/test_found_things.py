"""What provisioning says and does about things it finds, on a Directus that is played."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from provision.provisioner import provision
from provision.report import Report
from provision.schema import COLLECTIONS
from provision.schema_builder import SchemaBuilder
from services.errors import ConfigurationError

UUID_COLUMN = {"data_type": "uuid", "is_nullable": True}


def field_row(name: str, kind: str = "string", **schema: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """A row of ``/fields`` as Directus gives it."""
    return {"field": name, "type": kind, "meta": {}, "schema": {"data_type": kind, "is_nullable": True} | schema}


class PlayedDirectus:
    """Answers reads from what it was given plus what was made, and notes every write."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Any]] = {}
        self.fields: dict[str, list[dict[str, Any]]] = {
            "directus_users": [field_row("id", "uuid", is_primary_key=True)],
        }
        self.relations: list[dict[str, Any]] = []
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.answers: dict[str, Any] = {"/license": {}, "/flows": [], "/settings": {}}
        self.writes: list[tuple[str, str, Any]] = []

    def has(self, collection: str, *fields: dict[str, Any], **row: Any) -> None:  # noqa: ANN401 - any property
        """Let the collection be there, with a UUID key unless one of the fields is a key."""
        self.collections[collection] = {"collection": collection, "schema": {}, "meta": {"accountability": "all"}} | row
        keyed = any(field["schema"].get("is_primary_key") for field in fields)
        key = () if keyed else (field_row("id", "uuid", is_primary_key=True),)
        self.fields[collection] = [] if row.get("schema", ...) is None else [*key, *fields]

    async def request(self, method: str, path: str, *, json: Any = None, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Play Directus."""
        del params  # what is played here is small: nothing is filtered
        if method == "GET":
            return copy.deepcopy(self._read(path))
        self.writes.append((method, path, json))
        if (method, path) == ("POST", "/collections"):
            self.has(json["collection"], *(self._made(field) for field in json["fields"]))
        elif method == "POST" and path.startswith("/fields/"):
            made = self._made(json)
            self.fields[path.removeprefix("/fields/")].append(made)
            return made
        return None

    def _read(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        match path.strip("/").split("/"):
            case ["collections"]:
                return list(self.collections.values())
            case ["fields"]:
                return [row | {"collection": name} for name, rows in self.fields.items() for row in rows]
            case ["fields", collection]:
                return self.fields[collection]
            case ["relations"]:
                return self.relations
            case ["items", collection]:
                return self.rows.get(collection, [])
            case _:
                return self.answers[path]

    @staticmethod
    def _made(body: dict[str, Any]) -> dict[str, Any]:
        return field_row(body["field"], body["type"], **body.get("schema") or {})

    def written(self, method: str, path: str) -> list[Any]:
        """The bodies of the writes of that kind."""
        return [body for made_by, where, body in self.writes if (made_by, where) == (method, path)]


async def built(directus: PlayedDirectus) -> Report:
    report = Report()
    await SchemaBuilder(directus, report).build()
    return report


async def test_an_empty_directus_gets_everything() -> None:
    """Every declared collection and relation is made, and nothing is a problem."""
    directus = PlayedDirectus()
    report = await built(directus)
    assert [body["collection"] for body in directus.written("POST", "/collections")] == [c.name for c in COLLECTIONS]
    assert len(directus.written("POST", "/relations")) == 9
    assert report.problems == []


async def test_a_folder_of_that_name_is_named() -> None:
    """A folder can't hold rows and isn't turned into a collection."""
    directus = PlayedDirectus()
    directus.has("speakers", schema=None)
    report = await built(directus)
    assert any(problem.startswith("speakers is a folder") for problem in report.problems)
    assert "/fields/speakers" not in {path for _, path, _ in directus.writes}


@pytest.mark.parametrize(
    ("collection", "consequence"),
    [("messages", "Erleah cannot answer with it"), ("sessions", "erleah load cannot add to them")],
)
async def test_an_integer_key_is_named_with_its_consequence(collection: str, consequence: str) -> None:
    """Content with another key is still read; messages with another key are of no use."""
    directus = PlayedDirectus()
    directus.has(collection, field_row("id", "integer", is_primary_key=True))
    report = await built(directus)
    assert any(problem.startswith(collection) and problem.endswith(consequence) for problem in report.problems)


async def test_links_take_the_type_of_a_found_key() -> None:
    """A conference that was there with an integer key is linked to by integers."""
    directus = PlayedDirectus()
    directus.has("conferences", field_row("id", "integer", is_primary_key=True))
    await built(directus)
    made = {body["collection"]: body for body in directus.written("POST", "/collections")}
    kinds = {field["field"]: field["type"] for field in made["exhibitors"]["fields"]}
    assert kinds["conference_id"] == "integer"


@pytest.mark.parametrize(("found", "fits"), [("text", True), ("csv", True), ("integer", False), ("boolean", False)])
async def test_a_found_type_is_judged_by_what_can_be_read_from_it(found: str, *, fits: bool) -> None:
    """A longer text or a list in another form will do; a number in place of a text won't, and nothing is written."""
    directus = PlayedDirectus()
    directus.has("exhibitors", field_row("category", found))
    report = await built(directus)
    assert ("field exhibitors.category" in report.found) is fits
    assert (f"exhibitors.category is of type {found}, Erleah expects string" in report.problems) is not fits
    assert [body for method, path, body in directus.writes if method == "PATCH" and "exhibitors" in path] == []


async def test_a_field_that_must_be_filled_is_named() -> None:
    """Erleah doesn't know what to put there, so it says that it can't add rows."""
    directus = PlayedDirectus()
    directus.has(
        "exhibitors",
        field_row("code", is_nullable=False),
        field_row("state", is_nullable=False, default_value="draft"),
    )
    report = await built(directus)
    assert [problem.split()[0] for problem in report.problems] == ["exhibitors.code"]


async def test_a_relation_that_leads_elsewhere_is_left_alone() -> None:
    """Somebody's own relation is named and not bent."""
    directus = PlayedDirectus()
    directus.has("exhibitors", field_row("conference_id", "uuid"))
    directus.relations = [
        {"collection": "exhibitors", "field": "conference_id", "related_collection": "fairs", "meta": {"id": 1}}
    ]
    report = await built(directus)
    assert report.problems == ["exhibitors.conference_id points to fairs, not to conferences"]
    assert ("PATCH", "/relations/exhibitors/conference_id") not in {(m, p) for m, p, _ in directus.writes}


async def test_rows_that_are_there_get_no_constraint() -> None:
    """A constraint could fail on old rows, and its cascade delete them: the relation is made without one."""
    directus = PlayedDirectus()
    directus.has("conversations")
    directus.has("messages", field_row("conversation_id", "uuid"))
    directus.rows = {"messages": [{"conversation_id": "lost"}]}
    report = await built(directus)
    made = next(body for body in directus.written("POST", "/relations") if body["collection"] == "messages")
    assert (made["related_collection"], "schema" in made) == (None, False)
    (patch,) = directus.written("PATCH", "/relations/messages/conversation_id")
    assert patch["meta"] == {"one_field": "messages", "one_collection": "conversations"}
    assert "relation messages.conversation_id, without a database constraint" in report.made


async def test_a_half_made_relation_is_finished() -> None:
    """A run that broke off between the two calls of such a relation is gone on with."""
    directus = PlayedDirectus()
    directus.has("conversations")
    directus.has("messages", field_row("conversation_id", "uuid"))
    directus.relations = [
        {"collection": "messages", "field": "conversation_id", "related_collection": None, "meta": {"id": 1}}
    ]
    report = await built(directus)
    (patch,) = directus.written("PATCH", "/relations/messages/conversation_id")
    assert patch["meta"]["one_collection"] == "conversations"
    assert report.problems == []


async def test_an_alias_that_serves_another_junction_is_named() -> None:
    """Speakers that already hang on their sessions through another junction stay there."""
    directus = PlayedDirectus()
    directus.has("sessions", {"field": "speakers", "type": "alias", "meta": {}, "schema": {}})
    directus.relations = [
        {"collection": "talks", "field": "session", "related_collection": "sessions", "meta": {"one_field": "speakers"}}
    ]
    report = await built(directus)
    assert report.problems == ["sessions.speakers belongs to talks: Erleah cannot read relations through it"]
    links = {body["field"]: body for body in directus.written("POST", "/relations")}
    assert links["sessions_id"]["meta"]["one_field"] is None
    assert links["speakers_id"]["meta"]["one_field"] == "sessions"


@pytest.mark.parametrize(("what", "limit"), [("collections", 25), ("flows", 5)])
async def test_a_full_licence_stops_before_anything_is_made(what: str, limit: int) -> None:
    """With no room for all that Erleah needs the error says how many there would be, and nothing is half made."""
    directus = PlayedDirectus()
    directus.answers["/license"] = {"entitlements": {"collections": {"limit": 25}, "flows": {"limit": 5}}}
    if what == "collections":
        for number in range(19):
            directus.has(f"theirs_{number}")
    else:
        flows = [{"id": str(number), "name": f"Theirs {number}", "status": "active"} for number in range(4)]
        directus.answers["/flows"] = [*flows, {"id": "9", "name": "Old", "status": "inactive"}]
    with pytest.raises(
        ConfigurationError, match=f"allows {limit} {what} and with Erleah's there would be {limit + 1};"
    ):
        await provision(
            directus, service=directus, api_key="a-key", webhook_url="http://127.0.0.1:9", webhook_secret="a-secret"
        )
    assert directus.writes == []

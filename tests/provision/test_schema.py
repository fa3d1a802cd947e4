"""What is declared, held against the contract and the free licence, without a server."""

from __future__ import annotations

from collections import Counter

from provision.access import ERLEAH_PERMISSIONS, VISITOR_PERMISSIONS
from provision.answers_flow import ANSWER_FIELDS, OPERATIONS
from provision.flows import FLOWS
from provision.schema import COLLECTIONS, MESSAGES
from services import directus_names as names


def test_erleah_takes_no_more_than_the_free_licence_leaves() -> None:
    """At most 20 of the 25 collections and 4 of the 5 flows are Erleah's."""
    assert len(COLLECTIONS) <= 20
    assert len({*(flow.id for flow in FLOWS), names.ANSWERS_FLOW_ID}) <= 4


def test_links_point_to_what_is_made_before() -> None:
    """A collection is declared after those it links to, for a link takes the type of their key."""
    made = {"directus_users"}
    for collection in COLLECTIONS:
        assert {field.links_to for field in collection.fields if field.links_to} <= made, collection.name
        made.add(collection.name)


def test_every_name_is_used_once() -> None:
    """No collection has two fields of one name, counting the reverse sides that others give it."""
    fields = Counter((collection.name, field.name) for collection in COLLECTIONS for field in collection.fields)
    for collection in COLLECTIONS:
        fields.update((field.links_to or "", field.reverse) for field in collection.fields if field.reverse)
    assert [name for name, count in fields.items() if count > 1] == []


def test_answers_are_written_without_revisions() -> None:
    """Messages alone are untracked: editors' content keeps its history."""
    assert [collection.name for collection in COLLECTIONS if not collection.tracked] == [MESSAGES.name]


def test_permissions_name_what_exists() -> None:
    """Nobody is let into collections that are not Erleah's, but for the shares."""
    declared = {collection.name for collection in COLLECTIONS} | {"directus_shares"}
    assert {collection for collection, _ in (*ERLEAH_PERMISSIONS, *VISITOR_PERMISSIONS)} <= declared
    assert len(set(ERLEAH_PERMISSIONS)) == len(ERLEAH_PERMISSIONS)


def test_a_visitor_only_reads_and_only_what_a_share_narrows() -> None:
    """The visitors' role has no write, and nothing a share of a conversation doesn't cut to one."""
    assert set(VISITOR_PERMISSIONS) == {(names.CONVERSATIONS, "read"), (names.MESSAGES, "read")}


def test_flows_cover_messages_and_all_content() -> None:
    """Created messages go one way; every change of content and of who speaks where goes the other."""
    by_path = {flow.path: flow for flow in FLOWS}
    created, changed = by_path["/hooks/message-created"], by_path["/hooks/content-changed"]
    assert (created.scope, created.collections) == (("items.create",), (names.MESSAGES,))
    assert set(changed.scope) == {"items.create", "items.update", "items.delete"}
    assert set(changed.collections) == {
        names.SESSIONS,
        names.EXHIBITORS,
        names.SPEAKERS,
        names.CONFERENCES,
        names.SESSIONS_SPEAKERS,
    }


def test_what_goes_through_the_answers_flow_is_of_messages_and_no_relation() -> None:
    """It writes with full rights: a relation among its fields would let a caller write other collections."""
    fields = {field.name: field for field in MESSAGES.fields}
    assert set(ANSWER_FIELDS) < set(fields)
    assert not [name for name in ANSWER_FIELDS if fields[name].links_to or fields[name].reverse]
    assert "metadata" not in ANSWER_FIELDS


def test_the_answers_flow_asks_first_who_is_calling() -> None:
    """And nothing but the script's result is written."""
    first, script, write, *_ = OPERATIONS
    erleah = {"role": {"_eq": names.ERLEAH_ROLE_ID}, "user": {"_nnull": True}}
    assert first.options["filter"] == {"$accountability": erleah}
    assert write.options["payload"] == "{{rows}}"
    assert script.key == "rows"
    assert script.type == "exec"


def test_ids_are_uuids_of_their_own() -> None:
    """The fixed ids are distinct and such that Directus takes them."""
    ids = [value for name, value in vars(names).items() if name.endswith("_ID")]
    assert len(ids) == len(set(ids)) == 8
    assert all(len(value) == 36 and value[14] == "4" for value in ids)

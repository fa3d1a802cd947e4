"""What Erleah relies on in Directus, asked of the stand-in and of the real one alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.directus_names import ANSWERS_FLOW_ID, ERLEAH_USER_ID, VISITOR_ROLE_ID
from services.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ServiceRejectedError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.directus.client import Directus


def new_id() -> str:
    return str(uuid4())


def message(conversation: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    return {"id": new_id(), "conversation_id": conversation, "role": "user"} | fields


async def visitor(directus: Directus, conversation: str) -> Directus:
    share = await directus.create_share("conversations", conversation, role=VISITOR_ROLE_ID)
    return directus.with_token((await directus.open_share(share)).access_token)


async def test_ping_needs_no_token_and_health_needs_one(directus: Directus) -> None:
    await directus.with_token(None).ping()
    assert (await directus.health())["status"] == "ok"
    with pytest.raises(AccessDeniedError):
        await directus.with_token(None).health()


async def test_a_new_row_gets_its_defaults(directus: Directus) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    created = await directus.create_item("conversations", {}, fields=["*"])
    assert created.keys() == {"id", "source", "conference_id", "user_created", "date_created", "messages"}
    assert created["source"] == "mini"
    assert created["conference_id"] is None
    assert created["user_created"] == ERLEAH_USER_ID
    assert created["messages"] == []
    assert before < datetime.fromisoformat(created["date_created"]) < datetime.now(UTC) + timedelta(seconds=2)
    assert created["date_created"].endswith("Z")
    assert len(created["id"]) == 36


async def test_a_user_message_has_an_empty_status_and_seq_0(directus: Directus, conversation: str) -> None:
    created = await directus.create_item("messages", message(conversation), fields=["status", "seq", "metadata"])
    assert created == {"status": None, "seq": 0, "metadata": None}


async def test_a_duplicate_id_is_a_conflict_and_changes_nothing(directus: Directus, conversation: str) -> None:
    first = message(conversation, messageText="first")
    await directus.create_item("messages", first)
    with pytest.raises(ConflictError):
        await directus.create_item("messages", first | {"messageText": "second"})
    assert (await directus.read_item("messages", first["id"]))["messageText"] == "first"


async def test_a_bulk_creation_is_all_or_none(directus: Directus, conversation: str) -> None:
    there, new = message(conversation), message(conversation)
    await directus.create_item("messages", there)
    with pytest.raises(ConflictError):
        await directus.create_items("messages", [new, there])
    with pytest.raises(NotFoundError):
        await directus.read_item("messages", new["id"])


async def test_a_bulk_creation_answers_by_id_whatever_the_order_it_was_sent_in(
    directus: Directus, conversation: str
) -> None:
    rows = [message(conversation, messageText=str(number)) for number in range(12)]
    created = await directus.create_items("messages", rows, fields=["id", "messageText"])
    assert [row["id"] for row in created] == sorted(row["id"] for row in rows)
    by_id = {row["id"]: row["messageText"] for row in created}
    assert all(by_id[row["id"]] == row["messageText"] for row in rows)


async def test_a_link_to_nothing_is_rejected(directus: Directus) -> None:
    with pytest.raises(ServiceRejectedError, match="INVALID_FOREIGN_KEY"):
        await directus.create_item("messages", message(new_id()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "Grüße, 你好, مرحبا, 👩‍👩‍👧‍👦 🇩🇪",
        "line\nbreak\ttab \"quote\" 'single' \\ back {{mustache}} $NOW <b>&amp;",
        "\N{MATHEMATICAL FRAKTUR CAPITAL A}" * 25_000,
    ],
    ids=["empty", "plain", "scripts and emoji", "signs", "100 kB"],
)
async def test_text_comes_back_as_it_went_in(directus: Directus, conversation: str, text: str) -> None:
    row = message(conversation, messageText=text)
    await directus.create_item("messages", row)
    assert (await directus.read_item("messages", row["id"], fields=["messageText"])) == {"messageText": text}


async def test_half_a_surrogate_pair_does_not_fail_the_write(directus: Directus, conversation: str) -> None:
    row = message(conversation, messageText="cut \ud83d off")
    await directus.create_item("messages", row)
    assert (await directus.read_item("messages", row["id"]))["messageText"] == "cut � off"


async def test_more_than_1_mb_is_rejected(directus: Directus, conversation: str) -> None:
    with pytest.raises(ServiceRejectedError, match="too large"):
        await directus.create_item("messages", message(conversation, messageText="x" * 1_100_000))


async def test_json_fields_keep_their_shape(directus: Directus, conversation: str) -> None:
    metadata: dict[str, Any] = {"a": None, "b": [1, 2.5, "é", True], "c": {"d": []}}
    row = message(conversation, metadata=metadata, cost_usd=0.0125, degraded=1)
    created = await directus.create_item("messages", row, fields=["metadata", "cost_usd", "degraded"])
    assert created == {"metadata": metadata, "cost_usd": 0.0125, "degraded": 1}
    cleared = await directus.update_item("messages", row["id"], {"metadata": None}, fields=["metadata"])
    assert cleared == {"metadata": None}


async def test_timestamps_come_back_in_utc_and_dates_as_dates(directus: Directus) -> None:
    conference = await directus.create_item(
        "conferences", {"id": new_id(), "name": "C", "start_date": "2024-07-08"}, fields=["id", "start_date"]
    )
    assert conference["start_date"] == "2024-07-08"
    session = await directus.create_item(
        "sessions",
        {"conference_id": conference["id"], "title": "T", "start_time": "2024-07-08T08:30:00+02:00"},
        fields=["start_time", "end_time"],
    )
    assert session == {"start_time": "2024-07-08T06:30:00.000Z", "end_time": None}


async def test_reading_what_is_not_there_is_not_found(directus: Directus) -> None:
    with pytest.raises(NotFoundError):
        await directus.read_item("messages", new_id())
    assert await directus.can_read("messages", new_id()) is False


async def test_changing_what_is_not_there_is_not_found(directus: Directus) -> None:
    with pytest.raises(NotFoundError):
        await directus.update_item("messages", new_id(), {"seq": 1})


async def test_an_array_patch_writes_each_row_its_own(directus: Directus, conversation: str) -> None:
    rows = [message(conversation) for _ in range(3)]
    await directus.create_items("messages", rows)
    changes = [{"id": row["id"], "messageText": f"text {n}", "seq": n + 1} for n, row in enumerate(rows)]
    answered = await directus.update_items("messages", changes, fields=["id", "seq"])
    assert {row["id"]: row["seq"] for row in answered} == {row["id"]: row["seq"] for row in changes}
    read = await directus.read_by_ids("messages", [row["id"] for row in rows], fields=["messageText"])
    assert [row["messageText"] for row in read] == ["text 0", "text 1", "text 2"]


async def test_an_array_patch_with_a_missing_row_writes_none_and_is_denied(
    directus: Directus, conversation: str
) -> None:
    row = message(conversation)
    await directus.create_item("messages", row)
    with pytest.raises(AccessDeniedError):
        await directus.update_items("messages", [{"id": row["id"], "seq": 5}, {"id": new_id(), "seq": 5}])
    assert (await directus.read_item("messages", row["id"]))["seq"] == 0


async def test_an_array_patch_without_an_id_is_rejected(directus: Directus) -> None:
    with pytest.raises(ServiceRejectedError, match="primary key"):
        await directus.update_items("messages", [{"seq": 5}])


async def test_the_answers_flow_writes_each_row_its_own_and_leaves_out_what_is_not_there(
    directus: Directus, conversation: str
) -> None:
    rows = [message(conversation, role="assistant", status="streaming") for _ in range(3)]
    await directus.create_items("messages", rows)
    changes: list[dict[str, Any]] = [
        {"id": rows[0]["id"], "messageText": "text {{0}}", "seq": 1},
        {"id": rows[1]["id"], "messageText": "whole", "seq": 2, "status": "completed", "metadata": {"a": [1, None]}},
        {"id": rows[2]["id"], "status": "answered", "intent": None},
        {"id": new_id(), "messageText": "lost", "seq": 1},
    ]
    written = await directus.run_flow(ANSWERS_FLOW_ID, changes)
    assert {row["id"]: row["status"] for row in written} == {
        rows[0]["id"]: "streaming",
        rows[1]["id"]: "completed",
        rows[2]["id"]: "answered",
    }
    fields = ["messageText", "seq", "metadata"]
    read = await directus.read_by_ids("messages", [row["id"] for row in rows], fields=fields)
    assert [[row[name] for name in fields] for row in read] == [
        ["text {{0}}", 1, None],
        ["whole", 2, {"a": [1, None]}],
        [None, 0, None],
    ]


async def test_the_answers_flow_takes_no_other_field_and_nothing_nested(directus: Directus, conversation: str) -> None:
    row, other = message(conversation), await directus.create_item("conversations", {"id": new_id()})
    await directus.create_item("messages", row)
    await directus.run_flow(
        ANSWERS_FLOW_ID, [{"id": row["id"], "seq": 1, "conversation_id": other["id"], "user_created": {"role": "x"}}]
    )
    with pytest.raises(ServiceUnavailableError):
        await directus.run_flow(ANSWERS_FLOW_ID, [{"id": row["id"], "seq": 2, "messageText": {"id": row["id"]}}])
    read = await directus.read_item("messages", row["id"], fields=["seq", "conversation_id", "user_created"])
    assert read == {"seq": 1, "conversation_id": conversation, "user_created": ERLEAH_USER_ID}


async def test_the_answers_flow_is_for_erleah_alone(directus: Directus, conversation: str) -> None:
    row = message(conversation)
    await directus.create_item("messages", row)
    for stranger in (directus.with_token(None), await visitor(directus, conversation)):
        with pytest.raises(ServiceRejectedError):
            await stranger.run_flow(ANSWERS_FLOW_ID, [{"id": row["id"], "seq": 7}])
    with pytest.raises(AccessDeniedError):
        await directus.run_flow(new_id(), [])
    assert (await directus.read_item("messages", row["id"]))["seq"] == 0


async def test_update_where_changes_what_matches_and_nothing_else(directus: Directus, conversation: str) -> None:
    row, other = message(conversation), message(conversation, status="completed")
    await directus.create_items("messages", [row, other])
    guard = {"_and": [{"conversation_id": {"_eq": conversation}}, {"status": {"_null": True}}]}
    changed = await directus.update_where("messages", guard, {"status": "answered"})
    assert changed == [{"id": row["id"]}]
    assert await directus.update_where("messages", guard, {"status": "superseded"}) == []
    read = await directus.read_by_ids("messages", [row["id"], other["id"]], fields=["status"])
    assert [one["status"] for one in read] == ["answered", "completed"]


async def test_update_where_takes_a_condition_for_each_of_many_rows(directus: Directus, conversation: str) -> None:
    """As the sweep ends a page of answers, each as it was read: one that was written since is left alone."""
    rows = [message(conversation, seq=number) for number in range(200)]
    await directus.create_items("messages", rows)
    await directus.update_item("messages", rows[7]["id"], {"seq": 1007})
    as_read = [{"_and": [{"id": {"_eq": row["id"]}}, {"seq": {"_eq": row["seq"]}}]} for row in rows]
    guard = {"_and": [{"_or": as_read}, {"status": {"_null": True}}]}
    changed = await directus.update_where("messages", guard, {"status": "failed"})
    assert {row["id"] for row in changed} == {row["id"] for row in rows} - {rows[7]["id"]}


async def test_update_where_reaches_beyond_the_default_limit(directus: Directus, conversation: str) -> None:
    await directus.create_items("messages", [message(conversation) for _ in range(120)])
    own = {"conversation_id": {"_eq": conversation}}
    assert len(await directus.update_where("messages", own, {"status": "answered"})) == 120


async def test_deleting_twice_is_no_error(directus: Directus, conversation: str) -> None:
    rows = [message(conversation), message(conversation)]
    await directus.create_items("messages", rows)
    await directus.delete_items("messages", [rows[0]["id"]])
    await directus.delete_items("messages", [row["id"] for row in rows])
    assert await directus.count_items("messages", filter={"conversation_id": {"_eq": conversation}}) == 0


async def test_what_the_token_may_not_delete_stays(directus: Directus, conversation: str) -> None:
    with pytest.raises(AccessDeniedError):
        await directus.delete_items("conversations", [conversation])
    assert await directus.can_read("conversations", conversation)


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"status": {"_eq": "completed"}}, "b"),
    ({"status": {"_neq": "completed"}}, "c"),  # an empty status is neither: SQL's way with nothing
    ({"status": {"_in": ["completed", "failed"]}}, "bc"),
    ({"status": {"_nin": ["completed"]}}, "c"),
    ({"status": {"_null": True}}, "ad"),
    ({"status": {"_nnull": True}}, "bc"),
    ({"messageText": {"_empty": True}}, "cd"),
    ({"messageText": {"_empty": False}}, "ab"),
    ({"seq": {"_gt": 2}}, "cd"),
    ({"seq": {"_gte": 2}}, "bcd"),
    ({"seq": {"_lt": 2}}, "a"),
    ({"seq": {"_lte": 2, "_gt": 1}}, "b"),
    ({"_or": [{"seq": {"_eq": 1}}, {"status": {"_eq": "failed"}}]}, "ac"),
    ({"_and": [{"seq": {"_gt": 1}}, {"_or": [{"seq": {"_eq": 4}}, {"status": {"_eq": "failed"}}]}]}, "cd"),
    ({"date_created": {"_gt": "2024-01-01T00:00:00Z"}}, "abcd"),
    ({"date_created": {"_lt": "2024-01-01T00:00:00+02:00"}}, ""),
    ({"conversation_id": {"source": {"_eq": "mini"}}}, "abcd"),
    ({"conversation_id": {"source": {"_eq": "other"}}}, ""),
    ({"conversation_id": {"conference_id": {"_null": True}}}, "abcd"),
]


@pytest.mark.parametrize(("rules", "expected"), FILTERS, ids=[str(rules) for rules, _ in FILTERS])
async def test_filters(directus: Directus, conversation: str, rules: dict[str, Any], expected: str) -> None:
    await directus.create_items(
        "messages",
        [
            message(conversation, intent="a", seq=1, messageText="x"),
            message(conversation, intent="b", seq=2, messageText="y", status="completed"),
            message(conversation, intent="c", seq=3, messageText="", status="failed"),
            message(conversation, intent="d", seq=4),
        ],
    )
    mine = {"_and": [{"conversation_id": {"_eq": conversation}}, rules]}
    rows = await directus.read_items("messages", filter=mine, fields=["intent"], sort=["intent"])
    assert "".join(row["intent"] for row in rows) == expected
    assert await directus.count_items("messages", filter=mine) == len(expected)


async def test_rows_are_filtered_by_what_links_to_them(directus: Directus, conversation: str) -> None:
    await directus.create_item("messages", message(conversation, intent="marked"))
    mine = {"_and": [{"id": {"_eq": conversation}}, {"messages": {"intent": {"_eq": "marked"}}}]}
    assert await directus.read_items("conversations", filter=mine, fields=["id"]) == [{"id": conversation}]
    none = {"_and": [{"id": {"_eq": conversation}}, {"messages": {"intent": {"_eq": "other"}}}]}
    assert await directus.read_items("conversations", filter=none, fields=["id"]) == []


@pytest.mark.parametrize(
    "query",
    [
        {"filter": {"nope": {"_eq": 1}}},
        {"fields": ["nope"]},
        {"sort": ["nope"]},
        {"filter": {"conversation_id": {"nope": {"_eq": 1}}}},
    ],
    ids=["filter", "fields", "sort", "linked"],
)
async def test_a_field_that_is_not_there_is_denied(directus: Directus, query: dict[str, Any]) -> None:
    with pytest.raises(AccessDeniedError, match="nope"):
        await directus.read_items("messages", **query)


@pytest.mark.parametrize("rules", [{"id": {"_gt": "x"}}, {"seq": {"_nope": 1}}, {"id": {"_in": []}}])
async def test_an_operator_that_does_not_fit_is_rejected(directus: Directus, rules: dict[str, Any]) -> None:
    with pytest.raises(ServiceRejectedError, match="INVALID_QUERY"):
        await directus.read_items("messages", filter=rules)


async def test_a_collection_that_is_not_there_is_denied(directus: Directus) -> None:
    with pytest.raises(AccessDeniedError, match="nope"):
        await directus.read_items("nope")


async def test_pages_follow_the_sort_order(directus: Directus, conversation: str) -> None:
    await directus.create_items("messages", [message(conversation, seq=seq) for seq in (3, 1, 2, 5, 4)])
    mine = {"conversation_id": {"_eq": conversation}}

    async def page(number: int) -> list[int]:
        rows = await directus.read_items("messages", filter=mine, fields=["seq"], sort=["-seq"], limit=2, page=number)
        return [row["seq"] for row in rows]

    assert [await page(1), await page(2), await page(3), await page(4)] == [[5, 4], [3, 2], [1], []]


async def test_iterating_gives_each_row_once_in_order(directus: Directus, conversation: str) -> None:
    await directus.create_items("messages", [message(conversation, seq=number) for number in range(230)])
    mine = {"conversation_id": {"_eq": conversation}}
    rows = [row async for row in directus.iterate_items("messages", filter=mine, fields=["seq"], sort=["-seq"])]
    assert [row["seq"] for row in rows] == list(range(229, -1, -1))
    assert all("id" in row for row in rows)


async def test_a_filter_too_long_for_an_address_still_works(directus: Directus, conversation: str) -> None:
    row = message(conversation)
    await directus.create_item("messages", row)
    many = {"id": {"_in": [row["id"], *(new_id() for _ in range(600))]}}
    assert await directus.read_items("messages", filter=many, fields=["id"]) == [{"id": row["id"]}]


async def test_linked_rows_are_read_along(directus: Directus, conversation: str) -> None:
    row = message(conversation)
    await directus.create_item("messages", row)
    fields = ["id", "conversation_id.source", "conversation_id.messages"]
    read = await directus.read_item("messages", row["id"], fields=fields)
    assert read == {"id": row["id"], "conversation_id": {"source": "mini", "messages": [row["id"]]}}
    assert await directus.read_item("conversations", conversation, fields=["messages.role"]) == {
        "messages": [{"role": "user"}]
    }


async def speakers_of(directus: Directus, session: str) -> list[str]:
    row = await directus.read_item("sessions", session, fields=["speakers.speakers_id.name"])
    return [link["speakers_id"]["name"] for link in row["speakers"]]


async def test_a_session_is_written_and_read_with_its_speakers(directus: Directus) -> None:
    ada, ben = new_id(), new_id()
    conference = (await directus.create_item("conferences", {"name": "C"}))["id"]
    await directus.create_items(
        "speakers",
        [
            {"id": ada, "conference_id": conference, "name": "Ada"},
            {"id": ben, "conference_id": conference, "name": "Ben"},
        ],
    )
    links = [
        {"id": f"00000001{new_id()[8:]}", "speakers_id": ben},
        {"id": f"00000002{new_id()[8:]}", "speakers_id": ada},
    ]
    session = await directus.create_item("sessions", {"conference_id": conference, "title": "T", "speakers": links})
    assert await speakers_of(directus, session["id"]) == ["Ben", "Ada"]
    ada_row = await directus.read_item("speakers", ada, fields=["sessions.sessions_id.title"])
    assert ada_row == {"sessions": [{"sessions_id": {"title": "T"}}]}


async def test_links_are_read_in_the_order_of_their_ids(directus: Directus) -> None:
    """The loader keeps the order of a session's speakers by it."""
    conference = (await directus.create_item("conferences", {"name": "C"}))["id"]
    session = (await directus.create_item("sessions", {"conference_id": conference, "title": "T"}))["id"]
    speakers = [{"id": new_id(), "conference_id": conference, "name": name} for name in "ABCDE"]
    await directus.create_items("speakers", speakers)
    for place, speaker in reversed(list(enumerate(speakers))):
        link = {"id": f"{place:08x}{new_id()[8:]}", "sessions_id": session, "speakers_id": speaker["id"]}
        await directus.create_item("sessions_speakers", link)
    assert await speakers_of(directus, session) == list("ABCDE")


async def test_a_list_of_links_replaces_the_one_before(directus: Directus) -> None:
    conference = (await directus.create_item("conferences", {"name": "C"}))["id"]
    nested = [{"speakers_id": {"id": new_id(), "conference_id": conference, "name": "Ada"}}]
    session = await directus.create_item("sessions", {"conference_id": conference, "title": "T", "speakers": nested})
    assert await speakers_of(directus, session["id"]) == ["Ada"]
    await directus.update_item("sessions", session["id"], {"speakers": []})
    assert await speakers_of(directus, session["id"]) == []


async def test_a_wrong_token_is_denied(directus: Directus) -> None:
    with pytest.raises(AccessDeniedError, match="INVALID_CREDENTIALS"):
        await directus.with_token("wrong").read_items("messages")


async def test_without_a_token_nothing_is_seen(directus: Directus, conversation: str) -> None:
    nobody = directus.with_token(None)
    with pytest.raises(AccessDeniedError):
        await nobody.read_items("messages")
    assert await nobody.can_read("conversations", conversation) is False
    with pytest.raises(AccessDeniedError):
        await nobody.create_item("messages", message(conversation))


async def test_a_visitor_sees_his_conversation_and_no_other(directus: Directus, conversation: str) -> None:
    other = (await directus.create_item("conversations", {}))["id"]
    mine, foreign = message(conversation), message(other)
    await directus.create_items("messages", [mine, foreign])
    guest = await visitor(directus, conversation)
    assert await guest.read_items("messages", fields=["id"]) == [{"id": mine["id"]}]
    assert [row["id"] for row in await guest.read_items("conversations")] == [conversation]
    assert await guest.count_items("messages") == 1
    assert await guest.can_read("messages", mine["id"])
    assert await guest.can_read("messages", foreign["id"]) is False
    assert await guest.can_read("conversations", other) is False
    with pytest.raises(NotFoundError):
        await guest.read_item("messages", foreign["id"])
    by_id = {"id": {"_in": [mine["id"], foreign["id"]]}}
    assert await guest.read_items("messages", filter=by_id, fields=["id"]) == [{"id": mine["id"]}]
    nested = await guest.read_items("conversations", fields=["messages.id", "messages.conversation_id.id"])
    assert nested == [{"messages": [{"id": mine["id"], "conversation_id": {"id": conversation}}]}]


async def test_a_visitor_writes_nothing_and_sees_no_content(directus: Directus, conversation: str) -> None:
    row = message(conversation)
    await directus.create_item("messages", row)
    guest = await visitor(directus, conversation)
    attempts: list[Callable[[], Awaitable[Any]]] = [
        lambda: guest.update_item("messages", row["id"], {"status": "cancelled"}),
        lambda: guest.update_items("messages", [{"id": row["id"], "status": "cancelled"}]),
        lambda: guest.create_item("messages", message(conversation)),
        lambda: guest.request("DELETE", f"/items/messages/{row['id']}"),
        lambda: guest.create_share("conversations", conversation, role=VISITOR_ROLE_ID),
        lambda: guest.read_items("sessions"),
        lambda: guest.read_items("messages", filter={"conversation_id": {"conference_id": {"name": {"_eq": "C"}}}}),
        guest.health,
    ]
    for attempt in attempts:
        with pytest.raises(AccessDeniedError):
            await attempt()
    assert (await directus.read_item("messages", row["id"]))["status"] is None


async def test_a_visitor_sees_nothing_behind_a_link_out_of_the_conversation(directus: Directus) -> None:
    conference = (await directus.create_item("conferences", {"name": "behind the link"}))["id"]
    conversation = (await directus.create_item("conversations", {"conference_id": conference}))["id"]
    await directus.create_item("messages", message(conversation))
    guest = await visitor(directus, conversation)
    fields = ["conversation_id.conference_id.name", "conversation_id.conference_id.id"]
    assert await guest.read_items("messages", fields=fields) == [{"conversation_id": conversation}]
    assert "behind the link" not in str(await guest.read_items("messages", fields=["*", "*.*", "*.*.*"]))


async def test_a_share_that_has_ended_opens_nothing(directus: Directus, conversation: str) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    ended = await directus.create_share("conversations", conversation, role=VISITOR_ROLE_ID, date_end=past)
    running = await directus.create_share(
        "conversations", conversation, role=VISITOR_ROLE_ID, date_end=past + timedelta(days=3)
    )
    assert (await directus.open_share(running)).expires_in_s == 900
    for share in (ended, new_id()):
        with pytest.raises(AccessDeniedError):
            await directus.open_share(share)


async def test_what_is_not_there_can_not_be_shared(directus: Directus) -> None:
    with pytest.raises(AccessDeniedError):
        await directus.create_share("conversations", new_id(), role=VISITOR_ROLE_ID)


@pytest.mark.parametrize("item_id", ["../users", "x?fields=*", "1/../../users", "", "a" * 200, "%2e%2e"])
async def test_an_id_from_outside_can_not_leave_its_place(directus: Directus, item_id: str) -> None:
    with pytest.raises(NotFoundError):
        await directus.read_item("messages", item_id)
    with pytest.raises(NotFoundError):
        await directus.update_item("messages", item_id, {"seq": 1})
    with pytest.raises(InvalidInputError):
        await directus.request("GET", f"/items/messages/../{item_id}")

"""POST /api/conversations: a conversation and its share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.directus_names import VISITOR_ROLE_ID
from tests.webhook.conftest import CONFERENCE, Door, opened_door, some_id
from webhook.visitors import SHARE_DAYS

CONVERSATIONS = "/api/conversations"


async def test_a_conversation_is_begun_and_its_share_opens_it_alone(door: Door) -> None:
    answer = await door.http.post(CONVERSATIONS, json={"conference_id": CONFERENCE})
    assert answer.status_code == 201
    begun = answer.json()
    assert set(begun) == {"conversation_id", "share_id"}
    (row,) = door.directus.rows("conversations")
    assert (row["id"], row["conference_id"], row["source"]) == (begun["conversation_id"], CONFERENCE, "mini")
    other = door.directus.put("conversations", conference_id=CONFERENCE)
    async with door.directus.directus(token=None) as anyone:
        access = await anyone.open_share(begun["share_id"])
        visitor = anyone.with_token(access.access_token)
        assert await visitor.can_read("conversations", begun["conversation_id"])
        assert not await visitor.can_read("conversations", other["id"])


async def test_a_share_is_the_visitors_role_and_ends(door: Door) -> None:
    await door.http.post(CONVERSATIONS, json={"conference_id": CONFERENCE})
    (share,) = door.directus._shares.values()
    assert share["role"] == VISITOR_ROLE_ID
    left = datetime.fromisoformat(share["date_end"]) - datetime.now(UTC)
    assert timedelta(0) < left <= timedelta(days=SHARE_DAYS)


async def test_a_source_picks_the_assistant(door: Door) -> None:
    await door.http.post(CONVERSATIONS, json={"conference_id": CONFERENCE, "source": "support_eu-1"})
    assert door.directus.rows("conversations")[0]["source"] == "support_eu-1"


async def test_without_a_conference_the_default_one_is_taken() -> None:
    async with opened_door(default_conference_id=CONFERENCE) as door:
        answer = await door.http.post(CONVERSATIONS, json={})
        assert answer.status_code == 201
        assert door.directus.rows("conversations")[0]["conference_id"] == CONFERENCE


async def test_an_unknown_conference_is_a_404_and_nothing_is_made(door: Door) -> None:
    conference_id = some_id()
    answer = await door.http.post(CONVERSATIONS, json={"conference_id": conference_id})
    assert answer.status_code == 404
    assert conference_id in answer.json()["message"]
    assert door.directus.rows("conversations") == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "conference_id"),
        ({"conference_id": None}, "conference_id"),
        ({"conference_id": "17"}, "conference_id"),
        ({"conference_id": f"{CONFERENCE}/../users"}, "conference_id"),
        ({"conference_id": 17}, "conference_id"),
        ({"conference_id": CONFERENCE, "source": ""}, "source"),
        ({"conference_id": CONFERENCE, "source": "x" * 65}, "source"),
        ({"conference_id": CONFERENCE, "source": "Mini; drop"}, "source"),
        ({"conference_id": CONFERENCE, "source": "mini\n"}, "source"),
        ([], "body"),
    ],
)
async def test_a_wrong_body_is_a_422_that_names_the_field(door: Door, body: object, field: str) -> None:
    answer = await door.http.post(CONVERSATIONS, json=body)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(field)
    assert door.directus.rows("conversations") == []


async def test_while_directus_is_away_it_is_a_503(door: Door) -> None:
    door.directus.away = True
    answer = await door.http.post(CONVERSATIONS, json={"conference_id": CONFERENCE})
    assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_what_erleahs_own_user_may_not_do_is_not_the_visitors_fault(door: Door) -> None:
    door.directus._accesses.clear()
    answer = await door.http.post(CONVERSATIONS, json={"conference_id": CONFERENCE})
    assert (answer.status_code, answer.json()["error"]) == (502, "service_rejected")
    assert "bootstrap" in answer.json()["message"]


async def test_in_production_a_refusal_of_directus_says_nothing_internal() -> None:
    secrets = {"directus_api_key": "k" * 24, "directus_webhook_secret": "s" * 24}
    async with opened_door(environment="production", **secrets) as door:
        door.directus._accesses.clear()
        answer = await door.http.post(CONVERSATIONS, json={"conference_id": CONFERENCE})
        assert answer.status_code == 502
        assert "DIRECTUS" not in answer.text
        door.directus.away = True
        answer = await door.http.post(CONVERSATIONS, json={"conference_id": CONFERENCE})
        assert answer.status_code == 503
        assert "directus.test" not in answer.text

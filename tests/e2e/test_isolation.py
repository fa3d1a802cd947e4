"""Two conferences in one installation: each sees its own, and a visitor sees his conversation."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.errors import NotFoundError
from services.queue.jobs import ReindexJob
from tests.e2e.stack import CONFERENCE_ID, Stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.e2e

QUESTION = "Which talks are about testing?"
COLLECTIONS = ("sessions", "exhibitors", "speakers")


@pytest.fixture
async def other(stack: Stack) -> AsyncIterator[str]:
    """A second conference on the very same subjects, indexed; its id."""
    conference = str(
        (await stack.call("POST", "/items/conferences", json={"name": "PyBelow", "timezone": "UTC"}))["id"]
    )
    rows: dict[str, dict[str, Any]] = {
        "sessions": {"title": "Belowground testing with pytest", "description": "On testing and mutation testing."},
        "exhibitors": {
            "name": "Belowground Testing Ltd",
            "description": "We sell testing tools.",
            "booth_number": "B1",
        },
        "speakers": {"name": "Bella Ground", "bio": "She speaks about testing in Python.", "topics": ["testing"]},
    }
    for collection, row in rows.items():
        await stack.call("POST", f"/items/{collection}", json=row | {"conference_id": conference})
    await stack.job(ReindexJob(conference_id=conference))
    yield conference
    for collection in COLLECTIONS:
        params = {"filter[conference_id][_eq]": conference, "fields": "id"}
        for row in await stack.call("GET", f"/items/{collection}", params=params):
            await asyncio.to_thread(stack.admin.data, "DELETE", f"/items/{collection}/{row['id']}")


async def test_no_search_of_one_conference_finds_the_others(stack: Stack, other: str) -> None:
    """Every entity type and every mode, with the very words of the other's entries."""
    own: dict[str, set[str]] = {}
    for collection in COLLECTIONS:
        rows = await stack.call("GET", f"/items/{collection}", params={"limit": -1, "fields": "id,conference_id"})
        for conference in (CONFERENCE_ID, other):
            own[f"{conference} {collection}"] = {row["id"] for row in rows if row["conference_id"] == conference}
    for collection in COLLECTIONS:
        for mode in ("auto", "faceted", "master"):
            for query in (
                "Belowground testing",
                "Mutation Testing in Python with Cosmic Ray",
                "1Password",
                "Bella Ground",
            ):
                for conference in (CONFERENCE_ID, other):
                    hits = await stack.search(query, collection, conference_id=conference, mode=mode, limit=50)
                    assert {hit["id"] for hit in hits} <= own[f"{conference} {collection}"], (collection, mode, query)
    assert await stack.search("Belowground testing", conference_id=other), "it is indexed at all"
    with pytest.raises(NotFoundError, match="not in the index"):
        await stack.search("testing", conference_id=str(uuid4()))


async def test_no_answer_of_one_conference_rests_on_the_others(stack: Stack, other: str) -> None:
    """The same question in both: what the model is given and what the row cites is the conversation's own."""
    for conference, own, foreign in (
        (other, "Belowground", "Mutation Testing"),
        (CONFERENCE_ID, "Mutation", "Belowground"),
    ):
        for words in (
            QUESTION,
            "Tell me about Belowground Testing Ltd and 1Password.",
            "Who can help me with testing?",
        ):
            asked = f"{words} ({uuid4().hex[:8]})"
            row = await stack.answered(await stack.say(await stack.conversation(conference), asked))
            for source in row["metadata"]["sources"]:
                if source["type"] in COLLECTIONS:
                    entity = await stack.call("GET", f"/items/{source['type']}/{source['id']}")
                    assert entity["conference_id"] == conference, source
            given = json.dumps([request.body.get("system") for request in stack.asked_of_model(asked)])
            given += json.dumps([request.body["messages"] for request in stack.asked_of_model(asked)])
            data = given.replace(json.dumps(asked)[1:-1], "").replace("Belowground Testing Ltd and 1Password", "")
            assert foreign not in data, (conference, words)
            if words == QUESTION:
                assert own in data
                assert row["metadata"]["sources"]


async def test_a_visitor_reads_his_own_conversation_and_nothing_else(stack: Stack) -> None:
    """Two visitors with real turns: by id, list, filter, nested field and WebSocket each has his own alone."""
    async with stack.visitor() as one, stack.visitor() as two:
        _, mine = await one.ask("Which talks are about testing?")
        theirs_id, theirs = await two.ask("Which talks are about databases?")
        await mine.ended()
        await theirs.ended()

        listed = (await one.read("/items/messages", limit="-1"))["data"]
        assert {row["conversation_id"] for row in listed} == {one.conversation_id}
        assert len(listed) == 2
        for path in (f"/items/messages/{theirs.answer_id}", f"/items/messages/{theirs_id}"):
            assert (await one.read(path))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        filtered = await one.read("/items/messages", **{"filter[conversation_id][_eq]": two.conversation_id})
        assert filtered["data"] == []
        nested = await one.read("/items/messages", fields="*.*.*.*")
        assert "databases" not in json.dumps(nested)
        for collection in ("sessions", "speakers", "exhibitors", "conferences"):
            assert "data" not in await one.read(f"/items/{collection}")

        peeked = await one.watch(theirs.answer_id)
        await stack.call("PATCH", f"/items/messages/{theirs.answer_id}", json={"seq": 10_000})
        await theirs.until(lambda row: row["seq"] == 10_000)
        assert peeked.updates == []

        body = {"conversation_id": two.conversation_id, "text": "Let me in"}
        assert (await one.post("/api/messages", body)).status_code in {401, 403}
        assert (await one.post(f"/api/messages/{theirs.answer_id}/cancel")).status_code == 404

"""Content that changes in Directus: Flow, hook, index job, and the next answer knows it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.e2e.stack import CONFERENCE_ID, Stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.e2e

KNOWN_S = 2.0
"""A change is known to the next search within this."""

TITLE = "Underwater basket weaving for submarine crews"
ROOM = "Torpedo Bay Four"


async def known_in_time(known: Callable[[], Awaitable[bool]], since: float) -> None:
    """Ask until it is known, and assert that whatever was asked 2 s after the change or later knew it."""
    while True:
        began = time.monotonic()
        if await known():
            return
        assert began - since < KNOWN_S


async def found_in_time(stack: Stack, what: Callable[[list[dict[str, Any]]], bool], since: float) -> None:
    """Search the index alone (a turn reads Directus besides) until ``what`` is found, and assert it was in time."""

    async def found() -> bool:
        return what(await stack.search(TITLE, mode="auto", limit=20))

    await known_in_time(found, since)


@pytest.fixture
async def session(stack: Stack) -> AsyncIterator[str]:
    """A new session of the sample conference, in ``ROOM``, that the index knows; its id."""
    row = {
        "conference_id": CONFERENCE_ID,
        "title": TITLE,
        "description": "Weaving baskets below the surface, from reeds to ropes, for crews of submarines.",
        "room": ROOM,
        "start_time": "2024-07-10T08:00:00Z",
        "end_time": "2024-07-10T08:45:00Z",
    }
    created = str((await stack.call("POST", "/items/sessions", json=row))["id"])
    await found_in_time(stack, lambda hits: created in {hit["id"] for hit in hits}, time.monotonic())
    yield created
    await asyncio.to_thread(stack.admin.call, "DELETE", f"/items/sessions/{created}")


def prompts(stack: Stack, text: str) -> str:
    """All that the model was given to answer that question."""
    return json.dumps([asked.body for asked in stack.asked_of_model(text)])


async def test_a_changed_room_is_in_the_next_answer(stack: Stack, session: str) -> None:
    """Within 2 s of the change in Directus; the old room is never given again."""
    renamed = f"{TITLE}, moved"
    await stack.call("PATCH", f"/items/sessions/{session}", json={"room": "The Crow's Nest", "title": renamed})
    since = time.monotonic()
    await found_in_time(stack, lambda hits: renamed in {hit["title"] for hit in hits}, since)
    question = f"In which room is “{TITLE}”? ({uuid4().hex[:8]})"
    row = await stack.answered(await stack.ask(question))
    assert (row["metadata"]["sources"][0]["id"], row["metadata"]["sources"][0]["title"]) == (session, renamed)
    given = prompts(stack, question)
    assert "The Crow's Nest" in given
    assert ROOM not in given


async def test_a_deleted_session_is_never_offered_again(stack: Stack, session: str) -> None:
    """Within 2 s it is out of every search, and no answer names it."""
    await asyncio.to_thread(stack.admin.data, "DELETE", f"/items/sessions/{session}")
    since = time.monotonic()
    await found_in_time(stack, lambda hits: session not in {hit["id"] for hit in hits}, since)
    for mode in ("auto", "faceted", "master"):
        assert session not in {hit["id"] for hit in await stack.search(TITLE, mode=mode, limit=50)}
    question = f"When is “{TITLE}”? ({uuid4().hex[:8]})"
    row = await stack.answered(await stack.ask(question))
    assert session not in {source["id"] for source in row["metadata"]["sources"]}
    assert ROOM not in prompts(stack, question)


async def test_a_changed_faq_is_in_the_next_answer(stack: Stack) -> None:
    """The conference's own row is cached for minutes; a change drops it. (The router knows what this one asks.)"""
    before = (await stack.call("GET", f"/items/conferences/{CONFERENCE_ID}"))["faq"]
    question = "Is there a cloakroom for coats at the venue?"

    async def given() -> bool:
        asked = f"{question} ({uuid4().hex[:8]})"
        await stack.answered(await stack.ask(asked))
        return "hook number seven" in prompts(stack, asked)

    assert not await given()
    try:
        faq = [*before, {"question": question, "answer": "Leave it on hook number seven."}]
        await stack.call("PATCH", f"/items/conferences/{CONFERENCE_ID}", json={"faq": faq})
        since = time.monotonic()
        await known_in_time(given, since)
    finally:
        await stack.call("PATCH", f"/items/conferences/{CONFERENCE_ID}", json={"faq": before})

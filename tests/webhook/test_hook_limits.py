"""Limits on the hooks: generous to Directus, tight for who guesses, and nothing is lost by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.queue.jobs import IndexItemJob, ReindexJob
from tests.webhook.conftest import Door, opened_door, some_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def busy_door(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    """A door that takes two hooks of a kind and three guesses a minute from one client."""
    monkeypatch.setattr("webhook.hooks.HOOKS_PER_MINUTE", 2)
    async with opened_door(rate_limit_per_minute=3) as door:
        yield door


def created() -> dict[str, object]:
    return {"event": "messages.items.create", "collection": "messages", "key": some_id(), "payload": {"role": "user"}}


def changed() -> dict[str, object]:
    return {"event": "sessions.items.update", "collection": "sessions", "keys": [some_id()], "payload": {"room": "A"}}


async def test_over_its_limit_a_client_is_told_when_to_come_back_and_others_are_not_held_up(busy_door: Door) -> None:
    answers = [await busy_door.hook("/hooks/message-created", created()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[-1].json()["error"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert len(busy_door.queue.asked) == 2
    async with busy_door.from_address("198.51.100.1") as other:
        headers = {"X-Erleah-Secret": busy_door.settings.directus_webhook_secret.get_secret_value()}
        assert (await other.post("/hooks/message-created", json=created(), headers=headers)).status_code == 202


async def test_a_flood_of_changes_becomes_one_reindex_and_no_change_is_refused(busy_door: Door) -> None:
    """No sweep finds a change again: beyond the limit a reindex finds them all, or they go on one by one."""
    statuses = [(await busy_door.hook("/hooks/content-changed", changed())).status_code for _ in range(4)]
    assert statuses == [202] * 4
    names = [job.name for job, new in zip(busy_door.queue.asked, busy_door.queue.new, strict=True) if new]
    # The fourth finds a reindex that waits and may have passed its row.
    assert names == [IndexItemJob.name, IndexItemJob.name, ReindexJob.name, IndexItemJob.name]


async def test_who_guesses_the_secret_is_slowed_down_and_directus_is_not(busy_door: Door) -> None:
    """Though both come from one address, as behind a proxy."""
    guesses = []
    for number in range(5):
        wrong = {"X-Erleah-Secret": f"guess-{number}"}
        guesses.append((await busy_door.hook("/hooks/message-created", created(), **wrong)).status_code)
    assert guesses == [401, 401, 401, 429, 429]
    assert (await busy_door.hook("/hooks/message-created", created())).status_code == 202

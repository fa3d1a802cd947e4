"""A saved turn that this version can't read is begun anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from services import redis_keys
from services.answer_ids import answer_id_of
from worker.turn_store import TurnStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop


def _of_version_2(turn: dict[str, Any]) -> str:
    return json.dumps(turn | {"version": 2})


def _with_a_field_nobody_knows(turn: dict[str, Any]) -> str:
    return json.dumps(turn | {"mood": "good"})


def _cut_off(turn: dict[str, Any]) -> str:
    return json.dumps(turn)[:-20]


@pytest.mark.parametrize("damage", [_of_version_2, _with_a_field_nobody_knows, _cut_off])
async def test_a_saved_turn_of_another_version_or_damaged_is_refused_and_begun_anew(
    workshop: Workshop, damage: Callable[[dict[str, Any]], str]
) -> None:
    """Nothing in it is guessed: neither its question nor its state, and the message is answered all the same."""
    message_id = workshop.ask("Where is it?")
    saved = {
        "version": 1,
        "message_id": message_id,
        "answer_id": answer_id_of(message_id),
        "conversation_id": workshop.directus.row("messages", message_id)["conversation_id"],
        "assistant": "librarian",
        "scope_id": None,
        "trace_id": "old",
        "question": "Something else?",
        "now": "2026-01-01T00:00:00Z",
        "asked_at": 1.0,
        "queued_at": 1.0,
        "started_at": 1.0,
        "state": "understand",
    }
    turns = TurnStore(workshop.redis)
    await workshop.redis.set(redis_keys.turn(message_id), json.dumps(saved))
    assert await turns.load(message_id) is not None, "undamaged it can be read"
    await workshop.redis.set(redis_keys.turn(message_id), damage(saved))
    assert await turns.load(message_id) is None
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["status"] == "completed"
    assert workshop.provider.prompts[-1].messages[-1].text == "Where is it?"
    assert row["metadata"]["trace_id"] == "trace-1"

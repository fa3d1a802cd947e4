"""Saved turns: by whom they may be written and ended; one that this version can't read is begun anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from services import redis_keys
from services.answer_ids import answer_id_of
from worker.turn import Turn
from worker.turn_store import ClaimLostError, TurnStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop


def _saved(message_id: str, conversation_id: str) -> dict[str, Any]:
    return {
        "version": 1,
        "message_id": message_id,
        "answer_id": answer_id_of(message_id),
        "conversation_id": conversation_id,
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
    saved = _saved(message_id, workshop.directus.row("messages", message_id)["conversation_id"])
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


async def test_who_has_lost_a_turn_saves_nothing_over_the_winners_state(workshop: Workshop) -> None:
    turns, leases = TurnStore(workshop.redis), workshop.services.leases
    message_id = workshop.ask()
    turn = Turn.model_validate(_saved(message_id, workshop.conversation()))
    loser = await leases.claim(message_id)
    assert loser is not None
    await workshop.redis.delete(redis_keys.turn_lease(message_id))
    winner = await leases.claim(message_id)
    assert winner is not None
    await turns.save(turn.model_copy(update={"trace_id": "winner"}), winner)
    with pytest.raises(ClaimLostError):
        await turns.save(turn, loser)
    kept = await turns.load(message_id)
    assert kept is not None
    assert kept.trace_id == "winner"


async def test_an_end_of_which_redis_was_not_heard_is_an_end_when_it_is_tried_again(workshop: Workshop) -> None:
    """Else the turn would count as another's, and its conversation's line stay taken."""
    turns = TurnStore(workshop.redis)
    claim = await workshop.services.leases.claim(workshop.ask())
    assert claim is not None
    assert await turns.finish(claim)
    assert await turns.finish(claim)

"""A turn looks again as long as its assistant wants to, but no more often than MAX_ITERATIONS allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from assistants.interface import ToolCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worker.conftest import Workshop

WISHES = 25
"""More than MAX_ITERATIONS may be (20), and yet an end: without its bound a turn answers late instead of never."""


def wishes() -> list[list[ToolCall]]:
    """What an assistant that is never content asks for, one wish a round, no two alike."""
    return [[ToolCall(tool="look_up", arguments={"query": f"wish {number}"})] for number in range(1, WISHES + 1)]


@pytest.mark.parametrize("max_iterations", [1, 3, 5, 20])
async def test_an_assistant_that_is_never_content_is_stopped(
    make_workshop: Callable[..., Workshop], max_iterations: int
) -> None:
    """The plan is the first round; each found thing of the rounds that were allowed is in the answer's sources."""
    workshop = make_workshop(max_iterations=max_iterations)
    workshop.assistant.relaxed = wishes()
    message_id = workshop.ask("Where is it?")
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["status"], row["outcome"]) == ("completed", "answered"), "it answers with what it has"
    assert row["metadata"]["iterations"] == max_iterations
    looked_for = [source["title"].removesuffix(" in None") for source in row["metadata"]["sources"]]
    assert looked_for == ["Where is it?", *(f"wish {number}" for number in range(1, max_iterations))]
    assert len(workshop.assistant.relaxed) == WISHES - (max_iterations - 1), "nor is it asked for more"


async def test_an_assistant_that_is_content_is_not_held_up(make_workshop: Callable[..., Workshop]) -> None:
    """Under the bound the rounds end with the assistant's last wish."""
    workshop = make_workshop(max_iterations=5)
    workshop.assistant.relaxed = wishes()[:2]
    message_id = workshop.ask("Where is it?")
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["metadata"]["iterations"] == 3


async def test_a_wish_that_was_granted_is_not_granted_again(make_workshop: Callable[..., Workshop]) -> None:
    """Asking for the same call once more ends the rounds, long before the bound."""
    workshop = make_workshop(max_iterations=20)
    workshop.assistant.relaxed = [wishes()[0]] * WISHES
    message_id = workshop.ask("Where is it?")
    await workshop.answer(message_id)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["metadata"]["iterations"] == 2

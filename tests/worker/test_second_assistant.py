"""The machine knows no conference: a second assistant is ten lines and one name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from assistants.interface import Assistant

if TYPE_CHECKING:
    from collections.abc import Callable

    from assistants.interface import TurnView
    from tests.worker.conftest import Workshop


class Parrot(Assistant):
    """Repeats the question; all it has to say for itself."""

    name = "parrot"
    sources = frozenset({"parrot"})

    def offline_answer(self, view: TurnView) -> str:
        return f"{view.question}! Squawk!"


async def test_a_ten_line_assistant_runs_on_the_same_machine(make_workshop: Callable[..., Workshop]) -> None:
    """Its turns are understood, planned (nothing to look up), streamed and settled beside the first assistant's."""
    workshop = make_workshop(llm_providers=("offline",))
    services = replace(workshop.services, assistants={**workshop.services.assistants, "parrot": Parrot()})
    workshop.services = services
    workshop.provider.pieces = []  # no model has anything to say
    conversation = workshop.directus.put("conversations", source="parrot")["id"]
    message_id = workshop.ask("Hello", conversation_id=conversation)
    other = workshop.ask("Where?")
    await workshop.answer(message_id)
    await workshop.answer(other)
    row = workshop.answer_to(message_id)
    assert row is not None
    assert (row["messageText"], row["status"], row["assistant"]) == ("Hello! Squawk!", "completed", "parrot")
    assert workshop.answer_to(other)["assistant"] == "librarian"  # type: ignore[index]  # a row is there, or the test fails

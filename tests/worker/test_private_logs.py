"""A defect that quotes a question is logged with its type and place, without the question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.services.test_logging import json_logs

if TYPE_CHECKING:
    import pytest

    from assistants.interface import Toolbox, ToolOutcome, TurnView
    from tests.worker.conftest import Workshop

QUESTION = "Is there a talk about my diagnosis?"


async def test_a_defect_of_a_tool_or_a_step_does_not_log_the_question(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken_tool(arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
        del arguments, toolbox
        raise ValueError(view.question)

    def broken_step(view: TurnView) -> Any:  # noqa: ANN401 - never returns
        raise KeyError(view.question)

    workshop.assistant.tools = {"look_up": broken_tool}
    monkeypatch.setattr(workshop.assistant, "relax", broken_step)
    with json_logs():
        await workshop.answer(message_id := workshop.ask(QUESTION))
    written = capsys.readouterr().err
    assert "diagnosis" not in written
    assert "ValueError" in written
    assert "KeyError" in written
    assert "in broken_step" in written
    assert workshop.status_of(message_id) == "answered"

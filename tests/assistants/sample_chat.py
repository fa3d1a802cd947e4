"""The assistant in a small house: ``ask`` runs a turn's steps, without queue, rows or streams."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from assistants.interface import Toolbox, ToolOutcome, TurnView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assistants.conference.assistant import ConferenceAssistant
    from services.llm.calls import ChatMessage
    from services.llm.chain import LanguageModel
    from standins.directus import DirectusStandIn

CONFERENCE = "87324dc9-9ee0-5a07-9057-3b7b4feeeecb"
PRAGUE = ZoneInfo("Europe/Prague")
WEDNESDAY = datetime(2024, 7, 10, 13, 20, tzinfo=PRAGUE)
"""The third day of the sample conference, at lunch."""
MAX_ITERATIONS = 5


@dataclass
class Chat:
    """The assistant and all it works with; ``ask`` runs a turn's steps as the machine does, without one."""

    assistant: ConferenceAssistant
    toolbox: Toolbox
    standin: DirectusStandIn
    model: LanguageModel

    async def ask(
        self,
        question: str,
        *,
        history: Sequence[ChatMessage] = (),
        now: datetime = WEDNESDAY,
        scope_id: str | None = CONFERENCE,
    ) -> TurnView:
        view = TurnView(question=question, scope_id=scope_id, now=now, history=tuple(history))
        understood = await self.assistant.understand(view, self.model, self.toolbox)
        view = replace(view, understanding=understood.understanding)
        calls = self.assistant.plan(view) if self.assistant.fixed_answer(view) is None else []
        for _ in range(MAX_ITERATIONS):
            if not calls:
                break
            outcomes: list[ToolOutcome] = []
            for call in calls:
                tool = self.assistant.tools[call.tool]
                outcome = await tool(dict(call.arguments), view=view, toolbox=self.toolbox)
                outcomes.append(outcome.model_copy(update={"call": call}))
            view = replace(view, outcomes=(*view.outcomes, *outcomes))
            calls = self.assistant.relax(view)
        return view

"""What the workshop works with: connections and tools, made at the start and never saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.speculation import Speculation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assistants.interface import Assistant, Toolbox
    from services.directus.client import Directus
    from services.llm.chain import LanguageModel
    from services.metrics import Metrics
    from services.queue.job_queue import JobQueue
    from services.settings import Settings
    from services.turn_leases import TurnLeases
    from services.watched_rows import WatchedRows
    from worker.answer_pump import AnswerPump
    from worker.answer_stream import AnswerStream
    from worker.conversation_line import ConversationLine
    from worker.late_writes import LateWrites
    from worker.recording import Recordings
    from worker.turn_limit import TurnLimit
    from worker.turn_store import TurnStore
    from worker.turn_watch import TurnWatch

__all__ = ["Services", "StepServices"]


@dataclass(frozen=True, slots=True)
class Services:
    """All of a worker process; made by ``worker/main.py``, closed at its shutdown."""

    settings: Settings
    directus: Directus
    queue: JobQueue
    model: LanguageModel
    toolbox: Toolbox
    assistants: Mapping[str, Assistant]
    """By ``conversations.source``."""
    turns: TurnStore
    leases: TurnLeases
    line: ConversationLine
    watch: TurnWatch
    pump: AnswerPump
    late_writes: LateWrites
    watched: WatchedRows
    metrics: Metrics
    turn_limit: TurnLimit
    recordings: Recordings | None = None
    """None where RECORD_TURNS_DAYS is 0."""


@dataclass(frozen=True, slots=True)
class StepServices:
    """What a step of one turn needs, and no more."""

    settings: Settings
    model: LanguageModel
    toolbox: Toolbox
    assistant: Assistant
    answer: AnswerStream
    speculation: Speculation = field(default_factory=Speculation)
    lost_characters: int = 0
    """Text that an attempt before this one was writing when its worker went."""

"""The fields of an answer's row, and of the user messages it settles, at each point of a turn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from assistants.interface import Outcome
from worker.turn import SAVED, State

if TYPE_CHECKING:
    from assistants.interface import Assistant
    from services.llm.calls import AnswerEnd
    from worker.turn import Turn

__all__ = ["blocked_fields", "cancelled_fields", "completed_fields", "failed_fields", "new_fields", "question_marks"]

_STEPS = (State.UNDERSTAND, State.PLAN, State.EXECUTE, State.REFLECT, State.RESPOND)


def new_fields(turn: Turn) -> dict[str, Any]:
    """With what the row is created, when the first text is there."""
    return {
        "conversation_id": turn.conversation_id,
        "role": "assistant",
        "assistant": turn.assistant,
        "metadata": {"trace_id": turn.trace_id, "covers": turn.covers},
    }


def completed_fields(
    turn: Turn, assistant: Assistant, end: AnswerEnd, *, first_shown_at: float | None
) -> dict[str, Any]:
    """The last write of an answer that came to its end; ``first_shown_at`` in Unix seconds."""
    view = turn.view()
    degraded = end.degraded or turn.degraded_because is not None
    outcome = Outcome.ERROR if turn.understanding is None else assistant.outcome(view)
    fields = _ended(turn, outcome, first_shown_at=first_shown_at)
    fields["status"] = State.COMPLETED.value
    fields["degraded"] = int(degraded)
    fields["metadata"] |= {
        "sources": [source.model_dump() for source in assistant.sources_used(view)],
        "suggestions": list(assistant.suggestions(view)),
        "provider": end.provider,
        "model": end.model,
        "prompt_version": assistant.prompt_version,
        "degraded": degraded,
        "degraded_because": turn.degraded_because,
        "switched_from": turn.switched_from,
    }
    return fields


def blocked_fields(turn: Turn, language: str) -> dict[str, Any]:
    """The one write of an answer that says why the question was not looked at; no model had a part in it."""
    fields = _ended(turn, Outcome.BLOCKED, first_shown_at=None)
    nobody = {"sources": [], "suggestions": [], "provider": "none", "model": "fixed", "prompt_version": "none"}
    fields["metadata"] |= nobody | {"degraded": False}
    return fields | {"status": State.COMPLETED.value, "language": language}


def cancelled_fields(turn: Turn, *, first_shown_at: float | None) -> dict[str, Any]:
    """The last write of an answer that was stopped; its text stays as it was."""
    return _ended(turn, Outcome.CANCELLED, first_shown_at=first_shown_at) | {"status": State.CANCELLED.value}


def failed_fields(turn: Turn, *, first_shown_at: float | None) -> dict[str, Any]:
    """The last write of an answer that could not be brought to an end."""
    return _ended(turn, Outcome.ERROR, first_shown_at=first_shown_at) | {"status": State.FAILED.value}


def question_marks(turn: Turn) -> list[dict[str, Any]]:
    """What the user messages that the answer settles are marked with."""
    return [
        {"id": turn.message_id, "status": "answered"},
        *({"id": earlier, "status": "superseded"} for earlier in turn.covers),
    ]


def _ended(turn: Turn, outcome: Outcome, *, first_shown_at: float | None) -> dict[str, Any]:
    understanding = turn.understanding
    since = turn.queued_at or turn.started_at
    total_ms = round((time.time() - since) * 1000)
    first_token_ms = round((first_shown_at - since) * 1000) if first_shown_at else None
    cost_usd = round(turn.cost_usd, 6)
    metadata = {
        "assistant": turn.assistant,
        "intent": understanding.intent if understanding else None,
        "search_type": understanding.search_type if understanding else None,
        "entities": understanding.entities if understanding else {},
        "tools_used": list(dict.fromkeys(outcome.call.tool for outcome in turn.outcomes)),
        "iterations": turn.iterations,
        "timings_ms": {
            "queued": round((turn.started_at - since) * 1000, 2),
            **{state.value: turn.timings_ms.get(state.value, 0.0) for state in _STEPS},
            **({SAVED: turn.timings_ms[SAVED]} if SAVED in turn.timings_ms else {}),
            "first_token": first_token_ms,
            "total": total_ms,
        },
        "usage": {
            "input_tokens": turn.input_tokens,
            "output_tokens": turn.output_tokens,
            "cache_read_tokens": turn.cache_read_tokens,
            "cost_usd": cost_usd,
        },
        "attempts": turn.attempt,
        "covers": turn.covers,
        "trace_id": turn.trace_id,
    }
    return {
        "metadata": metadata,
        "assistant": turn.assistant,
        "intent": metadata["intent"],
        "outcome": outcome.value,
        "language": understanding.language if understanding else None,
        "degraded": 0,
        "first_token_ms": first_token_ms,
        "total_ms": total_ms,
        "cost_usd": cost_usd,
    }

"""Comparing a replayed turn with the recorded one, step by step: where do they part?"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from assistants.interface import ToolOutcome
    from worker.recording import Recording
    from worker.replaying import Replay

__all__ = ["Step", "compare"]

_METADATA = ("intent", "search_type", "tools_used", "iterations", "sources", "suggestions", "provider", "model")
"""What of an answer's metadata must come out the same; times, cost and traces are each run's own."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing compared. ``then`` and ``now`` are texts, "" where there was none."""

    name: str
    then: str
    now: str

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return self.then == self.now

    @property
    def diff(self) -> list[str]:
        """The lines that differ, with two lines around them; nothing when none does."""
        lines = difflib.unified_diff(self.then.splitlines(), self.now.splitlines(), "then", "now", lineterm="", n=2)
        return list(lines)


def compare(recording: Recording, replayed: Replay) -> list[Step]:
    """Every step of both, in the order in which a turn goes through them."""
    then, now = recording.ended, replayed.turn
    steps = [
        Step(
            "understanding",
            _text(then.understanding.model_dump(mode="json") if then.understanding else None),
            _text(now.understanding.model_dump(mode="json") if now.understanding else None),
        )
    ]
    steps += _paired("tool call", [_call(each) for each in then.outcomes], [_call(each) for each in now.outcomes])
    # Who takes the understanding from the recording asks no model for one.
    calls = [call for call in recording.model_calls if replayed.understood_again or call.kind == "stream"]
    prompts = [_prompt(call.prompt) for call in calls]
    steps += _paired("prompt", prompts, [_prompt(each) for each in replayed.prompts])
    steps.append(Step("degraded because", then.degraded_because or "", now.degraded_because or ""))
    steps.append(Step("answer", recording.ending.text, replayed.text))
    if recording.ending.final:
        steps.append(Step("row", _text(_row(recording.ending.final)), _text(_row(replayed.final))))
    return steps


def _paired(name: str, then: Sequence[str], now: Sequence[str]) -> Iterator[Step]:
    for number, (one, other) in enumerate(zip_longest(then, now, fillvalue=""), start=1):
        yield Step(f"{name} {number}", one, other)


def _call(outcome: ToolOutcome) -> str:
    found = [row.get("id") or row.get("title") for row in outcome.results]
    return _text(outcome.call.model_dump(mode="json") | {"error": outcome.error, "found": found})


def _prompt(prompt: Mapping[str, Any]) -> str:
    parts = [prompt["system"], prompt["context"], *(f"{said['role']}: {said['text']}" for said in prompt["messages"])]
    return "\n\n".join([*parts, prompt["partial"]]).strip()


def _row(final: Mapping[str, Any]) -> dict[str, Any]:
    metadata = final.get("metadata", {})
    fields = {name: final.get(name) for name in ("status", "outcome", "language", "degraded")}
    return fields | {name: metadata.get(name) for name in _METADATA}


def _text(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)

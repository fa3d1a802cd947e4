"""A figure: one measured value beside its goal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Better", "Figure", "merged", "table"]


class Better(StrEnum):
    """Which side of its goal a value has to be on; the sign is the table's."""

    LESS = "≤"
    MORE = "≥"


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` None: it could not be measured. ``goal`` None: there is nothing to reach, it is told for comparison."""

    name: str
    value: float | None
    unit: str
    goal: float | None = None
    better: Better = Better.LESS

    @property
    def ok(self) -> bool:
        """Whether the goal is reached; a value that nobody set a goal for is."""
        if self.value is None:
            return False
        if self.goal is None:
            return True
        return self.value <= self.goal if self.better is Better.LESS else self.value >= self.goal

    def as_json(self) -> dict[str, Any]:
        """One entry of ``bench/results/latest.json``."""
        value = None if self.value is None else round(self.value, 3)
        return {"name": self.name, "value": value, "unit": self.unit, "goal": self.goal, "ok": self.ok}


def table(figures: list[Figure]) -> str:
    """The figures as people read them."""
    width = max((len(figure.name) for figure in figures), default=0)
    lines = []
    for figure in figures:
        value = "—" if figure.value is None else f"{figure.value:.2f}"
        goal = "" if figure.goal is None else f"{figure.better} {figure.goal:g}"
        verdict = "" if figure.ok and figure.goal is None else "ok" if figure.ok else "MISSED"
        lines.append(f"{figure.name:<{width}}  {value:>9} {figure.unit:<12} {goal:>8}  {verdict}".rstrip())
    return "\n".join(lines)


def merged(before: list[dict[str, Any]], figures: list[Figure]) -> list[dict[str, Any]]:
    """Earlier entries, with those measured again replaced and new ones added at the end."""
    new = {figure.name: figure.as_json() for figure in figures}
    kept = [new.pop(entry["name"], entry) for entry in before]
    return [*kept, *new.values()]

"""A figure: one measured value beside its goal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Better", "Entry", "Figure", "markdown", "merged", "table"]

Entry = dict[str, Any]
"""A figure in a file of results: name, value, unit, goal, ok, better, and which benchmark it is of."""


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

    def as_json(self) -> Entry:
        """One entry of a file of results."""
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


def merged(before: Sequence[Entry], measured: Mapping[str, Sequence[Figure]], *, order: Sequence[str]) -> list[Entry]:
    """Earlier entries and those of the benchmarks ``measured`` now, benchmark by benchmark in their ``order``.

    Of a benchmark that is measured again nothing earlier stays, whatever its figures were called; nor does
    anything of one that is not in ``order``.
    """
    entries = [entry for entry in before if entry.get("benchmark") not in measured]
    for name, figures in measured.items():
        entries += [figure.as_json() | {"better": figure.better.value, "benchmark": name} for figure in figures]
    return [entry for name in order for entry in entries if entry.get("benchmark") == name]


def markdown(entries: Sequence[Entry]) -> str:
    """The entries of the file as a table for a page."""
    lines = ["| benchmark | figure | value | goal | |", "|---|---|---|---|---|"]
    for entry in entries:
        value = "could not be measured" if entry["value"] is None else f"{entry['value']:g} {entry['unit']}".strip()
        goal = "" if entry["goal"] is None else f"{entry['better']} {entry['goal']:g}"
        verdict = "" if entry["ok"] and not goal else "✓" if entry["ok"] else "**missed**"
        lines.append(f"| {entry['benchmark']} | {entry['name']} | {value} | {goal} | {verdict} |")
    return "\n".join(lines)

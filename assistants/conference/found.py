"""What a turn has found, as an answer wants it: each thing once, the named ones first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from assistants.conference.entities import Entities
from assistants.conference.intents import SearchType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assistants.interface import TurnView

__all__ = ["best", "found"]


def found(view: TurnView) -> list[dict[str, Any]]:
    """All that was found, in the order of the calls, each thing once.

    The conference's own row and some of its FAQ always come back; they count when they answer the question.
    """
    rows = (row for outcome in view.outcomes for row in outcome.results)
    once: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if _answers(row):
            once.setdefault((str(row.get("type")), str(row.get("id"))), row)
    return list(once.values())


def best(view: TurnView) -> list[dict[str, Any]]:
    """What to show: where the question names something and rows have that name, these alone; else all.

    Vectors know little of names: "Which speakers work at Bloomberg?" finds people like those at
    Bloomberg between those who are.
    """
    rows = found(view)
    entities = Entities.of(view.understanding)
    if not entities.names or view.understanding is None or view.understanding.search_type != SearchType.SPECIFIC.value:
        return rows
    patterns = [re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE) for name in entities.names]
    for fields in (_NAME_FIELDS, _ALL_FIELDS):
        scored = [(sum(bool(pattern.search(_text(row, fields))) for pattern in patterns), row) for row in rows]
        most = max((count for count, _ in scored), default=0)
        if most:
            return [row for count, row in scored if count == most]
    return rows


_NAME_FIELDS = ("title", "speakers", "company", "position")
_ALL_FIELDS = (*_NAME_FIELDS, "description", "topics", "sessions", "answer")


def _text(row: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    return " | ".join(str(row.get(field) or "") for field in fields)


def _answers(row: Mapping[str, Any]) -> bool:
    if row.get("type") == "conferences":
        return bool(row.get("score"))
    return bool(row.get("near", True))

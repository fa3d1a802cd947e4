"""What a turn has found, as an answer wants it: each thing once, the named ones first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from assistants.conference.entities import Entities
from assistants.conference.intents import SearchType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assistants.interface import TurnView

__all__ = ["best", "found", "lacks_the_name"]


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
    patterns = _name_patterns(view)
    return _with_names(rows, patterns) or rows


def lacks_the_name(view: TurnView) -> bool:
    """Whether something was asked for by name, and nothing that was found has that name."""
    patterns = _name_patterns(view)
    return bool(patterns) and not _with_names(found(view), patterns)


def _with_names(rows: list[dict[str, Any]], patterns: list[re.Pattern[str]]) -> list[dict[str, Any]]:
    """The rows that have most of the names: in what names them, else anywhere."""
    for fields in (_NAME_FIELDS, _ALL_FIELDS):
        scored = [(sum(bool(pattern.search(_text(row, fields))) for pattern in patterns), row) for row in rows]
        most = max((count for count, _ in scored), default=0)
        if most:
            return [row for count, row in scored if count == most]
    return []


def _name_patterns(view: TurnView) -> list[re.Pattern[str]]:
    entities = Entities.of(view.understanding)
    if view.understanding is None or view.understanding.search_type != SearchType.SPECIFIC.value:
        return []
    return [re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE) for name in entities.names]


_NAME_FIELDS = ("title", "speakers", "company", "position")
_ALL_FIELDS = (*_NAME_FIELDS, "description", "topics", "sessions", "answer")


def _text(row: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    return " | ".join(str(row.get(field) or "") for field in fields)


def _answers(row: Mapping[str, Any]) -> bool:
    if row.get("type") == "conferences":
        return bool(row.get("score"))
    return bool(row.get("near", True))

"""What a turn has found, as an answer wants it: each thing once, the named ones first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from assistants.conference.entities import Entities
from assistants.conference.intents import Intent, SearchType
from assistants.conference.plain import plain
from assistants.conference.plan import RELAXATIONS, TYPES
from search.words import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from assistants.interface import ToolOutcome, TurnView

__all__ = ["best", "found", "given_up", "lacks_the_name", "offers"]


def found(view: TurnView) -> list[dict[str, Any]]:
    """All that was found to answer the question, in the order of the calls, each thing once.

    The conference's own row always comes back; it counts when it answers.
    """
    return _once(row for _, row, answers in _judged(view) if answers)


def given_up(view: TurnView) -> list[str]:
    """What had to be given up to find an answer (``RELAXATIONS``); nothing where none was found all the same."""
    relaxed = {step for outcome, _, answers in _judged(view) if answers for step in outcome.call.relaxed}
    return [step for step in RELAXATIONS if step in relaxed]


def offers(view: TurnView) -> list[dict[str, Any]]:
    """What is only near the question, each thing once.

    First what a search took for an answer, but of another kind than was asked for; then what none did.
    """
    known = {_identity(row) for row in found(view)}
    near = _once(row for _, row, answers in _judged(view) if not answers and row.get("type") != "conferences")
    return sorted((row for row in near if _identity(row) not in known), key=lambda row: not row.get("answers", True))


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


def _judged(view: TurnView) -> Iterator[tuple[ToolOutcome, dict[str, Any], bool]]:
    """Every row with the call that found it, and whether it answers the question; what is known is left out.

    It does not where the index keeps silent and it is only what came nearest (``answers`` False), nor where
    it is of another kind than was asked for: unless it bears the very name that was, or the question was on
    the conference itself and so asked for no kind.
    """
    any_kind = view.understanding is not None and view.understanding.intent == Intent.GENERAL_INFO
    patterns = _name_patterns(view)
    known = set(Entities.of(view.understanding).known)
    for outcome in view.outcomes:
        asked_kind = any_kind or TYPES not in outcome.call.relaxed
        for row in outcome.results:
            if known and plain(str(row.get("title") or "")) in known:
                continue
            if row.get("type") == "conferences":
                yield outcome, row, bool(row.get("score"))
            else:
                fits = asked_kind or _names_had(row, _NAME_FIELDS, patterns) > 0
                yield outcome, row, fits and bool(row.get("answers", True))


def _with_names(rows: list[dict[str, Any]], patterns: list[re.Pattern[str]]) -> list[dict[str, Any]]:
    """The rows that have most of the names: in what names them, else anywhere."""
    for fields in (_NAME_FIELDS, _ALL_FIELDS):
        scored = [(_names_had(row, fields, patterns), row) for row in rows]
        most = max((count for count, _ in scored), default=0)
        if most:
            return [row for count, row in scored if count == most]
    return []


def _names_had(row: Mapping[str, Any], fields: tuple[str, ...], patterns: list[re.Pattern[str]]) -> int:
    text = folded(" | ".join(str(row.get(field) or "") for field in fields)) if patterns else ""
    return sum(bool(pattern.search(text)) for pattern in patterns)


_NAME_FIELDS = ("title", "speakers", "company", "position")
_ALL_FIELDS = (*_NAME_FIELDS, "description", "topics", "sessions", "answer")


def _name_patterns(view: TurnView) -> list[re.Pattern[str]]:
    """The names asked for, without accents: as they were typed, and as the index read them."""
    if view.understanding is None or view.understanding.search_type != SearchType.SPECIFIC.value:
        return []
    read_as = {
        typed: meant
        for outcome in view.outcomes
        for row in outcome.results
        for typed, meant in row.get("read_as", {}).items()
    }
    names = [folded(name) for name in Entities.of(view.understanding).names]
    return [re.compile("|".join(_as_word(way) for way in {name, _reread(name, read_as)})) for name in names]


def _reread(name: str, read_as: Mapping[str, str]) -> str:
    for typed, meant in read_as.items():
        name = re.sub(_as_word(typed), meant, name)
    return name


def _as_word(text: str) -> str:
    return rf"(?<!\w){re.escape(text)}(?!\w)"


def _once(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    once: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        once.setdefault(_identity(row), row)
    return list(once.values())


def _identity(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("type")), str(row.get("id"))

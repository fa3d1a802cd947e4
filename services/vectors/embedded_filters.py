"""Our conditions, said in the filters of the engine inside this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qdrant_edge as edge

from services.vectors.types import AnyOf, Either, Every, Match, Not, Range

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.vectors.types import Condition

__all__ = ["as_filter"]


def as_filter(where: Sequence[Condition]) -> edge.Filter | None:
    """One filter in which all of ``where`` must hold; None for no condition at all."""
    if not where:
        return None
    return edge.Filter(must=[_condition(one) for one in where])


def _condition(one: Condition) -> edge.FieldCondition | edge.Filter:
    match one:
        case Match(key, value):
            return edge.FieldCondition(key, match=edge.MatchValue(value))
        case AnyOf(key, values):
            return edge.FieldCondition(key, match=edge.MatchAny(list(values)))
        case Range(key, start, end):
            return edge.FieldCondition(key, range=edge.RangeDateTime(gte=_iso(start), lt=_iso(end)))
        case Every(conditions):
            return edge.Filter(must=[_condition(each) for each in conditions])
        case Either(conditions):
            return edge.Filter(should=[_condition(each) for each in conditions])
        case Not(condition):
            return edge.Filter(must_not=[_condition(condition)])


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

"""Our conditions, said in a Qdrant server's filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdrant_client import models

from services.vectors.types import AnyOf, Either, Every, Match, Not, Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.vectors.types import Condition

__all__ = ["as_filter"]


def as_filter(where: Sequence[Condition]) -> models.Filter | None:
    """One filter in which all of ``where`` must hold; None for no condition at all."""
    if not where:
        return None
    return models.Filter(must=[_condition(one) for one in where])


def _condition(one: Condition) -> models.Condition:
    match one:
        case Match(key, value):
            return models.FieldCondition(key=key, match=models.MatchValue(value=value))
        case AnyOf(key, values):
            return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))
        case Range(key, start, end):
            return models.FieldCondition(key=key, range=models.DatetimeRange(gte=start, lt=end))
        case Every(conditions):
            return models.Filter(must=[_condition(each) for each in conditions])
        case Either(conditions):
            return models.Filter(should=[_condition(each) for each in conditions])
        case Not(condition):
            return models.Filter(must_not=[_condition(condition)])

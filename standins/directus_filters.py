"""Directus's filter rules over rows in memory, for the stand-in; the contract tests hold it to the real ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["OPERATORS", "Refusal", "UnknownOperator", "fits", "moment"]

Row = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - it is what Directus answers, not what went wrong here
    """An answer that is no success: HTTP status, Directus's code, message."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = dict(headers or {})


class UnknownOperator(Refusal):
    """A rule Directus doesn't know for that type of field."""

    def __init__(self, field_type: str, operator: str) -> None:
        message = f'Invalid query. "{field_type}" field type does not contain the "{operator}" filter operator.'
        super().__init__(400, "INVALID_QUERY", message)


def moment(value: object) -> str | None:
    """A timestamp as Directus gives it back: UTC, milliseconds, Z; None for what is no timestamp.

    Without an offset it is taken as UTC, as Directus on a server in UTC does.
    """
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    parsed = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    return parsed.strftime("%Y-%m-%dT%H:%M:%S.") + f"{parsed.microsecond // 1000:03d}Z"


def _known(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """SQL's way: a comparison with nothing is not true."""
    return lambda mine, wanted: mine is not None and compare(mine, wanted)


OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "_eq": lambda mine, wanted: mine == wanted,
    "_neq": _known(lambda mine, wanted: mine != wanted),
    "_in": lambda mine, wanted: mine in wanted,
    "_nin": _known(lambda mine, wanted: mine not in wanted),
    "_null": lambda mine, wanted: (mine is None) is bool(wanted),
    "_nnull": lambda mine, wanted: (mine is not None) is bool(wanted),
    "_empty": lambda mine, wanted: (mine in (None, "")) is bool(wanted),
    "_gt": _known(lambda mine, wanted: mine > wanted),
    "_gte": _known(lambda mine, wanted: mine >= wanted),
    "_lt": _known(lambda mine, wanted: mine < wanted),
    "_lte": _known(lambda mine, wanted: mine <= wanted),
}
_ORDERING: Final = frozenset({"_gt", "_gte", "_lt", "_lte"})
_UNORDERED: Final = frozenset({"uuid", "json"})


def fits(value: object, field_type: str, rules: Mapping[str, Any]) -> bool:
    """Whether a field's value passes all of its rules."""
    good = True
    for operator, wanted in rules.items():
        if operator not in OPERATORS or (operator in _ORDERING and field_type in _UNORDERED):
            raise UnknownOperator(field_type, operator)
        if field_type == "timestamp" and isinstance(wanted, str):
            wanted = moment(wanted)  # noqa: PLW2901 - the same instant, written as the row has it
        if operator in ("_in", "_nin"):
            _refuse_no_list(operator, wanted)
        good = OPERATORS[operator](value, wanted) and good
    return good


def _refuse_no_list(operator: str, wanted: object) -> None:
    if not isinstance(wanted, list) or not wanted:
        raise Refusal(400, "INVALID_QUERY", f'Invalid query. "{operator}" has to be an array of values.')

"""What the doctor says of rights in Directus that a licence allows to be narrowed."""

from __future__ import annotations

from typing import Any

import pytest

from cli.doctor_directus import look_at_rights
from provision.access import ERLEAH_PERMISSIONS
from services.errors import ErleahError


class Granting:
    """A Directus that grants what it is given."""

    def __init__(self, granted: dict[str, dict[str, Any]]) -> None:
        self._granted = granted

    async def request(self, method: str, path: str, **_: Any) -> Any:  # noqa: ANN401 - any JSON
        assert (method, path) == ("GET", "/permissions/me")
        return self._granted


def all_of_it() -> dict[str, dict[str, Any]]:
    """What Directus answers where Erleah has all it needs."""
    granted: dict[str, dict[str, Any]] = {}
    for collection, action in ERLEAH_PERMISSIONS:
        granted.setdefault(collection, {})[action] = {"access": "full", "fields": ["*"]}
    granted["messages"]["delete"] = {"access": "full"}  # a deletion has no fields
    return granted


async def test_all_that_is_declared_is_enough() -> None:
    assert str(len(ERLEAH_PERMISSIONS)) in await look_at_rights(Granting(all_of_it()))


@pytest.mark.parametrize(
    "narrowed",
    [
        {"access": "none"},
        {"access": "partial", "fields": ["*"]},
        {"access": "full", "fields": ["id", "title"]},
        None,
    ],
    ids=["none", "some rows", "some fields", "unheard of"],
)
async def test_a_right_to_a_part_is_not_the_right(narrowed: dict[str, Any] | None) -> None:
    """Rows that Erleah can't see it answers nothing of, and nobody would know why."""
    granted = all_of_it()
    granted["sessions"]["read"] = narrowed
    with pytest.raises(ErleahError, match=r"lacks the right to read sessions; run: erleah bootstrap$"):
        await look_at_rights(Granting(granted))


async def test_of_many_rights_that_are_missing_some_are_named() -> None:
    with pytest.raises(ErleahError, match=rf"and {len(ERLEAH_PERMISSIONS) - 4} more; run: erleah bootstrap$"):
        await look_at_rights(Granting({}))

"""The error tree: what is drawn is what is there."""

from __future__ import annotations

import inspect
import re

from services import errors


def test_the_drawing_names_every_error_in_its_place() -> None:
    """Each class stands under its parent in the drawing at the top of the module."""
    drawn: list[tuple[int, str]] = [
        (len(prefix), name)
        for prefix, name in re.findall(r"^([ │├└─]*)([A-Z]\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    ]
    parents: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for indent, name in drawn:
        while path and path[-1][0] >= indent:
            path.pop()
        if path:
            parents[name] = path[-1][1]
        path.append((indent, name))
    real = {
        name: cls.__bases__[0].__name__
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.ErleahError) and cls is not errors.ErleahError
    }
    assert parents == real


def test_everything_public_is_exported_and_has_its_own_code() -> None:
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.ErleahError)]
    assert {cls.__name__ for cls in classes} == set(errors.__all__)
    assert len({cls.code for cls in classes}) == len(classes)

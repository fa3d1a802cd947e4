"""``Field``: one field of a collection as Erleah declares it, and short ways to write the common ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Field",
    "choice",
    "created_at",
    "created_by",
    "json_list",
    "key",
    "line",
    "link",
    "moment",
    "number",
    "paragraph",
]

DIRECTUS_USERS = "directus_users"


@dataclass(frozen=True)
class Field:
    """A field as declared.

    ``type`` is Directus's type; for a link (``links_to`` names a collection) the type is that of
    the other's primary key, whatever it turns out to be. ``meta`` is what the Studio shows.
    """

    name: str
    type: str
    meta: dict[str, Any] = field(default_factory=dict)
    default: str | int | None = None
    max_length: int | None = None
    indexed: bool = False
    primary_key: bool = False
    links_to: str | None = None
    on_delete: str = "SET NULL"
    reverse: str | None = None
    """The alias on the other side of a link, as ``messages`` on conversations."""
    reverse_meta: dict[str, Any] = field(default_factory=dict)


def key() -> Field:
    """A UUID primary key, made by Directus when the client gives none."""
    meta = {"special": ["uuid"], "interface": "input", "readonly": True, "hidden": True}
    return Field("id", "uuid", meta, primary_key=True)


def line(name: str, *, width: str = "half", max_length: int = 255, **meta: Any) -> Field:  # noqa: ANN401 - Studio options
    """One line of text."""
    return Field(name, "string", {"interface": "input", "width": width} | meta, max_length=max_length)


def paragraph(name: str, **meta: Any) -> Field:  # noqa: ANN401 - Studio options
    """Text of any length."""
    return Field(name, "text", {"interface": "input-multiline", "width": "full"} | meta)


def choice(name: str, values: tuple[str, ...], *, indexed: bool = False, **meta: Any) -> Field:  # noqa: ANN401 - Studio options
    """One of several values; the Studio offers them, Directus doesn't enforce them."""
    options = {"choices": [{"text": value.capitalize(), "value": value} for value in values], "allowNone": True}
    own = {"interface": "select-dropdown", "options": options, "width": "half", "display": "labels"}
    return Field(name, "string", own | meta, max_length=255, indexed=indexed)


def json_list(name: str, **meta: Any) -> Field:  # noqa: ANN401 - Studio options
    """A JSON list of words."""
    own = {"special": ["cast-json"], "interface": "tags", "display": "labels", "width": "full"}
    return Field(name, "json", own | meta)


def moment(name: str, **meta: Any) -> Field:  # noqa: ANN401 - Studio options
    """An instant; given with any offset, kept and returned in UTC."""
    return Field(name, "timestamp", {"interface": "datetime", "width": "half", "display": "datetime"} | meta)


def number(name: str, kind: str = "integer", *, default: int | None = None, **meta: Any) -> Field:  # noqa: ANN401 - Studio options
    """A number that Erleah writes and people read."""
    return Field(name, kind, {"interface": "input", "width": "half", "readonly": True} | meta, default=default)


def link(  # noqa: PLR0913 - each names one property of a relation
    name: str,
    to: str,
    *,
    template: str,
    on_delete: str = "SET NULL",
    reverse: str | None = None,
    reverse_meta: dict[str, Any] | None = None,
    **meta: Any,  # noqa: ANN401 - Studio options
) -> Field:
    """A many-to-one relation; ``template`` is how the Studio shows the other row."""
    own = {
        "special": ["m2o"],
        "interface": "select-dropdown-m2o",
        "options": {"template": template},
        "display": "related-values",
        "display_options": {"template": template},
        "width": "half",
    }
    return Field(
        name,
        "uuid",
        own | meta,
        indexed=True,
        links_to=to,
        on_delete=on_delete,
        reverse=reverse,
        reverse_meta=reverse_meta or {},
    )


def created_by() -> Field:
    """Who made the row."""
    shown = {"special": ["user-created"], "interface": "select-dropdown-m2o", "display": "user"}
    hidden = {"readonly": True, "hidden": True, "width": "half"}
    return Field("user_created", "uuid", shown | hidden, links_to=DIRECTUS_USERS)


def created_at() -> Field:
    """When the row was made."""
    meta = {
        "special": ["date-created"],
        "interface": "datetime",
        "display": "datetime",
        "display_options": {"relative": True},
        "readonly": True,
        "width": "half",
    }
    return Field("date_created", "timestamp", meta, indexed=True)

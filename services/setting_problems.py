"""What is wrong with a setting, in words: its variable and what that wants, never its value, which may be a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AnyHttpUrl, SecretStr, TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

__all__ = ["EMBEDDED", "in_words", "unreal"]

EMBEDDED: Final = "embedded://"
"""How the address of a service begins that lives inside the process."""

_MIN_SECRET_LENGTH: Final = 16
"""Shorter secrets are refused in production: 16 random characters of base64 are 96 bits."""

_MIN_DISTINCT: Final = 6
"""Fewer different characters are a pattern: of 16 random hex digits, 4 in 100,000 have so few; of 48, none."""

_PLACEHOLDERS: Final = re.compile(
    r"(admin|api|change|default|demo|dev|directus|dummy|erleah|example|foo|bar|here|in|insert|it|key|local|me|my|"
    r"pass|passwd|password|placeholder|please|prod|production|qdrant|replace|secret|some|sample|super|test|testing|"
    r"this|to|token|top|value|webhook|with|word|your)+"
)
"""What nobody but a template chooses: a secret of nothing but these words, whatever stands between them."""

_SECRETS: Final = ("directus_api_key", "directus_webhook_secret", "directus_admin_token", "qdrant_api_key")
"""Those an installation makes for itself; what a provider of models hands out is its own to judge."""

_ADDRESSES: Final = (
    "directus_url",
    "directus_public_url",
    "webhook_public_url",
    "qdrant_url",
    "openai_base_url",
    "anthropic_base_url",
    "otel_exporter_otlp_endpoint",
)
_HTTP: Final = TypeAdapter(AnyHttpUrl)
_HTTP_BEGINS: Final = re.compile(r"https?://[^/?#\s]")
"""What AnyHttpUrl forgives and an HTTP client does not: ``http:host``, ``http:///host``, blanks around it."""


def in_words(problem: ErrorDetails, fields: Mapping[str, FieldInfo]) -> str:
    """One bad variable: its name and what it wants, in our words, with a value that would do."""
    own_words = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return own_words
    name = str(problem["loc"][0])
    field = fields[name]
    match problem["type"]:
        case "missing":
            return f"{name.upper()} is required"
        case "value_error":
            return f"{name.upper()} {own_words}"
        case "literal_error" | "enum":
            return f"{name.upper()} wants {problem['ctx']['expected'].replace(chr(39), '')}"
        case kind if kind.startswith("bool"):
            return f"{name.upper()} wants true or false"
        case "string_too_short":
            wanted = "a name"
        case _ if field.annotation in (int, float):
            wanted = ("a whole number" if field.annotation is int else "a number") + _range(field.metadata)
        case _:
            wanted = "another form"
    return f"{name.upper()} wants {wanted}, e.g. {field.default}"


def _range(constraints: list[Any]) -> str:
    """The bounds of a number, as annotated_types has them."""
    words = {"gt": "above", "ge": "from", "lt": "below", "le": "up to"}
    found = [f"{words[end]} {getattr(each, end)}" for each in constraints for end in words if hasattr(each, end)]
    return f" {' '.join(found)}" if found else ""


def unreal(values: Mapping[str, Any], fields: Mapping[str, FieldInfo], *, is_production: bool) -> Iterator[str]:
    """What has its type and yet is of no use outside: an address without a host, an id no row can have, a weak secret.

    ``values`` by the names of the ``fields``. Asked of what was read, not of every ``Settings``: a part may be handed
    some of its maker's own, whose ids, addresses and secrets nothing outside ever sees.
    """
    for name in _ADDRESSES:
        value = values[name]
        if value is None or (name == "qdrant_url" and value.startswith(EMBEDDED)) or _is_address(value):
            continue
        example = fields[name].default or "https://example.com"
        yield f"{name.upper()} wants an address that begins with http:// or https:// and names a host, e.g. {example}"
    if not all(origin == "*" or _is_origin(origin) for origin in values["cors_origins"]):
        yield "CORS_ORIGINS wants origins with commas between, without a path, e.g. https://www.example.com"
    conference_id = values["default_conference_id"]
    if conference_id is not None and not _is_row_id(conference_id):
        yield f"DEFAULT_CONFERENCE_ID wants the UUID of a conference, as Directus shows it, e.g. {UUID(int=0)}"
    for name, value in values.items():
        secret = value.get_secret_value() if isinstance(value, SecretStr) else None
        if secret is not None and secret != (secret.strip() or None):
            yield f"{name.upper()} wants a value without blanks around it"
        elif secret is not None and is_production and name in _SECRETS and _is_weak(secret):
            yield (
                f"{name.upper()} is too weak for production; wants at least {_MIN_SECRET_LENGTH} random characters, "
                "neither the same few of them nor words like changeme (openssl rand -hex 24)"
            )


def _is_weak(secret: str) -> bool:
    """Whether a secret is short, of few different characters, or of placeholders alone."""
    letters = re.sub(r"[^a-z]", "", secret.lower())
    few = len(secret) < _MIN_SECRET_LENGTH or len(set(secret)) < _MIN_DISTINCT
    return few or _PLACEHOLDERS.fullmatch(letters) is not None


def _is_address(value: str) -> bool:
    try:
        _HTTP.validate_python(value)
    except ValidationError:
        return False
    return _HTTP_BEGINS.match(value) is not None


def _is_origin(value: str) -> bool:
    parts = urlsplit(value) if _is_address(value) else None
    return parts is not None and parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)


def _is_row_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value  # another spelling is found in no index and in not every database
    except ValueError:
        return False

"""What Directus answered, as data or as one of our errors.

Directus names its errors by a code (https://directus.io/docs/guides/connect/errors). It answers
FORBIDDEN for a row that isn't there as well as for one that may not be seen, so that nobody learns
which; the client asks again by a filter where the difference counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.errors import AccessDeniedError, ConflictError, ServiceRejectedError, ServiceUnavailableError

if TYPE_CHECKING:
    import httpx

__all__ = ["SERVICE", "data_of", "document_of", "raise_for_status"]

SERVICE: Final = "directus"

_TOO_MANY: Final = 429
_MESSAGE_LIMIT: Final = 300
"""Characters of Directus's own words in our message: enough for its longest, too few for a row's text."""


def raise_for_status(response: httpx.Response, *, asked: str, address: str) -> None:
    """Raise the error that says what the caller does next; do nothing for a success.

    ``asked`` is method and path, ``address`` where Directus is, both safe to show.

    Raises AccessDeniedError (401, 403), ConflictError (RECORD_NOT_UNIQUE), ServiceUnavailableError
    (429, 5xx) and ServiceRejectedError for every other refusal.
    """
    if response.is_success:
        return
    status = response.status_code
    code, message = _complaint(response)
    if status == _TOO_MANY or response.is_server_error:
        raise ServiceUnavailableError(
            SERVICE,
            f"Directus at {address} can't answer now ({status} {code}): {message}",
            retry_after_s=_retry_after_s(response),
            status=status,
        )
    if status == 401:  # noqa: PLR2004 - HTTP's own number
        hint = "the token is unknown or has expired; Erleah's own is DIRECTUS_API_KEY"
        raise AccessDeniedError(f"Directus refused {asked} ({code}): {hint}")
    if status == 403:  # noqa: PLR2004 - HTTP's own number
        raise AccessDeniedError(f"Directus refused {asked} ({code}): {message}")
    if response.is_redirect:
        where = response.headers.get("location", "elsewhere")[:_MESSAGE_LIMIT]
        raise ServiceRejectedError(
            SERVICE, f"{address} sends us to {where}; set DIRECTUS_URL to Directus's own address", status=status
        )
    kind = ConflictError if code == "RECORD_NOT_UNIQUE" else ServiceRejectedError
    raise kind(SERVICE, f"Directus rejected {asked} ({status} {code}): {message}", status=status)


def document_of(response: httpx.Response, *, address: str) -> Any:  # noqa: ANN401 - any JSON
    """Give the JSON of a successful answer, None when it has no body.

    Raises ServiceRejectedError when it is no JSON: then something else than Directus answers there.
    """
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise ServiceRejectedError(
            SERVICE, f"{address} answers, but not as Directus does; check DIRECTUS_URL", status=response.status_code
        ) from None


def data_of(response: httpx.Response, *, address: str) -> Any:  # noqa: ANN401 - any JSON
    """Give the ``data`` member of a successful answer, None when there is none."""
    document = document_of(response, address=address)
    return document.get("data") if isinstance(document, dict) else None


def _complaint(response: httpx.Response) -> tuple[str, str]:
    """Directus's code and message, or the bare status where a proxy answered instead."""
    try:
        first = response.json()["errors"][0]
        code = str(first.get("extensions", {}).get("code", "no code"))
        message = str(first.get("message", "no message"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "no code", response.reason_phrase or "no message"
    return code[:64], message[:_MESSAGE_LIMIT]


def _retry_after_s(response: httpx.Response) -> float | None:
    """The header's seconds; its other form, a date, Directus never sends."""
    value = response.headers.get("retry-after", "").strip()
    return float(value) if value.isdecimal() and value.isascii() else None

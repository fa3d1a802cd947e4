"""From what a provider's API says went wrong to what we do next, whichever SDK told us.

Messages carry the status, the API's own error word (from a known list) and the request id, and
never the API's free text: it may quote the prompt or a part of the key.
"""

from __future__ import annotations

import email.utils
import math
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from services.errors import (
    ProviderBrokenStreamError,
    ProviderBusyError,
    ProviderError,
    ProviderRefusedError,
    ProviderRejectedError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.llm.calls import Usage

__all__ = ["failure_of_status", "failure_of_stream", "refused", "retry_after_of"]

_BUSY_WORDS = frozenset({"rate_limit_error", "overloaded_error", "api_error", "timeout_error", "server_error"})

_REJECTED_WORDS = frozenset(
    {
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "insufficient_quota",  # OpenAI's 429 for an empty account: waiting does not fill it
        "invalid_api_key",
        "model_not_found",
        "context_length_exceeded",
    }
)

_OF_ALL_WORDS = frozenset(
    {
        "authentication_error",
        "billing_error",
        "permission_error",
        "insufficient_quota",
        "invalid_api_key",
        "not_found_error",
        "model_not_found",
    }
)
"""Said of a key, an account or a model: of every call, not of this one."""

_OF_ALL_STATUS = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)
"""404 is a model that is not there (Anthropic's ``not_found_error``) or a base URL that leads beside the API; no call
of ours names anything else that may be missing."""

_BUSY_STATUS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})


def failure_of_status(
    provider: str,
    status: int,
    words: tuple[str | None, ...] = (),
    *,
    retry_after_s: float | None = None,
    request_id: str | None = None,
) -> ProviderError:
    """The error for an API's refusal.

    ``words`` are the API's machine-readable types and codes. A status below 400 means that the
    error came inside a started stream, and the words alone decide.
    """
    known = [word for word in words if word in _BUSY_WORDS or word in _REJECTED_WORDS]
    said = f"HTTP {status}" + (f" {known[-1]}" if known else "") + (f" (request {request_id})" if request_id else "")
    of_all = status in _OF_ALL_STATUS or any(word in _OF_ALL_WORDS for word in known)
    if any(word in _REJECTED_WORDS for word in known):
        return ProviderRejectedError(provider, f"{provider} rejected the call: {said}", of_all=of_all)
    is_error_status = status >= HTTPStatus.BAD_REQUEST
    is_busy_status = status in _BUSY_STATUS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if is_busy_status or not is_error_status or any(word in _BUSY_WORDS for word in known):
        return ProviderBusyError(provider, f"{provider} is busy or failing: {said}", retry_after_s=retry_after_s)
    return ProviderRejectedError(provider, f"{provider} rejected the call: {said}", of_all=of_all)


def refused(provider: str, category: str | None = None) -> ProviderRefusedError:
    """The model declined; ``category`` is the API's own."""
    return ProviderRefusedError(provider, f"{provider}'s model declined to answer ({category or 'no category'})")


def failure_of_stream(failure: ProviderError, *, begun: bool, usage: Usage | None) -> ProviderError:
    """The same failure as seen from the stream: once text was sent, the stream is broken, whatever broke it.

    A refusal stays one: its text must not be continued.
    """
    if begun and not isinstance(failure, ProviderRefusedError):
        failure = ProviderBrokenStreamError(failure.provider, str(failure))
    failure.usage = usage
    return failure


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds the API asks us to wait: ``retry-after-ms``, or ``retry-after`` in seconds or as a date."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit_s
        except ValueError:
            parsed = email.utils.parsedate_tz(value)
            if parsed is None:
                continue
            seconds = email.utils.mktime_tz(parsed) - time.time()
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None

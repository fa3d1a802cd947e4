"""Every error Erleah raises on purpose, in one tree.

A class says what its catcher does next; its message says what happened and, where a person can
mend it, how::

    ErleahError
    ├── ConfigurationError            stop: a setting or a file is wrong, a person must mend it
    ├── InvalidInputError             tell the caller: what they sent can't be used
    │   └── NotFoundError             tell the caller: it names a thing that is not there
    ├── AccessDeniedError             tell the caller: not allowed, and why retrying won't help
    ├── RateLimitedError              tell the caller when to come back (``retry_after_s``)
    ├── ServiceUnavailableError       retry later: a service is away or over its load (``service``)
    │   └── (raised for directus, redis, qdrant, embeddings)
    ├── ServiceRejectedError          stop: a service understood us and said no (``service``)
    │   ├── ConflictError             read again: the row is there already or has changed
    │   └── IndexMismatchError        stop: the index was built with another embedder
    └── ProviderError                 fall back: a model provider could not answer (``provider``)
        ├── ProviderBusyError         retry with back-off, then the next provider (429, 529, 5xx, time-out)
        ├── ProviderBrokenStreamError the stream had begun: go on with what there is, elsewhere
        ├── ProviderRefusedError      the model declined: answer without it
        └── ProviderRejectedError     never retry: bad key, bad request, unknown model
            └── ProviderOverBudgetError  a cheaper one may: what is left of a turn's budget pays no answer of this one

Steering signals of a turn (superseded, cancelled, handed over) are not errors; they live in
``worker/signals.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.llm.calls import Usage

__all__ = [
    "AccessDeniedError",
    "ConfigurationError",
    "ConflictError",
    "ErleahError",
    "IndexMismatchError",
    "InvalidInputError",
    "NotFoundError",
    "ProviderBrokenStreamError",
    "ProviderBusyError",
    "ProviderError",
    "ProviderOverBudgetError",
    "ProviderRefusedError",
    "ProviderRejectedError",
    "RateLimitedError",
    "ServiceRejectedError",
    "ServiceUnavailableError",
]


class ErleahError(Exception):
    """The root: anything Erleah raises on purpose.

    ``code`` is the stable, machine-readable name used in HTTP errors and logs.
    """

    code = "error"


class ConfigurationError(ErleahError):
    """A setting or a packaged file is wrong; the process must not start."""

    code = "configuration"


class InvalidInputError(ErleahError):
    """What the caller sent can't be used; the message names the part."""

    code = "invalid_input"


class NotFoundError(InvalidInputError):
    """The caller names a thing that does not exist."""

    code = "not_found"


class AccessDeniedError(ErleahError):
    """The caller may not do this."""

    code = "access_denied"


class RateLimitedError(ErleahError):
    """The caller is over a limit and may come back after ``retry_after_s`` seconds."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServiceUnavailableError(ErleahError):
    """A service is away, too slow or over its load; the same call may succeed later.

    ``service`` is its short name: directus, redis, qdrant, embeddings. ``retry_after_s`` is the
    service's own wish, None when it said nothing; ``status`` its HTTP status, None when it did not answer.
    """

    code = "service_unavailable"

    def __init__(
        self, service: str, message: str, *, retry_after_s: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.service = service
        self.retry_after_s = retry_after_s
        self.status = status


class ServiceRejectedError(ErleahError):
    """A service understood the call and refused it; repeating it changes nothing."""

    code = "service_rejected"

    def __init__(self, service: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.service = service
        self.status = status


class ConflictError(ServiceRejectedError):
    """The row exists already, or changed under the caller."""

    code = "conflict"


class IndexMismatchError(ServiceRejectedError):
    """The index holds vectors of another embedder or size; only a full reindex mends it."""

    code = "index_mismatch"


class ProviderError(ErleahError):
    """A model provider could not give an answer; another may.

    ``usage`` is what the failed call has cost all the same, None when nothing.
    """

    code = "provider"
    usage: Usage | None = None

    def __init__(self, provider: str, message: str) -> None:
        super().__init__(message)
        self.provider = provider


class ProviderBusyError(ProviderError):
    """Overloaded, rate limited, failing or too slow before the first token; worth a retry.

    ``retry_after_s`` is the provider's own wish, None when it said nothing.
    """

    code = "provider_busy"

    def __init__(self, provider: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(provider, message)
        self.retry_after_s = retry_after_s


class ProviderBrokenStreamError(ProviderError):
    """The stream ended without its proper end: dropped, stalled, an error event, or silence."""

    code = "provider_broken_stream"


class ProviderRefusedError(ProviderError):
    """The model declined to answer (stop reason ``refusal``)."""

    code = "provider_refused"


class ProviderRejectedError(ProviderError):
    """The request itself is wrong for this provider: key, model or parameters.

    ``of_all`` says that it is not this request's fault: the key, the account or the model would be refused to any.
    """

    code = "provider_rejected"

    def __init__(self, provider: str, message: str, *, of_all: bool = False) -> None:
        super().__init__(provider, message)
        self.of_all = of_all


class ProviderOverBudgetError(ProviderRejectedError):
    """The prompt leaves of the turn's budget too little for an answer; nothing was asked or paid."""

    code = "provider_over_budget"

"""How a job that someone waits for has ended: its result or its error, as JSON and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from services.errors import (
    ErleahError,
    ProviderBusyError,
    ProviderError,
    RateLimitedError,
    ServiceRejectedError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["dump_error", "dump_result", "load_outcome"]

_DETAILS = ("service", "status", "provider", "retry_after_s")


def dump_result(result: Any) -> bytes:  # noqa: ANN401 - any JSON
    """Write a result. Raises TypeError for what is not JSON."""
    return json.dumps({"result": result}, ensure_ascii=False).encode()


def dump_error(error: BaseException, job_id: str) -> bytes:
    """Write an error: ours with its words, any other without them, which may hold what is private."""
    if not isinstance(error, ErleahError):
        error = ErleahError(f"{type(error).__name__} in job {job_id}; the worker's log says where")
    details = {name: getattr(error, name) for name in _DETAILS if getattr(error, name, None) is not None}
    return json.dumps({"error": {"code": error.code, "message": str(error), "details": details}}).encode()


def load_outcome(data: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Give the result, or raise the error with the class it had in the worker."""
    outcome = json.loads(data)
    if "error" not in outcome:
        return outcome["result"]
    raise _as_error(outcome["error"]["code"], outcome["error"]["message"], outcome["error"]["details"])


def _as_error(code: str, message: str, details: dict[str, Any]) -> ErleahError:
    kind = next((kind for kind in _family(ErleahError) if kind.code == code), ErleahError)
    if issubclass(kind, ServiceUnavailableError):
        return kind(details["service"], message)
    if issubclass(kind, ServiceRejectedError):
        return kind(details["service"], message, status=details.get("status"))
    if issubclass(kind, ProviderBusyError):
        return kind(details["provider"], message, retry_after_s=details.get("retry_after_s"))
    if issubclass(kind, ProviderError):
        return kind(details["provider"], message)
    if issubclass(kind, RateLimitedError):
        return kind(message, retry_after_s=details["retry_after_s"])
    return kind(message)


def _family(kind: type[ErleahError]) -> Iterator[type[ErleahError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)

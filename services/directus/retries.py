"""When and how long a call to Directus is tried again.

Only calls that may run twice are: reads, writes of named rows, creations whose ids the client gave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenacity import AsyncRetrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from services.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from tenacity import RetryCallState

__all__ = ["RETRY_FOR_S", "retrying"]

RETRY_FOR_S: Final = 15.0
"""Longest a safe call takes, waits included: a Directus that restarts is up again in 3 to 5 s
(measured), and a turn has 120 s; longer absences are its job's to wait out."""

_LONGEST_WISH_S: Final = 5.0
"""Retry-After is honoured up to here: more would spend a turn's time on one call."""

_JITTER: Final = wait_random_exponential(multiplier=0.1, max=2.0)
"""Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015): up to 0.1, 0.2, 0.4 … 2 s."""


def retrying(for_s: float) -> AsyncRetrying:
    """Try again on ServiceUnavailableError until ``for_s`` seconds have gone; then raise the last error."""
    return AsyncRetrying(
        retry=retry_if_exception_type(ServiceUnavailableError),
        wait=_wait_s,
        stop=stop_before_delay(for_s),
        reraise=True,
    )


def _wait_s(state: RetryCallState) -> float:
    """Seconds until the next try: our jitter, on top of what Directus asked for."""
    error = state.outcome.exception() if state.outcome is not None else None
    wish = error.retry_after_s if isinstance(error, ServiceUnavailableError) else None
    return min(wish or 0.0, _LONGEST_WISH_S) + _JITTER(state)

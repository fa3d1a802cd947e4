"""What the receiver says when something is wrong: one shape, one table of status codes.

Every error is ``{error, message, detail?, request_id}``. ``error`` is a stable name for machines,
``message`` is for people; in production neither says anything internal.
"""

from __future__ import annotations

import math
import traceback
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from services.errors import (
    AccessDeniedError,
    ConflictError,
    ErleahError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    ServiceRejectedError,
    ServiceUnavailableError,
)
from services.logging import bound_trace, get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["ErrorAnswers", "WrongShapeError", "error_response"]

STATUS_OF: Final[dict[type[ErleahError], int]] = {
    InvalidInputError: 422,
    NotFoundError: 404,
    AccessDeniedError: 403,
    RateLimitedError: 429,
    ServiceUnavailableError: 503,
    ServiceRejectedError: 502,
    ConflictError: 409,
}
"""The status of each error class; a class that is not here has its nearest ancestor's, or 500."""

NAME_OF: Final[dict[int, str]] = {
    400: "bad_request",
    401: "unauthorised",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "body_too_large",
    500: "internal",
}
"""The stable name of errors that HTTP itself has; the others bring their ``code``."""

RETRY_AFTER_S: Final = 5
"""What a 503 asks for: a restarted Redis or Directus is back within seconds."""

_log = get_logger(__name__)


class WrongShapeError(InvalidInputError):
    """A body or parameter has the wrong shape; ``detail`` lists ``{field, problem}``."""

    def __init__(self, message: str, detail: list[dict[str, str]]) -> None:
        super().__init__(message)
        self.detail = detail


def error_response(  # noqa: PLR0913 - the parts of an answer, by name
    status: int,
    code: str,
    message: str,
    *,
    detail: object = None,
    headers: Mapping[str, str] | None = None,
    also: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """An error in the shape of the contract.

    ``also`` holds members that one call's own contract adds. The request id is the trace id that
    the correlation middleware has bound.
    """
    body: dict[str, Any] = {**(also or {}), "error": code, "message": message}
    if detail is not None:
        body["detail"] = detail
    body["request_id"] = bound_trace()
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


class ErrorAnswers:
    """Turns any exception into an answer; ``production`` keeps what is internal to the log."""

    def __init__(self, *, production: bool) -> None:
        self._production = production

    def of(self, error: Exception, *, also: Mapping[str, Any] | None = None) -> JSONResponse:
        """The answer for one error; anything not raised on purpose is a 500 and logged with its trace."""
        if isinstance(error, HTTPException):
            code = NAME_OF.get(error.status_code, "error")
            return error_response(error.status_code, code, error.detail, headers=error.headers, also=also)
        if not isinstance(error, ErleahError):
            return self._unexpected(error, also)
        status = next((STATUS_OF[cls] for cls in type(error).__mro__ if cls in STATUS_OF), 500)
        if status == 500:  # noqa: PLR2004 - the status that means the fault is ours
            return self._unexpected(error, also)
        headers: dict[str, str] = {}
        message = str(error)
        if isinstance(error, RateLimitedError):
            headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
        elif isinstance(error, ServiceUnavailableError):
            headers["Retry-After"] = str(math.ceil(error.retry_after_s or RETRY_AFTER_S))
            _log.warning("service_unavailable", service=error.service, problem=message)
            if self._production:
                message = f"{error.service} is not available at the moment; please try again shortly"
        elif isinstance(error, ServiceRejectedError):
            _log.error("service_rejected", service=error.service, problem=message)
            if self._production:
                message = f"{error.service} did not accept this"
        detail = error.detail if isinstance(error, WrongShapeError) else None
        return error_response(status, error.code, message, detail=detail, headers=headers, also=also)

    async def __call__(self, _request: Request, error: Exception) -> Response:
        """Starlette's exception handler for everything."""
        return self.of(error)

    def _unexpected(self, error: Exception, also: Mapping[str, Any] | None) -> JSONResponse:
        # Where, not what: an exception's own text may hold anything, a key or a question.
        where = "".join(traceback.format_tb(error.__traceback__))
        _log.error("unexpected_error", kind=type(error).__name__, where=where)
        what = "" if self._production else f" ({type(error).__name__})"
        message = f"Something went wrong here{what}; the log has it under the request id"
        return error_response(500, NAME_OF[500], message, also=also)

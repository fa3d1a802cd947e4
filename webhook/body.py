"""The body of a request: bounded, read within a time, checked against a model."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from webhook.responses import WrongShapeError

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["MAX_BODY_BYTES", "RowId", "is_uuid", "read_body"]

MAX_BODY_BYTES: Final = 256 * 1024
"""The contract's limit; a Flow sends the whole changed row, a visitor at most 8,000 characters."""

BODY_TIMEOUT_S: Final = 10.0
"""A client that dribbles its body for longer is holding a connection, not sending a question."""

_MAX_PROBLEMS: Final = 5
"""Problems named in one answer; enough to mend a request, too few to mirror a hostile one."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)

_CLOSE: Final = {"Connection": "close"}
"""What is left of a refused body is not read; the connection ends with the answer."""

ModelT = TypeVar("ModelT", bound=BaseModel)


def is_uuid(value: str) -> bool:
    """Whether this is a UUID as Directus writes it; other spellings Python knows are refused."""
    return _UUID.fullmatch(value) is not None


def _uuid(value: str) -> str:
    if not is_uuid(value):
        msg = "wants a UUID"
        raise ValueError(msg)
    return value


RowId = Annotated[str, Field(max_length=36), AfterValidator(_uuid)]
"""The id of a row of Erleah's own collections; as it was sent, since SQLite compares letter by letter."""


async def read_body(request: Request, model: type[ModelT]) -> ModelT:
    """Read a JSON body of at most MAX_BODY_BYTES into ``model``.

    Raises HTTPException 413 or 408, and WrongShapeError (422) that names each field, never the
    value in it.
    """
    raw = await _read_bytes(request)
    try:
        data = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # ValueError: not JSON, not UTF-8, NaN, or a number of thousands of digits.
        message = "The body is not JSON that can be read"
        raise WrongShapeError(message, [{"field": "body", "problem": "wants a JSON object"}]) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _wrong_shape(error) from None


async def _read_bytes(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            # Counted as it comes: the length may be missing (chunked) or a lie.
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise HTTPException(408, f"The body did not arrive within {BODY_TIMEOUT_S:.0f} s", _CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, "The connection ended before the body did", _CLOSE) from None
    return bytes(body)


def _too_large() -> HTTPException:
    return HTTPException(413, f"The body is larger than {MAX_BODY_BYTES // 1024} KiB", _CLOSE)


def _refuse_constant(name: str) -> float:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _wrong_shape(error: ValidationError) -> WrongShapeError:
    problems = [
        {
            "field": ".".join(str(part)[:40] for part in problem["loc"]) or "body",
            "problem": problem["msg"].removeprefix("Value error, ").replace("Input should be", "wants"),
        }
        for problem in error.errors(include_input=False, include_url=False, include_context=False)[:_MAX_PROBLEMS]
    ]
    return WrongShapeError("; ".join(f"{p['field']}: {p['problem']}" for p in problems), problems)

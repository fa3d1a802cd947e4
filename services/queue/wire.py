"""How a job lies in Redis: arq's envelope around the job's payload, as JSON and checked both ways.

arq pickles by default, which lets whoever can write to Redis run code in the workers. Here a job is
``{"t": tries, "f": job name, "a": [], "k": {"payload": {…}}, "et": enqueued ms}`` and nothing else:
arq itself trusts the types of these fields, and a wrong one would end its loop.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from arq.connections import ArqRedis
from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from services.redis import RedisClient

__all__ = ["MAX_JOB_BYTES", "arq_client", "dump_job", "load_job"]

MAX_JOB_BYTES = 64 * 1024
"""The largest job, a search, has a query of 4,000 characters; no job comes near this."""

_LATEST_MS = 10**14
"""The year 5138 in milliseconds; a later time overflows what arq makes of it."""


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    payload: dict[str, Any]


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    t: Annotated[int, Field(ge=0, le=1_000_000)] | None
    f: Annotated[str, Field(max_length=64)]
    a: Annotated[list[Any], Field(max_length=0)]
    k: _Arguments
    et: Annotated[int, Field(ge=0, le=_LATEST_MS)]


def dump_job(envelope: dict[str, Any]) -> bytes:
    """Write arq's envelope as JSON.

    Raises TypeError or ValueError for what is not JSON, and ValueError over MAX_JOB_BYTES.
    """
    data = json.dumps(envelope, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    if len(data) > MAX_JOB_BYTES:
        msg = f"a job of {len(data)} bytes; {MAX_JOB_BYTES} are the most"
        raise ValueError(msg)
    return data


def load_job(data: bytes) -> dict[str, Any]:
    """Read arq's envelope. Raises ValueError for anything else, and never says what it held."""
    if len(data) > MAX_JOB_BYTES:
        raise ValueError("not a job of Erleah's: too large")
    try:
        return _Envelope.model_validate_json(data).model_dump()
    except ValidationError:
        raise ValueError("not a job of Erleah's") from None


def arq_client(redis: RedisClient, *, one_connection: bool = False) -> ArqRedis:
    """Give arq's client over the same connections; closing it leaves them open. It raises redis-py's own errors.

    ``one_connection`` keeps one of them for itself, which spares a caller that asks all the time the
    pool's checks (measured at 100 polls a second: 265 µs each where they cost 350).
    """
    return ArqRedis(
        pool_or_conn=redis.connection_pool,
        job_serializer=dump_job,
        job_deserializer=load_job,
        single_connection_client=one_connection,
    )

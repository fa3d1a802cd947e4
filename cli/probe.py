"""``alive()``: whether a receiver answers at an address."""

from __future__ import annotations

from typing import Final

import httpx

from services.errors import ErleahError, ServiceUnavailableError

__all__ = ["alive"]

TIMEOUT_S: Final = 3.0
"""Alive is said without asking anyone: who takes longer is not. Below a container's own 10 s (Containerfile)."""


async def alive(address: str) -> None:
    """Ask a receiver for its sign of life.

    Without the environment's proxy: a receiver is near, mostly on this machine, and a proxy that can't reach
    it would answer for it.

    Raises ServiceUnavailableError when nothing answers, ErleahError when something else than a receiver does.
    """
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            answer = await client.get(f"{address}/health/live")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        message = f"nothing answers at {address} ({type(error).__name__})"
        raise ServiceUnavailableError("receiver", message) from None
    if answer.status_code != httpx.codes.OK:
        raise ErleahError(f"{address} says {answer.status_code}, which no receiver of Erleah's does")

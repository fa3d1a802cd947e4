"""Whether the receiver is up, alive, and able to do its work."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

from services.errors import ErleahError
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

__all__ = ["CHECK_TIMEOUT_S", "Health"]

CHECK_TIMEOUT_S: Final = 2.0
"""Each check; a probe's own time-out is commonly 5 s."""

REMEMBER_S: Final = 1.0
"""Anyone may ask; however often they do, each service is asked about once a second."""

_log = get_logger(__name__)

Check = dict[str, Any]


class Health:
    """``checks`` names each service and how to touch it: an awaitable that raises when it is away."""

    def __init__(self, *, production: bool, checks: Mapping[str, Callable[[], Awaitable[object]]]) -> None:
        self._production = production
        self._checks = checks
        self._lock = asyncio.Lock()
        self._last: dict[str, Check] = {}
        self._last_at = float("-inf")

    async def up(self, _request: Request) -> JSONResponse:
        """GET /health: this process takes requests."""
        return JSONResponse({"status": "ok"})

    async def live(self, _request: Request) -> JSONResponse:
        """GET /health/live: touches nothing, so a service's outage never gets this process restarted."""
        return JSONResponse({"status": "alive"})

    async def ready(self, _request: Request) -> JSONResponse:
        """GET /health/ready: 200 when every service answers, else 503 and which does not."""
        async with self._lock:
            if time.monotonic() - self._last_at >= REMEMBER_S:
                results = await asyncio.gather(*(self._check(name) for name in self._checks))
                self._last = dict(zip(self._checks, results, strict=True))
                self._last_at = time.monotonic()
        failed = [name for name, check in self._last.items() if not check["ok"]]
        body = {"status": "not ready" if failed else "ready", "checks": self._last, "failed": failed}
        return JSONResponse(body, status_code=503 if failed else 200)

    async def _check(self, name: str) -> Check:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._checks[name]()
        except Exception as error:  # noqa: BLE001 - whatever is raised, the service is not ready
            # Only our own errors have texts that are known to hold no secret.
            if isinstance(error, TimeoutError):
                problem = f"did not answer within {CHECK_TIMEOUT_S:.0f} s"
            elif isinstance(error, ErleahError) and not self._production:
                problem = str(error)
            else:
                problem = "is not reachable" if self._production else f"is not reachable ({type(error).__name__})"
            _log.warning("not_ready", service=name, because=type(error).__name__)
            return {"ok": False, "problem": problem}
        return {"ok": True, "ms": round((time.perf_counter() - started) * 1000, 1)}

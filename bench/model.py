"""The model stand-in as a process of its own, which tells when it began to answer.

``python -m bench.model --port N [--tokens-per-second 60] [--tokens 300]``; ``GET /asked`` gives
``[[at, text], …]`` of the streams asked for since the last ``GET /asked``, ``at`` on the machine's
monotonic clock (one for all processes) and ``text`` being the last 400 characters of what was asked.
``POST /together/N`` lets the next N streams begin at one moment, when the last of them is asked for;
``GET /together`` says whether they have begun.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from standins.models import ModelStandIn, Script

if TYPE_CHECKING:
    from starlette.requests import Request

    from standins.models import RecordedRequest

_KEEP = 5000
_TAIL = 400
_TOGETHER_S = 25.0
"""Nobody waits longer for the others: a worker gives a model 30 s for its first token (LLM_TIMEOUT_S)."""


class _Together:
    """Streams that begin at one moment."""

    def __init__(self) -> None:
        self._missing = 0
        self._all_there = asyncio.Event()
        self._all_there.set()

    @property
    def have_begun(self) -> bool:
        return self._all_there.is_set()

    def expect(self, count: int) -> None:
        self._missing = count
        self._all_there = asyncio.Event()

    async def wait(self, request: RecordedRequest) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._all_there.set()
        elif self._missing > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_there.wait(), _TOGETHER_S)
            self._all_there.set()
        request.at = time.monotonic()


async def _serve(port: int, script: Script) -> None:
    standin, together = ModelStandIn(script, keep=_KEEP), _Together()
    standin.before_stream = together.wait

    async def asked(_request: Request) -> JSONResponse:
        streams = [[one.at, one.last_user_text[-_TAIL:]] for one in standin.requests if one.streamed]
        standin.requests.clear()
        return JSONResponse(streams)

    async def expect(request: Request) -> JSONResponse:
        together.expect(request.path_params["count"])
        return JSONResponse({})

    async def begun(_request: Request) -> JSONResponse:
        return JSONResponse(together.have_begun)

    standin.app.router.routes += [
        Route("/asked", asked),
        Route("/together", begun),
        Route("/together/{count:int}", expect, methods=["POST"]),
    ]
    await standin.start(port)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m bench.model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tokens-per-second", type=float, default=None)
    parser.add_argument("--tokens", type=int, default=300)
    wanted = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(wanted.port, Script(tokens=wanted.tokens, tokens_per_second=wanted.tokens_per_second)))


if __name__ == "__main__":
    main()

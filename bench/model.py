"""The model stand-in as a process of its own, which tells when it was asked.

``python -m bench.model --port N [--tokens-per-second 60] [--tokens 300]``; ``GET /asked`` gives
``[[at, text], …]`` of the streams asked for since the last ``GET /asked``, ``at`` on the machine's
monotonic clock (one for all processes) and ``text`` being the last 400 characters of what was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from standins.models import ModelStandIn, Script

if TYPE_CHECKING:
    from starlette.requests import Request

_KEEP = 5000
_TAIL = 400


async def _serve(port: int, script: Script) -> None:
    standin = ModelStandIn(script, keep=_KEEP)

    async def asked(_request: Request) -> JSONResponse:
        streams = [[one.at, one.last_user_text[-_TAIL:]] for one in standin.requests if one.streamed]
        standin.requests.clear()
        return JSONResponse(streams)

    standin.app.router.routes.append(Route("/asked", asked))
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

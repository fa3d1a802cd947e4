"""The model stand-in as a process of its own, told what goes wrong over HTTP: ``python -m chaos.model --port N``.

``PUT /plan`` sets a ``Plan``; ``GET /calls`` gives every call since the last ``DELETE /calls``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse
from starlette.routing import Route

from chaos.answers import POINTS, answer_text, tag_of, with_orders_done
from standins.models import Fault, FaultKind, ModelStandIn, Script
from standins.obedient import orders_read, understood, written

if TYPE_CHECKING:
    from starlette.requests import Request

    from standins.models import RecordedRequest

__all__ = ["TOKENS_PER_SECOND", "Plan"]

_KEEP = 5000
_ANTHROPIC = "/v1/messages"
_MISSING = re.compile(r"^- Could not be looked up just now: (.+)\.$", re.MULTILINE)
"""The note of the conference's prompt (context.j2) on a tool that failed; a model that obeys passes it on."""
TOKENS_PER_SECOND = 60.0


class Plan(BaseModel):
    """What the stand-in does from now on.

    ``fault`` befalls ``whose`` streams, after ``after_tokens``; ``understand_s`` is the delay before a structured
    reply, ``first_token_s`` that before a stream's first; ``points`` is an answer's length (about eight tokens each).
    With ``obeys`` it does as anything it reads tells it, and says so in the middle of its answers. Each call tells
    which of ``words`` it read, and which attacks (standins/attacks.py) while it obeys.
    """

    model_config = ConfigDict(extra="forbid")

    fault: FaultKind | None = None
    status: int = 529
    after_tokens: int = 0
    whose: Literal["anthropic", "everybody"] = "anthropic"
    understand_s: float = 0.05
    first_token_s: float = 0.0
    points: int = POINTS
    obeys: bool = False
    words: tuple[str, ...] = ()


class _Provider:
    """The stand-in, its plan, and what it was asked."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.standin = ModelStandIn(self._reply, keep=_KEEP)
        self.standin.app.router.routes += [
            Route("/plan", self._set_plan, methods=["PUT"]),
            Route("/calls", self._calls, methods=["GET", "DELETE"]),
        ]
        self._streams = 0
        self._faulty: set[int] = set()
        self._read: dict[int, list[str]] = {}
        self._orders: dict[int, list[str]] = {}

    def _reply(self, request: RecordedRequest) -> Script:
        plan = self.plan
        fault = None
        if plan.fault is not None and (plan.whose == "everybody" or request.path == _ANTHROPIC):
            # A real provider's error may quote what it was sent: no log may pass that on.
            quoted = request.last_user_text[-200:]
            fault = Fault(plan.fault, after_tokens=plan.after_tokens, status=plan.status, message=quoted)
        if not request.streamed and plan.after_tokens:
            fault = None  # what breaks in the middle of tokens has none to break here
        if fault is not None:
            self._faulty.add(id(request))
        if plan.words:
            read = json.dumps(request.body, ensure_ascii=False)
            self._read[id(request)] = [word for word in plan.words if word in read]
        if plan.obeys:
            self._orders[id(request)] = orders_read(request)
        if not request.streamed:
            parsed = understood(request) if plan.obeys else None
            return Script(first_token_delay_s=plan.understand_s, fault=fault, parsed=parsed)
        self._streams += 1
        asked = request.last_user_text
        so_far = asked.rpartition("[answer so far")[2] if "[answer so far" in asked else ""
        missing = ", ".join(_MISSING.findall(asked))
        tag = tag_of(asked) or "q0q"
        text = answer_text(tag, self._streams, points=plan.points, written=so_far, missing=missing)
        if plan.obeys:
            text = with_orders_done(text, written(request))
        rate = None if plan.obeys else TOKENS_PER_SECOND  # thousands of tokens, of which the pace proves nothing
        return Script(text=text, tokens_per_second=rate, first_token_delay_s=plan.first_token_s, fault=fault)

    async def _set_plan(self, request: Request) -> JSONResponse:
        self.plan = Plan.model_validate_json(await request.body())
        return JSONResponse(self.plan.model_dump(mode="json"))

    async def _calls(self, request: Request) -> JSONResponse:
        calls: list[dict[str, Any]] = [
            {
                "tag": tag_of(one.last_user_text),
                "provider": "anthropic" if one.path == _ANTHROPIC else "openai",
                "streamed": one.streamed,
                "at": one.at,
                "hung_up": one.hung_up,
                "hung_up_at": one.hung_up_at,
                "over": one.ended.is_set(),
                "sent_tokens": one.sent_tokens,
                "faulty": id(one) in self._faulty,
                "read": self._read.get(id(one), []),
                "orders": self._orders.get(id(one), []),
            }
            for one in self.standin.requests
        ]
        if request.method == "DELETE":
            self.standin.requests.clear()
            self._faulty.clear()
            self._read.clear()
            self._orders.clear()
        return JSONResponse(calls)


async def _serve(port: int) -> None:
    await _Provider().standin.start(port)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m chaos.model")
    parser.add_argument("--port", type=int, required=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()

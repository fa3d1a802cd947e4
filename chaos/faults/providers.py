"""Model providers that fail, before the first token and in the middle."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chaos.fault import Fault
from chaos.model import Plan
from standins.models import FaultKind

if TYPE_CHECKING:
    from chaos.fault import Scene

__all__ = ["FAULTS"]

_MIDDLE = 40
"""Tokens of about 110."""
_ANSWERED_S = 15.0
"""From a question to its end, at most: two tries of one provider at 2 s each (LLM_TIMEOUT_S here) for the
understanding and again for the answer, with their pauses, then another's whole answer of 2 s."""


async def _faults(scene: Scene, plans: tuple[Plan, ...]) -> None:
    """Each plan for some messages, with breakers closed at its start; then calls that met a fault are counted."""
    for plan in plans:
        await scene.house.forget_breakers()
        await scene.house.plan(plan)
        await scene.traffic.flow(scene.seconds(4))
        await scene.traffic.settled(30)
    scene.injected(sum(call["faulty"] for call in await scene.house.calls()))


async def _breaker_open(scene: Scene) -> None:
    """Anthropic fails until its breaker opens; from then on no worker asks it, and each question is answered."""
    await scene.house.plan(Plan(fault=FaultKind.STATUS, status=500))
    await scene.traffic.flow(scene.seconds(6))
    await scene.traffic.settled(30)
    scene.injected(sum(call["faulty"] for call in await scene.house.calls()))
    await scene.house.calls(forget=True)
    await scene.traffic.flow(scene.seconds(10))
    await scene.traffic.settled(30)
    calls = await scene.house.calls()
    asked = sum(call["provider"] == "anthropic" for call in calls)
    scene.note(f"behind the open breaker: {asked} calls to Anthropic, {len(calls) - asked} to OpenAI")
    if asked or not calls:
        scene.broken("an open breaker did not keep the workers from asking" if asked else "nobody was asked")


def _fault(name: str, *plans: Plan) -> Fault:
    return Fault(f"provider: {name}", partial(_faults, plans=plans), promised_s=_ANSWERED_S, one_call=False)


FAULTS = (
    *(_fault(str(status), Plan(fault=FaultKind.STATUS, status=status)) for status in (429, 529, 500)),
    _fault("time-out", Plan(fault=FaultKind.TIMEOUT), Plan(fault=FaultKind.STALL, after_tokens=_MIDDLE)),
    _fault("broken stream", Plan(fault=FaultKind.DROP), Plan(fault=FaultKind.DROP, after_tokens=_MIDDLE)),
    _fault(
        "error in a stream", Plan(fault=FaultKind.ERROR_EVENT), Plan(fault=FaultKind.ERROR_EVENT, after_tokens=_MIDDLE)
    ),
    _fault("invalid stream", Plan(fault=FaultKind.GARBAGE), Plan(fault=FaultKind.GARBAGE, after_tokens=_MIDDLE)),
    _fault("silent end", Plan(fault=FaultKind.SILENT_END), Plan(fault=FaultKind.SILENT_END, after_tokens=_MIDDLE)),
    _fault(
        "all providers at once",
        Plan(fault=FaultKind.STATUS, status=500, whose="everybody"),
        Plan(fault=FaultKind.DROP, after_tokens=_MIDDLE, whose="everybody"),
    ),
    Fault("provider: breaker open", _breaker_open, promised_s=_ANSWERED_S, one_call=False),
)

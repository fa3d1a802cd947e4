"""Hosts that an answer may link to: those that the organisers name, in the fields meant for it and in their FAQ.

Descriptions of sessions, exhibitors and speakers are written by whoever submitted them, so a link in one is no
reason to repeat it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from assistants.addresses import host_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from assistants.interface import TurnView

__all__ = ["trusted_hosts"]

_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"']{1,500}", re.IGNORECASE)


def trusted_hosts(view: TurnView) -> frozenset[str]:
    """The hosts of the found conference's and exhibitors' websites and of the found FAQ's answers."""
    addresses = (address for outcome in view.outcomes for row in outcome.results for address in _addresses(row))
    return frozenset(host.removeprefix("www.") for address in addresses if (host := host_of(address)))


def _addresses(row: Mapping[str, Any]) -> Iterator[str]:
    if row.get("website"):
        yield str(row["website"])
    if row.get("type") == "faq":
        yield from (found.rstrip(".,;:!?") for found in _ADDRESS.findall(str(row.get("answer") or "")))

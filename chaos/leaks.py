"""What logs must not hold: keys, tokens and passwords, and what people and models wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["leaks"]

_TAG = re.compile(r"(?:\b|\\[nrt])q\d+q\b")
"""Each question has one (chaos/traffic.py), and each answer repeats it; in JSON a break may stand before it."""


def leaks(logs: Mapping[str, str], secrets: Mapping[str, str]) -> list[str]:
    """Which log holds which secret, or a text, and in which line; never the secret or the text itself.

    Half a secret is one: a log may cut what it shows.
    """
    found: list[str] = []
    for log, said in logs.items():
        for name, secret in secrets.items():
            middle = len(secret) // 2
            at = [place for half in (secret[:middle], secret[middle:]) if (place := said.find(half)) >= 0]
            if at:
                found.append(f"{log} holds {name}, in line {_line(said, min(at))}")
        if said_there := [match.start() for match in _TAG.finditer(said)]:
            where = f"{len(said_there)} times, first in line {_line(said, said_there[0])}"
            found.append(f"{log} holds words of questions or answers, {where}")
    return found


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1

"""What visitors of a conference ask for."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files

__all__ = ["Intent", "SearchType", "router_examples"]


class Intent(StrEnum):
    """The kinds of questions; each has its row in the plan table (``plan.py``)."""

    SESSION_SEARCH = "session_search"
    EXHIBITOR_SEARCH = "exhibitor_search"
    SPEAKER_SEARCH = "speaker_search"
    GENERAL_INFO = "general_info"
    RECOMMENDATION = "recommendation"
    CLARIFICATION = "clarification"


class SearchType(StrEnum):
    """Whether a question has a clear target, or browses and asks for advice."""

    SPECIFIC = "specific"
    VAGUE = "vague"


def router_examples() -> dict[str, tuple[str, ...]]:
    """Example questions for each intent, out of ``examples/<intent>.txt``: one a line, ``#`` begins a comment."""
    folder = files("assistants.conference") / "examples"
    return {
        intent.value: tuple(
            line.strip()
            for line in (folder / f"{intent.value}.txt").read_text(encoding="utf-8").splitlines()
            if line.strip() and not line.startswith("#")
        )
        for intent in Intent
    }

"""Whether what was found is an answer, or only the least far."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.lexicon import Wording
    from search.query import Found

__all__ = ["evidence"]

_NAME_UNKNOWN = 0.12
"""Off the cosine when most of the names in the question are nobody's here: who asks for a thing by name wants
that thing. Both embedders asked for the same, within 0.02 (docs/search.md)."""

_MOST = 0.65

_NEARLY_ALL = 0.75
"""A profile with three quarters of the question's words, by weight, is what was asked for, whatever its cosine."""


def evidence(found: Sequence[Found], wording: Wording | None) -> float:
    """How much speaks for an answer, on the scale of the embedder's cosines; 1.0 for a match word for word."""
    if not found:
        return 0.0
    if max(one.parts["words"] for one in found) >= _NEARLY_ALL:
        return 1.0
    meaning = max(one.parts["meaning"] for one in found)
    if wording and wording.names and len(wording.unknown_names) >= _MOST * wording.names:
        return meaning - _NAME_UNKNOWN
    return meaning

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

_NEARLY_ALL = 0.6
"""A profile with this share of the question's words, by weight, is what was asked for, whatever its cosine. Of the
judged questions no vague one and none without an answer has above 0.52."""


_BEST = 3
"""A subject that a conference has, several of its entities come near; what comes near by chance comes alone. Of 17
searches that nothing answers, the mean of three keeps 13 and 14 silent (local, fastembed) at the cost of one
answerable of 62, the best one alone 11 and 13."""


def evidence(found: Sequence[Found], wording: Wording, *, filtered: bool) -> float:
    """How much speaks for an answer, on the scale of the embedder's cosines; 1.0 for a match word for word.

    ``found`` is all that came near, not only what is shown. ``filtered``: times or rooms have narrowed it, and
    one that is left may be the answer alone.
    """
    if not found:
        return 0.0
    if max(one.parts["words"] for one in found) >= _NEARLY_ALL:
        return 1.0
    best = sorted((one.parts["meaning"] for one in found), reverse=True)[: 1 if filtered else _BEST]
    meaning = sum(best) / len(best)
    if wording.names and len(wording.unknown_names) >= _MOST * wording.names:
        return meaning - _NAME_UNKNOWN
    return meaning

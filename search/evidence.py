"""Whether what was found is an answer, or only the least far."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from search.points import title_of
from search.scoring import NEARLY_ALL
from search.unkept import unkept_fact
from search.words import sparse_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.lexicon import Wording
    from search.query import Found
    from services.vectors import Hit

__all__ = ["Evidence", "evidence"]

_AGAINST = 0.12
"""Off the cosine when the question's own words speak against an answer: who asks for a thing by name, or for one
fact, wants that. Both embedders asked for the same for names, within 0.02 (docs/search.md)."""

_FEW_SUBJECTS = 2
"""A question of one or two words, none of which anybody here uses, is about something else ("Any penguins?"). Longer
ones may say in their own words what the texts say in others: that is what vectors are for."""

_BEST = 3
"""A subject that a conference has, several of its entities come near; what comes near by chance comes alone. Of 17
searches that nothing answers, the mean of three keeps 13 and 14 silent (local, fastembed) at the cost of one
answerable of 62, the best one alone 11 and 13."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much speaks for an answer, and what speaks against it.

    ``strength`` is on the scale of the embedder's cosines, 1.0 for a match word for word. ``unknown_names``
    are names in the question that no text here has. ``unkept`` is the kind of fact asked for that no row
    has, None as a rule.
    """

    strength: float
    unknown_names: tuple[str, ...] = ()
    unkept: str | None = None


def evidence(
    question: str, found: Sequence[Found], wording: Wording, by_words: Sequence[Hit], *, filtered: bool
) -> Evidence:
    """Weigh what came near.

    ``found`` is all of it, not only what is shown; ``by_words`` are the profiles that share words with the
    question, with their texts. ``filtered``: times or rooms have narrowed it, and one that is left may be
    the answer alone.
    """
    unknown = _still_unknown(wording, by_words)
    unkept = unkept_fact(question)
    if not found:
        return Evidence(0.0, unknown, unkept)
    if any(hit.score >= NEARLY_ALL and _is_named(wording, hit) for hit in by_words):
        return Evidence(1.0, unknown, unkept)
    best = sorted((one.parts["meaning"] for one in found), reverse=True)[: 1 if filtered else _BEST]
    strength = sum(best) / len(best)
    names_nobody = wording.names > 0 and 3 * len(unknown) >= 2 * wording.names
    if names_nobody or unkept is not None or (not filtered and _is_unheard_of(wording, by_words)):
        strength -= _AGAINST
    return Evidence(strength, unknown, unkept)


def _is_named(wording: Wording, hit: Hit) -> bool:
    """Whether the words that the profile shares are more than one that fell by the way.

    Two that have a subject, or one that is written as a name, or stands in the entity's own: somebody's
    biography that mentions the weather is no answer to "What's the weather?".
    """
    if not wording.subjects.isdisjoint(_numbers(title_of(hit.payload))):
        return True
    shared = wording.subjects & _words(hit)
    return len(shared) > 1 or bool(shared & wording.named)


def _is_unheard_of(wording: Wording, by_words: Sequence[Hit]) -> bool:
    """Whether the question has a subject in a word or two, in the texts' language, and no text has any of them."""
    if wording.foreign or not 0 < len(wording.subjects) <= _FEW_SUBJECTS:
        return False
    return all(wording.subjects.isdisjoint(_words(hit)) for hit in by_words)


def _still_unknown(wording: Wording, by_words: Sequence[Hit]) -> tuple[str, ...]:
    """The unknown names without those that came into the index since its words were counted.

    A word that nobody had weighs most of all, so a profile that has it by now is among the hits.
    """
    if not wording.unknown_names:
        return ()
    known = {number for hit in by_words for number in _words(hit)}
    return tuple(name for name in wording.unknown_names if not set(sparse_text(name)) <= known)


def _words(hit: Hit) -> frozenset[int]:
    """The numbers of the words in a profile's text."""
    return _numbers(str(hit.payload.get("text", "")))


@lru_cache(maxsize=1_000)
def _numbers(text: str) -> frozenset[int]:
    """The same profiles come near again and again: reading their words anew was a tenth of a turn's work."""
    return frozenset(sparse_text(text))

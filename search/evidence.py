"""Whether what was found is an answer, or only the least far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search.naming import is_found_by_name, words_of
from search.unkept import unkept_fact
from search.words import number_of, sparse_text, stem, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from search.lexicon import Wording
    from services.vectors import Hit

__all__ = ["Evidence", "evidence", "narrowed"]

_AGAINST = 0.12
"""Off the cosine when the question's own words speak against an answer: who asks for a thing by name, or for one
fact, wants that. Both embedders asked for the same for names, within 0.02 (docs/search.md)."""

_UNHEARD = 0.16
"""Off the cosine, times the share of a short question's subject that nobody here speaks of ("Any sessions on drone
piloting?"). More than the 0.12 of a name: a half is all that is seldom unheard of (docs/search.md)."""

_SHORT = 3
"""Words of the subject up to which a question is short, and asks for them. Longer ones say in their own words what the
texts say in others: that is what vectors are for."""

_BEST = 3
"""A subject that a conference has, several of its entities come near; what comes near by chance comes alone. Of 17
searches that nothing answers, the mean of three keeps 13 and 14 silent (local, fastembed) at the cost of one
answerable of 62, the best one alone 11 and 13."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much speaks for an answer, and what speaks against it.

    ``strength`` is on the scale of the embedder's cosines, 1.0 for a match word for word. ``unknown_names``
    are names in the question that no text here has. ``unkept`` is the kind of fact asked for that no row
    has, None as a rule. ``unheard`` are the words, as written, of a short question's subject that no text has, where
    they speak against an answer.
    """

    strength: float
    unknown_names: tuple[str, ...] = ()
    unkept: str | None = None
    unheard: tuple[str, ...] = ()


def evidence(question: str, meanings: Sequence[float], wording: Wording, by_words: Sequence[Hit]) -> Evidence:
    """Weigh what came near.

    ``meanings`` are the scores of all of it, not only of what is shown; ``by_words`` are the profiles that share words
    with the question, with their texts, as search/naming.py leaves them.
    """
    unknown = _still_unknown(wording, by_words)
    unkept = unkept_fact(question)
    missing = _unheard_of(wording, by_words)
    unheard = tuple(dict.fromkeys(_written(question, missing))) if missing else ()
    if not meanings:
        return Evidence(0.0, unknown, unkept, unheard)
    if is_found_by_name(by_words, wording):
        return Evidence(1.0, unknown, unkept)
    best = sorted(meanings, reverse=True)[:_BEST]
    names_nobody = wording.names > 0 and 3 * len(unknown) >= 2 * wording.names
    share = len(missing) / len(wording.subjects) if missing else 0.0
    against = max(_AGAINST if names_nobody or unkept is not None else 0.0, _UNHEARD * share)
    return Evidence(sum(best) / len(best) - against, unknown, unkept, unheard)


def narrowed(everywhere: Evidence, meanings: Sequence[float], wording: Wording, by_words: Sequence[Hit]) -> Evidence:
    """The evidence where times or rooms leave fewer: of the whole conference, and no more than the best one left.

    What nobody here speaks of, nobody speaks of on Friday either; and the one that is left may be the answer alone.
    """
    here = 1.0 if is_found_by_name(by_words, wording) else max(meanings, default=0.0)
    return replace(everywhere, strength=min(everywhere.strength, here))


def _unheard_of(wording: Wording, by_words: Sequence[Hit]) -> frozenset[int]:
    """The words of a short question's subject that no text has; none of a longer one, or in another language."""
    if wording.foreign or not 0 < len(wording.subjects) <= _SHORT:
        return frozenset()
    return wording.subjects.difference(*map(words_of, by_words))


def _written(question: str, numbers: frozenset[int]) -> Iterator[str]:
    """The question's words that have one of these numbers, as they are written."""
    for token in tokens(question):
        if any(number_of(stem(part)) in numbers for part in token.parts):
            yield token.written


def _still_unknown(wording: Wording, by_words: Sequence[Hit]) -> tuple[str, ...]:
    """The unknown names without those that came into the index since its words were counted.

    A word that nobody had weighs most of all, so a profile that has it by now is among the hits.
    """
    if not wording.unknown_names:
        return ()
    known = {number for hit in by_words for number in words_of(hit)}
    return tuple(name for name in wording.unknown_names if not set(sparse_text(name)) <= known)

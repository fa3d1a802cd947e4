"""Whether a profile that has nearly all of a question's words is what was asked for by name."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from search.points import title_of
from search.scoring import NEARLY_ALL
from search.words import content_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from search.lexicon import Wording
    from services.vectors import Hit

__all__ = ["is_found_by_name", "is_meant", "less_chance", "words_of"]

_BY_CHANCE = 0.5
"""Of the share of words that fell by the way: too little for a name, whatever else was shared. 0.3 does as well."""

_APART = 4
"""Words of the subject that lie at most so far apart in a text belong together there; 2 does as well."""


def less_chance(hits: Sequence[Hit], wording: Wording) -> list[Hit]:
    """The hits by words, with half the score where nearly all of a question's words are in a profile by chance.

    "I want to leave my job" has two words that mean anything, and somebody's long text has both. A subject of one
    word keeps its score, for the order: there is nothing else to go by.
    """
    if len(wording.subjects) == 1:
        return list(hits)
    return [
        replace(hit, score=hit.score * _BY_CHANCE)
        if hit.score >= NEARLY_ALL and not is_meant(wording, hit.payload)
        else hit
        for hit in hits
    ]


def is_found_by_name(hits: Iterable[Hit], wording: Wording) -> bool:
    """Whether one of the hits by words is what was asked for."""
    return any(hit.score >= NEARLY_ALL and is_meant(wording, hit.payload) for hit in hits)


def is_meant(wording: Wording, payload: Mapping[str, Any]) -> bool:
    """Whether the words that a profile shares with the question are more than some that fell by the way.

    One stands in the entity's own name or title, or is written as a name, or two of the subject's stand together: a
    biography that mentions the weather is no answer to "What's the weather?".
    """
    if not wording.subjects.isdisjoint(_places(title_of(payload))):
        return True
    places = _places(_text(payload))
    shared = wording.subjects.intersection(places)
    return bool(shared & wording.named) or _stand_together(places, shared)


def words_of(hit: Hit) -> frozenset[int]:
    """The numbers of the words in a profile's text."""
    return _numbers(_text(hit.payload))


def _stand_together(places: Sequence[int], shared: frozenset[int]) -> bool:
    last: tuple[int, int] | None = None
    for at, number in enumerate(places):
        if number not in shared:
            continue
        if last is not None and last[0] != number and at - last[1] <= _APART:
            return True
        last = number, at
    return False


def _text(payload: Mapping[str, Any]) -> str:
    return str(payload.get("text", ""))


@lru_cache(maxsize=1_000)
def _places(text: str) -> tuple[int, ...]:
    return tuple(content_numbers(text))


@lru_cache(maxsize=1_000)
def _numbers(text: str) -> frozenset[int]:
    """The same profiles come near again and again: reading their words anew was a tenth of a turn's work."""
    return frozenset(_places(text))

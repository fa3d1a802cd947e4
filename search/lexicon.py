"""What words a conference uses, and what a question's words weigh in it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

from search.filler import FILLER_STEMS
from search.words import FUNCTION_WORDS, number_of, stem, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from search.words import Token

__all__ = ["Lexicon", "Wording"]

_NAMED_AT_LEAST = 0.5
"""A word is a name here when at least half of its places are written so."""

_MAX_CAPITALS = 0.3
"""Above this share of capitals within sentences a language writes them otherwise than English does (German has
0.35 and more, English abstracts 0.1 to 0.2), and they tell no names."""

_MIN_KNOWN = 0.5
"""Below this share of known words, names aside, a question is in another language than the texts: what it lacks
tells nothing."""

_SHORT, _LONG = 6, 8
_TYPING_ERRORS = {False: 1, True: 2}
"""In words of 6 letters or more, and of 8 or more. Names only: other words that no text has are as a rule spelt
well ("patient" is not "patent"), and their meaning is the vectors' to find."""

_MISTYPED_WEIGHT = 0.8

_ASKING_WEIGHT = 0.5
"""Of words that are a way of asking: "Who works at Bloomberg?" wants Bloomberg, not all that work. 0.25 does as well;
nothing at all loses "work" where it is the subject."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A question's words as the index is asked for them.

    ``weights`` by word number add up to 1 over all content words of the question, those that no text has
    among them: what a text scores is the share of the question that it has, word for word. ``subjects`` are
    the numbers of those that are more than a way of asking, ``named`` of those written as names, here or in the texts.
    ``names`` is how many of its words look like names, ``unknown_names`` those among them that no text had
    when the lexicon was read. ``corrected`` maps a mistyped word to what was taken for it. ``foreign``: the
    question seems to be in another language than the texts.
    """

    weights: dict[int, float] = field(default_factory=dict)
    subjects: frozenset[int] = frozenset()
    named: frozenset[int] = frozenset()
    names: int = 0
    unknown_names: tuple[str, ...] = ()
    corrected: dict[str, str] = field(default_factory=dict)
    foreign: bool = False


class Lexicon:
    """The words of one conference's texts of one type."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = 0
        self._in_texts: Counter[str] = Counter()
        written: Counter[str] = Counter()
        named: Counter[str] = Counter()
        for text in texts:
            self._texts += 1
            found = [(part, token.looks_named) for token in tokens(text) for part in token.parts]
            written.update(part for part, _ in found)
            named.update(part for part, looks_named in found if looks_named)
            self._in_texts.update({stem(part) for part, _ in found})
        self._names = {  # a dict keeps the order, so that ties are decided the same each time
            word: None
            for word, count in written.items()
            if len(word) >= _SHORT - 1 and named[word] >= _NAMED_AT_LEAST * count
        }
        self._tells_names = sum(named.values()) <= _MAX_CAPITALS * max(1, sum(written.values()))

    def weight(self, stemmed: str) -> float:
        """BM25's inverse document frequency (Robertson, Zaragoza 2009), with the 1 inside that keeps it above 0."""
        count = self._in_texts[stemmed]
        return math.log(1 + (self._texts - count + 0.5) / (count + 0.5))

    @property
    def words(self) -> int:
        """How many different words the texts have, by stem."""
        return len(self._in_texts)

    def knows(self, part: str) -> bool:
        """Whether a text has the word."""
        return self._in_texts[stem(part)] > 0

    def wording(self, question: str) -> Wording:
        """What to ask the index for."""
        asked = list(tokens(question))
        weights: dict[str, float] = {}
        corrected: dict[str, str] = {}
        total = 0.0
        parts = (part for token in asked for part in token.parts if part not in FUNCTION_WORDS)
        for stemmed, part in {stem(part): part for part in parts}.items():
            weight = self.weight(stemmed) * (_ASKING_WEIGHT if stemmed in FILLER_STEMS else 1.0)
            total += weight
            weights[stemmed] = max(weights.get(stemmed, 0.0), weight)
            if not self.knows(part) and (nearest := self._nearest(part)):
                corrected[part] = nearest
                weights[stem(nearest)] = max(weights.get(stem(nearest), 0.0), weight * _MISTYPED_WEIGHT)
        plain = [token for token in asked if not token.looks_named]
        foreign = sum(map(self._is_ordinary, plain)) < _MIN_KNOWN * len(plain)
        names = [] if foreign else self._names_in(asked)
        named = {stem(part) for token in asked for part in token.parts if token.looks_named or part in self._names}
        return Wording(
            {number_of(word): weight / total for word, weight in weights.items()} if total else {},
            frozenset(number_of(word) for word in weights if word not in FILLER_STEMS),
            frozenset(number_of(word) for word in named | set(map(stem, corrected.values()))),
            len(names),
            tuple(token.written for token in names if token.parts[0] not in corrected and not self._has(token)),
            corrected,
            foreign,
        )

    def _nearest(self, part: str) -> str | None:
        """The name that was meant: one typing error away (two in long words), with the same first letter."""
        if len(part) < _SHORT:
            return None
        found = extractOne(
            part,
            [name for name in self._names if name[0] == part[0]],
            scorer=OSA.distance,
            score_cutoff=_TYPING_ERRORS[len(part) >= _LONG],
        )
        return str(found[0]) if found else None

    def _names_in(self, asked: list[Token]) -> list[Token]:
        content = [token for token in asked if token.parts[0] not in FUNCTION_WORDS]
        names = [token for token in content if token.looks_named]
        shouted = len(names) > 2 and len(names) == len(content)  # noqa: PLR2004 - "PYTHON TESTING TALKS", not a name
        return [] if shouted or not self._tells_names else names

    def _is_ordinary(self, token: Token) -> bool:
        """Whether a question in the texts' own language may well have the word."""
        known = token.parts[0] in FUNCTION_WORDS or stem(token.parts[0]) in FILLER_STEMS
        return known or self._has(token)

    def _has(self, token: Token) -> bool:
        """Whether a text has the word, or all that it is joined of."""
        whole, *pieces = token.parts
        return self.knows(whole) or (bool(pieces) and all(map(self.knows, pieces)))

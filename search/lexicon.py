"""What words a conference uses, and what a question's words weigh in it."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

from search.collection_names import master_name
from search.filler import FILLER_STEMS
from search.words import FUNCTION_WORDS, number_of, stem, tokens
from services.vectors import Match

if TYPE_CHECKING:
    from collections.abc import Iterable

    from search.query import EntityType
    from search.words import Token
    from services.vectors import Vectors

__all__ = ["Lexicon", "Lexicons", "Wording"]

_KEPT_S = 300.0
"""Counts move slowly. A word that came since is weighed as one that nobody uses, and is found by it all the same."""

_LOOK_AGAIN_S = 2.0
"""A name that the lexicon lacks is looked for again after this, lest what was indexed since be called unknown."""

_LEXICONS_KEPT = 128
"""Conferences times types. One of 1,000 sessions has about 15,000 words: 2 MB."""

_NAMED_AT_LEAST = 0.5
"""A word is a name here when at least half of its places are written so."""

_MAX_CAPITALS = 0.3
"""Above this share of capitals within sentences a language writes them otherwise than English does (German has
0.35 and more, English abstracts 0.1 to 0.2), and they tell no names."""

_MIN_KNOWN = 0.5
"""Below this share of known words a question is in another language than the texts: what it lacks tells nothing."""

_SHORT, _LONG = 6, 8
_TYPING_ERRORS = {False: 1, True: 2}
"""In words of 6 letters or more, and of 8 or more. Names only: other words that no text has are as a rule spelt
well ("patient" is not "patent"), and their meaning is the vectors' to find."""

_MISTYPED_WEIGHT = 0.8


@dataclass(frozen=True, slots=True)
class Wording:
    """A question's words as the index is asked for them.

    ``weights`` by word number add up to 1 over all content words of the question, those that no text has
    among them: what a text scores is the share of the question that it has, word for word.
    ``names`` is how many of its words look like names, ``unknown_names`` those among them that no text has.
    ``corrected`` maps a mistyped word to what was taken for it.
    """

    weights: dict[int, float] = field(default_factory=dict)
    names: int = 0
    unknown_names: tuple[str, ...] = ()
    corrected: dict[str, str] = field(default_factory=dict)


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
        self._names = tuple(
            word
            for word, count in written.items()
            if len(word) >= _SHORT - 1 and named[word] >= _NAMED_AT_LEAST * count
        )
        self._tells_names = sum(named.values()) <= _MAX_CAPITALS * max(1, sum(written.values()))

    def weight(self, stemmed: str) -> float:
        """BM25's inverse document frequency (Robertson, Zaragoza 2009), with the 1 inside that keeps it above 0."""
        count = self._in_texts[stemmed]
        return math.log(1 + (self._texts - count + 0.5) / (count + 0.5))

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
            weight = self.weight(stemmed)
            total += weight
            found, share = (part, 1.0)
            if not self.knows(part) and (nearest := self._nearest(part)):
                corrected[part] = nearest
                found, share = nearest, _MISTYPED_WEIGHT
            weights[stem(found)] = max(weights.get(stem(found), 0.0), weight * share)
        names = self._names_in(asked)
        return Wording(
            {number_of(word): weight / total for word, weight in weights.items()} if total else {},
            len(names),
            tuple(token.written for token in names if token.parts[0] not in corrected and not self._has(token)),
            corrected,
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
        foreign = sum(map(self._is_ordinary, asked)) < _MIN_KNOWN * len(asked)
        shouted = len(names) > 2 and len(names) == len(content)  # noqa: PLR2004 - "PYTHON TESTING TALKS", not a name
        return [] if foreign or shouted or not self._tells_names else names

    def _is_ordinary(self, token: Token) -> bool:
        """Whether a question in the texts' own language may well have the word."""
        known = token.parts[0] in FUNCTION_WORDS or stem(token.parts[0]) in FILLER_STEMS
        return known or token.looks_named or self._has(token)

    def _has(self, token: Token) -> bool:
        """Whether a text has the word, or all that it is joined of."""
        whole, *pieces = token.parts
        return self.knows(whole) or (bool(pieces) and all(map(self.knows, pieces)))


class Lexicons:
    """Reads lexicons from the index and keeps them a while."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._kept: OrderedDict[tuple[str, EntityType], tuple[float, Lexicon]] = OrderedDict()
        self._reading = asyncio.Lock()

    async def wording(self, question: str, conference_id: str, entity_type: EntityType) -> Wording:
        """The question's words, weighed in the conference. Raises NotFoundError where there is no index."""
        read_at, lexicon = await self._lexicon(conference_id, entity_type, _KEPT_S)
        wording = lexicon.wording(question)
        if wording.unknown_names and time.monotonic() - read_at > _LOOK_AGAIN_S:
            _, lexicon = await self._lexicon(conference_id, entity_type, _LOOK_AGAIN_S)
            wording = lexicon.wording(question)
        return wording

    async def _lexicon(self, conference_id: str, entity_type: EntityType, max_age_s: float) -> tuple[float, Lexicon]:
        key = (conference_id, entity_type)
        async with self._reading:  # the tools of a turn ask at the same time; one reading serves them all
            known = self._kept.get(key)
            if known is None or time.monotonic() - known[0] > max_age_s:
                known = (time.monotonic(), await self._read(conference_id, entity_type))
                self._kept[key] = known
            self._kept.move_to_end(key)
            while len(self._kept) > _LEXICONS_KEPT:
                self._kept.popitem(last=False)
            return known

    async def _read(self, conference_id: str, entity_type: EntityType) -> Lexicon:
        where = (Match("conference_id", conference_id),)
        pages = self._vectors.scroll(master_name(entity_type), where, only=("text",))
        texts = [str(record.payload.get("text", "")) async for page in pages for record in page]
        # 0.3 s for 1,000 sessions: other searches of this process go on meanwhile.
        return await asyncio.to_thread(Lexicon, texts)

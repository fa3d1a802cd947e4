"""What every question asks, taken out of a question's vector.

"Which talk should I see?" is said around every subject. Its direction draws towards texts that speak of
talks and of recommending, whatever the subject is. The mean vector of such questions, subtracted in part,
leaves the subject (Mu and Viswanath 2018 do the like with the common directions of all words; here it is
what the questions share, not the texts). docs/search.md has what it was measured to do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from search.query import EntityType
from search.words import FUNCTION_WORDS, stem, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from services.embeddings.embedder import Embedder

__all__ = ["FILLER", "FILLER_STEMS", "Filler", "has_subject", "leaning_to", "subject_words"]

FILLER: Mapping[EntityType, tuple[str, ...]] = {
    EntityType.SESSIONS: (
        "Which sessions should I attend?",
        "What talks are there about this?",
        "What should I see?",
        "Is there a session for me?",
        "Which talk do you recommend?",
        "Where can I learn more about it?",
        "Are there any workshops on that topic?",
        "What would help me?",
        "I would like to learn something here.",
        "Where do I start?",
        "When and where is the talk?",
        "Which tutorial fits my problem?",
        "Is anything on the programme about that?",
        "I need advice on what to go to.",
        "We have a problem at work. What can we do?",
        "What is interesting for someone like me?",
    ),
    EntityType.SPEAKERS: (
        "Who could I talk to about that?",
        "Who should I meet?",
        "Which speaker knows about this?",
        "Who can help me?",
        "Whom could I ask?",
        "Who is an expert on this?",
        "Which speakers do you recommend?",
        "Who here has experience with it?",
        "Who is speaking?",
        "Who works on this?",
        "I would like to meet somebody here.",
        "Is there anyone who knows something about it?",
        "We have a problem at work. Who has solved it?",
        "Which of the speakers should I contact?",
        "I need advice from a person.",
        "Who gives a talk about this topic?",
    ),
    EntityType.EXHIBITORS: (
        "Which stands should I visit?",
        "Which exhibitor can help us?",
        "Is there a vendor for that?",
        "Which booth do you recommend?",
        "What companies are here?",
        "Which company offers something for us?",
        "Where can I find a supplier?",
        "Who sells a product for that?",
        "Are there any exhibitors for this?",
        "Which sponsors should I look at?",
        "We need a tool for our company.",
        "We have a problem at work. Which company solves it?",
        "I am looking for a service provider.",
        "Where is the booth?",
        "Which firm in the hall does this?",
        "I would like to see products here.",
    ),
}
"""Ways to ask for a type without a subject. Any eight of the sixteen do as well, within a hundredth of nDCG."""

_SHARE = 0.7
"""Of the mean vector, subtracted; 0.4 to 1.0 are alike within the noise."""

_SUBJECT_SHARE = 0.3
"""Of the subject's words alone, added to the whole question; 0.2 to 0.5 are alike within the noise."""

_NOTHING_LEFT = 0.2
"""A question of whose unit vector less than this is left has no subject, and is searched for as it is."""

FILLER_STEMS = frozenset(
    stem(part) for said in FILLER.values() for one in said for token in tokens(one) for part in token.parts
)
"""Words of asking."""


def has_subject(question: str) -> bool:
    """Whether any word of the question is more than a way of asking."""
    return bool(subject_words(question))


def subject_words(question: str) -> str:
    """The question's words without ways of asking, in their order.

    ``interpreter RAM`` of "What does the interpreter do with RAM?"; blank where there is no subject.
    """
    return " ".join(
        token.written
        for token in tokens(question)
        if any(part not in FUNCTION_WORDS and stem(part) not in FILLER_STEMS for part in token.parts)
    )


def leaning_to(question: list[float], subject: list[float]) -> list[float]:
    """The question's unit vector, drawn towards that of its subject's words; of length one again."""
    both = np.asarray(question) + _SUBJECT_SHARE * np.asarray(subject)
    drawn: list[float] = (both / np.linalg.norm(both)).tolist()
    return drawn


class Filler:
    """The filler's mean vector by type, embedded once for all questions."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._means: dict[EntityType, NDArray[np.float64]] = {}
        self._embedding = asyncio.Lock()

    async def taken_out(self, vector: list[float], entity_type: EntityType) -> list[float]:
        """The question's unit vector without what all questions for the type share, of length one again."""
        rest = np.asarray(vector) - _SHARE * await self._mean(entity_type)
        length = float(np.linalg.norm(rest))
        if length < _NOTHING_LEFT:
            return vector
        subject: list[float] = (rest / length).tolist()
        return subject

    async def _mean(self, entity_type: EntityType) -> NDArray[np.float64]:
        async with self._embedding:
            if entity_type not in self._means:
                rows = await self._embedder.embed(FILLER[entity_type])
                self._means[entity_type] = np.asarray(rows).mean(axis=0)
            return self._means[entity_type]

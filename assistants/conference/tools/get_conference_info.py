"""The tool ``get_conference_info``: the conference itself, and what its FAQ says nearest to the question."""

from __future__ import annotations

import re
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from assistants.conference.conference_cache import read_facts
from assistants.conference.plan import CONFERENCE_INFO
from assistants.conference.question import content_words
from assistants.conference.tools.entity_search import SearchArguments, run_tool
from services.errors import ErleahError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from assistants.conference.facts import ConferenceFacts
    from assistants.interface import Toolbox, ToolOutcome, TurnView
    from services.embeddings.embedder import Embedder

__all__ = ["GetConferenceInfo"]

_NEAREST = 4
_ANSWER_CHARS = 1500
_KEPT_FAQS = 16
"""Conferences whose FAQ's vectors are remembered in this process: 100 questions of 1,536 numbers are 1.2 MB."""
_QUESTION_WEIGHT = 0.7
"""A FAQ entry is as near as 0.7 of its question and 0.3 of its answer are: questions are asked in the
visitor's manner, answers hold words that their questions do not ("wheelchair" under "entrance")."""

_NEAR_ENOUGH = {"local": 0.245, "fastembed": 0.32}
_NEAR_ENOUGH_UNMEASURED = 0.32
"""Below this no entry answers the question. Seen on 46 questions put to the sample conference: right entries lie at
0.25 to 0.93 (local) and 0.34 to 0.91 (fastembed); of 18 questions that no entry answers the nearest stays below in
16 and 14 ("What is the Wi-Fi password?": 0.17 and 0.24), and a hotel room's price is taken for the quiet room's."""

_BASICS = re.compile(
    r"\b(?:which (?:days|dates|city|country)|what (?:date|dates|days|city|address|venue)|(?:when|where) (?:is|are|"
    r"does|do|will) (?:the |this |it\b|you\b)?"
    r"(?:\w+ )?(?:conference|event|venue|congress|take|held|happening)|venue|address|website|web site|dates|"
    r"how long (?:is|does) the (?:conference|event)|"
    r"what is this (?:conference|event)|wo (?:ist|findet)|wann (?:ist|findet|beginnt) (?:die|das)|"
    r"veranstaltungsort|adresse|"
    r"où (?:est|se)|quand (?:est|a|commence)|adresse|lieu|dónde (?:es|se|está)|cuándo (?:es|se|empieza)|dirección|"
    r"lugar)\b",
    re.IGNORECASE,
)
"""Questions that the row itself answers: dates, place, website."""


_BESIDE_BASICS = 1
"""Words of substance that such a question may have besides: "Which city hosts it?", but not "What is the Wi-Fi
password at the venue?"."""


class GetConferenceInfo:
    """Answers from the conference's row and its FAQ. Remembers the FAQ's vectors as long as it does not change."""

    def __init__(self) -> None:
        self._vectors: OrderedDict[str, NDArray[np.float64]] = OrderedDict()

    async def __call__(self, arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
        """The conference's own row, then its FAQ's entries, the nearest first."""

        async def find(given: SearchArguments) -> list[dict[str, Any]]:
            facts = await read_facts(given.conference_id or "", toolbox)
            question = given.query or view.question
            return [_conference(facts, question), *await self._nearest(question, facts, toolbox.embedder)]

        return await run_tool(CONFERENCE_INFO, arguments, view, find)

    async def _nearest(self, question: str, facts: ConferenceFacts, embedder: Embedder) -> list[dict[str, Any]]:
        if not facts.faq:
            return []
        try:
            vectors = await self._faq_vectors(facts, embedder)
            asked = np.asarray((await embedder.embed([_without_own_names(question, facts)]))[0])
        except ErleahError:
            # Without an embedder the first entries, which organisers put first for a reason, beat nothing.
            return [_entry(index, 0.0, facts, answers=True) for index in range(min(_NEAREST, len(facts.faq)))]
        near = (vectors @ asked).reshape(len(facts.faq), 2) @ np.array([_QUESTION_WEIGHT, 1 - _QUESTION_WEIGHT])
        floor = _NEAR_ENOUGH.get(embedder.family, _NEAR_ENOUGH_UNMEASURED)
        best = np.argsort(-near, kind="stable")[:_NEAREST]
        return [_entry(int(index), float(near[index]), facts, answers=bool(near[index] >= floor)) for index in best]

    async def _faq_vectors(self, facts: ConferenceFacts, embedder: Embedder) -> NDArray[np.float64]:
        texts = [
            _without_own_names(text, facts)
            for entry in facts.faq
            for text in (entry.question, f"{entry.question} {entry.answer[:_ANSWER_CHARS]}")
        ]
        key = sha256("\0".join((embedder.identity, *texts)).encode()).hexdigest()
        if key not in self._vectors:
            self._vectors[key] = np.asarray(await embedder.embed(texts))
            while len(self._vectors) > _KEPT_FAQS:
                self._vectors.popitem(last=False)
        self._vectors.move_to_end(key)
        return self._vectors[key]


def _without_own_names(text: str, facts: ConferenceFacts) -> str:
    """Without "conference" and "venue", the conference's name and its city: they tell no entries apart.

    "What is the weather in Prague?" is not near "How do I get around in Prague?".
    """
    own = "|".join(re.escape(word) for word in (*facts.name.split(), facts.city) if word)
    return re.sub(
        rf"\b(?:conferences?|venues?|konferenz|conférence|congreso|{own or 'conference'})\b",
        " ",
        text,
        flags=re.IGNORECASE,
    )


def _asks_for_basics(question: str, facts: ConferenceFacts) -> bool:
    """Whether the row itself answers: not every question that says "venue" asks where it is."""
    rest, basics = _BASICS.subn(" ", question)
    own = {word.lower() for word in facts.name.split()}
    return basics > 0 and len([word for word in content_words(rest) if word not in own]) <= _BESIDE_BASICS


def _conference(facts: ConferenceFacts, question: str) -> dict[str, Any]:
    """The row; its score says whether the question is about what stands in it."""
    own = facts.model_dump(
        mode="json",
        include={"name", "description", "start_date", "end_date", "venue", "city", "country", "website", "timezone"},
    )
    return {
        "type": "conferences",
        "id": facts.conference_id,
        "title": facts.name,
        "score": 1.0 if _asks_for_basics(question, facts) else 0.0,
        **{key: value for key, value in own.items() if value},
    }


def _entry(index: int, score: float, facts: ConferenceFacts, *, answers: bool) -> dict[str, Any]:
    """One entry. Those that are not near enough to answer are for a model to judge; a template leaves them out."""
    entry = facts.faq[index]
    return {
        "type": "faq",
        "id": f"{facts.conference_id}#{index}",
        "title": entry.question,
        "answer": entry.answer[:_ANSWER_CHARS],
        "score": round(max(score, 0.0), 4),
        "answers": answers,
    }

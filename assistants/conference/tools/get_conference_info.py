"""The tool ``get_conference_info``: the conference itself, and what its FAQ says nearest to the question."""

from __future__ import annotations

import re
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from assistants.conference.conference_cache import read_facts
from assistants.conference.plan import CONFERENCE_INFO
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

_NEAR_ENOUGH = {"local": 0.2, "fastembed": 0.3}
_NEAR_ENOUGH_UNMEASURED = 0.3
"""Below this no entry answers the question. Seen on 17 questions put to the sample conference: right entries
lie at 0.23 to 0.70 (local) and 0.35 to 0.72 (fastembed), those for the Wi-Fi password below 0.15 and 0.25."""

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
            asked = np.asarray((await embedder.embed([_without_own_name(question, facts)]))[0])
        except ErleahError:
            # Without an embedder the first entries, which organisers put first for a reason, beat nothing.
            return [_entry(index, 0.0, facts, near=True) for index in range(min(_NEAREST, len(facts.faq)))]
        near = (vectors @ asked).reshape(len(facts.faq), 2) @ np.array([_QUESTION_WEIGHT, 1 - _QUESTION_WEIGHT])
        floor = _NEAR_ENOUGH.get(embedder.family, _NEAR_ENOUGH_UNMEASURED)
        best = np.argsort(-near, kind="stable")[:_NEAREST]
        return [_entry(int(index), float(near[index]), facts, near=bool(near[index] >= floor)) for index in best]

    async def _faq_vectors(self, facts: ConferenceFacts, embedder: Embedder) -> NDArray[np.float64]:
        texts = [
            _without_own_name(text, facts)
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


def _without_own_name(text: str, facts: ConferenceFacts) -> str:
    """Without "conference" and the conference's name: they are in half the entries and tell none apart."""
    own = "|".join(re.escape(word) for word in facts.name.split())
    return re.sub(
        rf"\b(?:conferences?|konferenz|conférence|congreso|{own or 'conference'})\b", " ", text, flags=re.IGNORECASE
    )


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
        "score": 1.0 if _BASICS.search(question) else 0.0,
        **{key: value for key, value in own.items() if value},
    }


def _entry(index: int, score: float, facts: ConferenceFacts, *, near: bool) -> dict[str, Any]:
    """One entry. Those that are not near are for a model to judge; a template leaves them out."""
    entry = facts.faq[index]
    return {
        "type": "faq",
        "id": f"{facts.conference_id}#{index}",
        "title": entry.question,
        "answer": entry.answer[:_ANSWER_CHARS],
        "score": round(max(score, 0.0), 4),
        "near": near,
    }

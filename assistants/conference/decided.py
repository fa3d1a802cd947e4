"""An intent and a reading made one: what the question asks for, with topic, kind, names, time and place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assistants.conference.entities import Entities
from assistants.conference.intents import Intent
from assistants.conference.question import (
    asks_who,
    content_words,
    kind_in,
    names_in,
    search_type_of,
    subject_of,
    topics_in,
    without_advice,
)
from assistants.interface import Understanding

if TYPE_CHECKING:
    from assistants.conference.reading import Reading
    from assistants.router import Route

__all__ = ["answerable", "by_route", "decided", "understanding_of"]


def answerable(route: Route | None) -> Route | None:
    """A follow-up goes on from something, so it is not for asking back."""
    return route.without(Intent.CLARIFICATION) if route and route.intent == Intent.CLARIFICATION else route


def by_route(route: Route | None, question: str, reading: Reading) -> Understanding:
    """The router's intent. Unsure and nobody to ask, looking something up beats asking back."""
    if route is None:
        return decided(Intent.SESSION_SEARCH, question, reading)
    if route.intent == Intent.CLARIFICATION and (not route.sure or reading.spans or reading.rooms):
        route = route.without(Intent.CLARIFICATION)
    understood = decided(Intent(route.intent), question, reading)
    return understood.model_copy(update={"confidence": round(route.confidence, 4), "decided_by": "router"})


_OF_ITSELF = re.compile(
    r"\b(?:conference|event|congress|venue|konferenz|veranstaltung|conférence|congrès|congreso|evento)\b", re.IGNORECASE
)
"""What is asked of the conference itself, on whatever day."""


def decided(intent: Intent, question: str, reading: Reading) -> Understanding:
    """What a question asks for, once it is known what kind of thing it is after."""
    facts, language = reading.facts, reading.language
    kind, without_kind = kind_in(reading.rest)
    words = content_words(without_kind)
    if intent is Intent.RECOMMENDATION:
        words = without_advice(words)
    topic = subject_of(reading.rest, language) if words else ""
    if intent is Intent.SPEAKER_SEARCH and not topic and (kind or reading.spans or reading.rooms):
        intent = Intent.SESSION_SEARCH  # "who are the keynote speakers": the sessions name them
    if intent is Intent.GENERAL_INFO and not topic and reading.spans and not _OF_ITSELF.search(question):
        intent = Intent.SESSION_SEARCH  # "what is on on the first day after lunch?" asks for the programme
    entities = Entities(
        topics=topics_in(reading.rest),
        names=names_in(reading.rest, language),
        time=reading.time,
        location=reading.location,
        times=list(reading.spans),
        rooms=list(reading.rooms),
        topic=topic,
        kind=kind,
        who=asks_who(question),
        now=reading.now,
        timezone=facts.timezone,
        conference=facts.name,
    )
    understood = understanding_of(intent, question, entities, language, 0.0)
    return understood.model_copy(update={"search_type": search_type_of(reading.rest, intent).value})


def understanding_of(intent: Intent, query: str, entities: Entities, language: str, confidence: float) -> Understanding:
    """An understanding by rule; ``query`` is the question made whole."""
    return Understanding(
        intent=intent.value,
        query=query,
        entities=entities.dump(),
        language=language,
        confidence=confidence,
        decided_by="rule",
    )

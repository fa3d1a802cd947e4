"""What a question asks for: by rule when nothing is asked, by the router when it is sure, else by the model.

Times, places and the kind of session are always read by code, from the visitor's words and from
the model's, so that the same words mean the same hours whoever understood them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assistants.conference.conference_cache import read_facts
from assistants.conference.entities import Entities, Span
from assistants.conference.facts import ConferenceFacts
from assistants.conference.intents import Intent
from assistants.conference.model_understanding import ask_model
from assistants.conference.question import (
    asks_who,
    content_words,
    kind_in,
    names_in,
    normalise,
    says_something,
    search_type_of,
    subject_of,
    topics_in,
    without_advice,
)
from assistants.conference.reference import find_reference, leans_on_conversation
from assistants.conference.when import parse_times
from assistants.conference.where import parse_rooms
from assistants.interface import Understanding, Understood
from assistants.language import LANGUAGES, LanguageGuesser
from services.errors import ErleahError, ProviderError
from services.logging import get_logger

if TYPE_CHECKING:
    from datetime import datetime

    from assistants.conference.model_understanding import ModelUnderstanding
    from assistants.interface import Toolbox, TurnView
    from assistants.router import Route, SemanticRouter
    from services.llm.calls import Parsed
    from services.llm.chain import LanguageModel
    from services.prompts import PromptFiles

__all__ = ["EMPTY", "Understander"]

log = get_logger(__name__)

EMPTY, THANKS, GREETING = "empty", "thanks", "greeting"
"""What is said by a question that asks for nothing."""

_THANKS = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|great|perfect|super|cool|nice|no)\W+)*(?:many thanks|thanks?(?: you)?|thx|cheers|"
    r"(?:vielen |besten )?dank(?:e)?|merci|(?:muchas )?gracias)"
    r"(?:\W+(?:a lot|so much|very much|schön|sehr|beaucoup|bien|mucho|for your help|for the help))*\W*$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\W*(?:hello|hi|hey|good (?:morning|afternoon|evening)|hallo|guten (?:tag|morgen|abend)|moin|servus|bonjour|"
    r"bonsoir|salut|hola|buenos días|"
    r"buenas(?: tardes| noches)?)(?:\W+there)?\W*$",
    re.IGNORECASE,
)
_MODEL_QUERY_CHARS = 500
_MODEL_WORDS = 10


@dataclass(frozen=True, slots=True)
class _Reading:
    """What code alone reads out of a question."""

    spans: tuple[Span, ...]
    rooms: tuple[str, ...]
    time: str | None
    location: str | None
    rest: str
    now: datetime | None = None


class Understander:
    """Understands questions. ``router`` and ``languages`` are shared by all turns of a process."""

    def __init__(self, router: SemanticRouter, languages: LanguageGuesser, prompts: PromptFiles) -> None:
        self._router = router
        self._languages = languages
        self._prompts = prompts

    async def understand(self, view: TurnView, model: LanguageModel, toolbox: Toolbox) -> Understood:
        """What ``view.question`` asks for; failing services cost accuracy, never the turn."""
        question = normalise(view.question)
        earlier = [message.text for message in view.history if message.role == "user"]
        language = self._languages.guess(question, earlier)
        said = _says_nothing(question)
        if said is not None:
            entities = Entities(said=said)
            return Understood(_understanding(Intent.CLARIFICATION, question, entities, language, 1.0))
        facts = await _facts(view, toolbox)
        leans = leans_on_conversation(question, view.history)
        route = await self._route(question)
        if model.has_model and (leans or route is None or not route.sure):
            try:
                parsed = await ask_model(question, view.history, model, self._prompts)
            except ProviderError as error:
                log.warning("understand.without_model", reason=type(error).__name__)
            else:
                return _as_the_model_says(parsed, question, facts, view.now, language)
        if leans:
            return Understood(await self._from_conversation(view, question, facts, language))
        return Understood(_by_route(route, question, _read(question, facts, view.now, language), facts, language))

    async def _route(self, question: str) -> Route | None:
        """The router's word, None while there is no embedder."""
        try:
            return await self._router.route(question)
        except ErleahError as error:
            log.warning("understand.without_router", reason=str(error))
            return None

    async def _from_conversation(
        self, view: TurnView, question: str, facts: ConferenceFacts, language: str
    ) -> Understanding:
        """A leaning question without a model: the earlier topic, with what the new question says otherwise."""
        reference = find_reference(question, view.history)
        now = _read(question, facts, view.now, language)
        if reference.thing:
            whole = f"{reference.thing}: {question}"
            route = await self._route(question)
            # The thing is named; what is asked of it (when, where, who) is in its own data.
            reading = _Reading((), (), None, None, reference.thing, now.now)
            understood = _by_route(_answerable(route), whole, reading, facts, language)
            return understood.model_copy(update={"search_type": "specific"})
        if not reference.questions:
            return _by_route(await self._route(question), question, now, facts, language)
        said = [normalise(earlier) for earlier in reference.questions]
        reading = _read(said[0], facts, view.now, language)
        for later in (*(_read(text, facts, view.now, language) for text in said[1:]), now):
            reading = _gone_on(reading, later)
        route = await self._route(f"{question} {said[0]}" if content_words(now.rest) else said[0])
        return _by_route(_answerable(route), " ".join((*said, question)), reading, facts, language)


def _gone_on(before: _Reading, now: _Reading) -> _Reading:
    """What holds after a further question: a new time or place replaces the old one, new words are added."""
    added = " ".join(content_words(now.rest))
    return _Reading(
        spans=now.spans or before.spans,
        rooms=now.rooms or before.rooms,
        time=now.time or before.time,
        location=now.location or before.location,
        rest=f"{before.rest} {added}".strip(),
        now=now.now,
    )


def _says_nothing(question: str) -> str | None:
    if not says_something(question):
        return EMPTY
    if _THANKS.match(question):
        return THANKS
    return GREETING if _GREETING.match(question) else None


async def _facts(view: TurnView, toolbox: Toolbox) -> ConferenceFacts:
    """The conference's facts; empty ones (UTC, no rooms) when there is no conference or it can't be read."""
    if view.scope_id is None:
        return ConferenceFacts(conference_id="")
    try:
        return await read_facts(view.scope_id, toolbox)
    except ErleahError as error:
        log.warning("understand.without_conference", reason=str(error))
        return ConferenceFacts(conference_id=view.scope_id)


def _read(question: str, facts: ConferenceFacts, now: datetime, language: str) -> _Reading:
    """Places first: "Hall 3" must not be read as three o'clock."""
    places = parse_rooms(question, facts.rooms)
    times = parse_times(places.rest, facts, now, language)
    return _Reading(
        spans=tuple(Span(start=span.start, end=span.end) for span in times.ranges),
        rooms=places.rooms,
        time=", ".join(times.phrases) or None,
        location=", ".join(places.phrases) or None,
        rest=times.rest,
        now=facts.local_now(now),
    )


def _answerable(route: Route | None) -> Route | None:
    """A follow-up goes on from something, so it is not for asking back."""
    return route.without(Intent.CLARIFICATION) if route and route.intent == Intent.CLARIFICATION else route


def _by_route(
    route: Route | None, question: str, reading: _Reading, facts: ConferenceFacts, language: str
) -> Understanding:
    """The router's intent. Unsure and nobody to ask, looking something up beats asking back."""
    if route is None:
        return _decided(Intent.SESSION_SEARCH, question, reading, facts, language)
    if route.intent == Intent.CLARIFICATION and (not route.sure or reading.spans or reading.rooms):
        route = route.without(Intent.CLARIFICATION)
    understood = _decided(Intent(route.intent), question, reading, facts, language)
    return understood.model_copy(update={"confidence": round(route.confidence, 4), "decided_by": "router"})


def _decided(intent: Intent, question: str, reading: _Reading, facts: ConferenceFacts, language: str) -> Understanding:
    kind, without_kind = kind_in(reading.rest)
    words = content_words(without_kind)
    if intent is Intent.RECOMMENDATION:
        words = without_advice(words)
    topic = subject_of(reading.rest, language) if words else ""
    if intent is Intent.SPEAKER_SEARCH and not topic and (kind or reading.spans or reading.rooms):
        intent = Intent.SESSION_SEARCH  # "who are the keynote speakers": the sessions name them
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
    understood = _understanding(intent, question, entities, language, 0.0)
    return understood.model_copy(update={"search_type": search_type_of(reading.rest, intent).value})


def _as_the_model_says(
    parsed: Parsed[ModelUnderstanding], question: str, facts: ConferenceFacts, now: datetime, language: str
) -> Understood:
    """The model's understanding, bounded and read again: its whole question, its words for time and place."""
    said = parsed.value
    if said.language in LANGUAGES:
        language = said.language
    whole = normalise(said.standalone_query)[:_MODEL_QUERY_CHARS] or question
    reading = _read(whole, facts, now, language)
    if not reading.spans and said.time:
        times = _read(normalise(said.time)[:100], facts, now, language)
        reading = replace(reading, spans=times.spans, time=times.time)
    if not reading.rooms and said.location:
        rooms = _read(f"in {normalise(said.location)[:100]}", facts, now, language)
        reading = replace(reading, rooms=rooms.rooms, location=rooms.location)
    understood = _decided(said.intent, whole, reading, facts, language)
    words = {
        "topics": [normalise(topic)[:100] for topic in said.topics[:_MODEL_WORDS]],
        "names": [normalise(name)[:100] for name in said.names[:_MODEL_WORDS]],
    }
    understood = understood.model_copy(
        update={
            "search_type": said.search_type.value,
            "confidence": 1.0,
            "decided_by": "model",
            "entities": understood.entities | words,
        }
    )
    return Understood(understood, parsed.usage)


def _understanding(intent: Intent, query: str, entities: Entities, language: str, confidence: float) -> Understanding:
    return Understanding(
        intent=intent.value,
        query=query,
        entities=entities.dump(),
        language=language,
        confidence=confidence,
        decided_by="rule",
    )

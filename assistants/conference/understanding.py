"""What a question asks for: by rule when nothing is asked, by the router when it is sure, else by the model.

Times, places and the kind of session are always read by code, from the visitor's words and from
the model's, so that the same words mean the same hours whoever understood them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from assistants.conference.conference_cache import read_facts
from assistants.conference.entities import Entities
from assistants.conference.facts import ConferenceFacts
from assistants.conference.intents import Intent
from assistants.conference.model_understanding import ask_model
from assistants.conference.question import (
    asks_for_people,
    asks_who,
    content_words,
    kind_in,
    kind_of_thing,
    names_in,
    normalise,
    says_something,
    search_type_of,
    subject_of,
    topics_in,
    without_advice,
)
from assistants.conference.reading import Reading, read_question
from assistants.conference.reference import asks_on, find_reference, leans_on_conversation, points_to_a_time
from assistants.conference.same_time import at_the_same_time
from assistants.interface import Guess, Understanding, Understood
from assistants.language import LANGUAGES, LanguageGuesser
from services.errors import ErleahError, ProviderError
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assistants.conference.mentioned import Mentioned
    from assistants.conference.model_understanding import ModelUnderstanding
    from assistants.interface import Toolbox, TurnView
    from assistants.router import Route, SemanticRouter
    from services.llm.calls import ChatMessage, Parsed
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


class Understander:
    """Understands questions. ``router`` and ``languages`` are shared by all turns of a process."""

    def __init__(self, router: SemanticRouter, languages: LanguageGuesser, prompts: PromptFiles) -> None:
        self._router = router
        self._languages = languages
        self._prompts = prompts

    async def guess(self, view: TurnView, toolbox: Toolbox) -> Guess:
        """What ``view.question`` asks for without a model, and whether that is sure enough to ask none."""
        question = normalise(view.question)
        earlier = [message.text for message in view.history if message.role == "user"]
        language = self._languages.guess(question, earlier)
        said = _says_nothing(question)
        if said is not None:
            entities = Entities(said=said)
            return Guess(_understanding(Intent.CLARIFICATION, question, entities, language, 1.0), sure=True)
        reading = read_question(question, await _facts(view, toolbox), view.now, language)
        if leans_on_conversation(question, view.history, reading.rest):
            return Guess(await self._from_conversation(view, question, reading), notes=reading)
        route = await self._route(question)
        sure = route is not None and route.sure
        return Guess(_by_route(route, question, reading), sure=sure, notes=reading)

    async def understand(self, view: TurnView, model: LanguageModel, toolbox: Toolbox) -> Understood:
        """What ``view.question`` asks for; failing services cost accuracy, never the turn."""
        guess = view.guess or await self.guess(view, toolbox)
        if guess.sure or not model.has_model:
            return Understood(guess.understanding)
        question = normalise(view.question)
        try:
            parsed = await ask_model(question, view.history, model, self._prompts)
        except ProviderError as error:
            log.warning("understand.without_model", reason=type(error).__name__)
            return Understood(guess.understanding)
        return _as_the_model_says(parsed, question, guess.notes)

    async def _route(self, question: str) -> Route | None:
        """The router's word, None while there is no embedder."""
        try:
            return await self._router.route(question)
        except ErleahError as error:
            log.warning("understand.without_router", reason=str(error))
            return None

    async def _from_conversation(self, view: TurnView, question: str, now: Reading) -> Understanding:
        """A leaning question without a model: the earlier topic, with what the new question says otherwise."""
        history = [said for said in view.history if said.role == "assistant" or _says_nothing(said.text) is None]
        reference = find_reference(question, history, lambda text: _again(text, now).rest)
        if reference.person:
            return _of_a_name(reference.person, Intent.SPEAKER_SEARCH, question, now)
        if reference.thing:
            return _of_a_thing(reference.thing, await self._route(question), question, now)
        if not reference.questions:
            return _by_route(await self._route(question), question, now)
        said = [normalise(earlier) for earlier in reference.questions]
        whole = " ".join((*said, question))
        asked = replace(now, rest="") if asks_on(question) else now
        reading = _again(said[0], now)
        for later in said[1:]:
            reading = _gone_on(reading, later, _again(later, now), history)
        reading = _gone_on(reading, question, asked, history)
        if points_to_a_time(question):
            return _decided(Intent.SESSION_SEARCH, whole, reading)
        route = _answerable(await self._route(said[0]))
        wanted, other_words = kind_of_thing(question)
        if route and route.intent not in _SEARCHES and content_words(now.rest):
            route = _answerable(await self._route(f"{question} {said[0]}"))
        if route and wanted and route.intent in _SEARCHES and not content_words(kind_in(other_words)[1]):
            # "and exhibitors?": the same topic, another kind of thing.
            topic = " ".join((*content_words(kind_of_thing(reading.rest)[1]), kind_in(reading.rest)[0] or ""))
            understood = _decided(wanted, whole, replace(reading, rest=topic))
            return understood.model_copy(update={"confidence": round(route.confidence, 4), "decided_by": "router"})
        understood = _by_route(route, whole, reading)
        if asks_who(question):
            understood = understood.model_copy(update={"entities": understood.entities | {"who": True}})
        return understood


_SEARCHES = frozenset({Intent.SESSION_SEARCH, Intent.EXHIBITOR_SEARCH, Intent.SPEAKER_SEARCH, Intent.RECOMMENDATION})


def _gone_on(reading: Reading, question: str, asked: Reading, history: Sequence[ChatMessage]) -> Reading:
    """What holds after one question more, which was read as ``asked``."""
    if points_to_a_time(question):
        return at_the_same_time(question, reading, history)
    return reading.gone_on_with(asked)


def _again(text: str, now: Reading) -> Reading:
    """An earlier question, read as if it were asked now."""
    return read_question(text, now.facts, now.clock, now.language)


def _of_a_thing(thing: Mentioned, route: Route | None, question: str, now: Reading) -> Understanding:
    """A question on a thing that an answer named."""
    about_all = route is not None and route.intent == Intent.GENERAL_INFO and content_words(now.rest)
    if about_all and thing.intent is not Intent.EXHIBITOR_SEARCH:
        # "Is it recorded?" is a question on the conference, whatever "it" is.
        return _by_route(route, question, now)
    answerable = _answerable(route)
    intent = thing.intent or (Intent(answerable.intent) if answerable else Intent.SESSION_SEARCH)
    if intent is Intent.SESSION_SEARCH and asks_for_people(question):
        intent = Intent.SPEAKER_SEARCH
    return _of_a_name(thing.title, intent, question, now)


def _of_a_name(name: str, intent: Intent, question: str, now: Reading) -> Understanding:
    """A question on one thing or person that was named before; what is asked of it is in its own data."""
    understood = _decided(intent, f"{name}: {question}", now.bare(name))
    entities = understood.entities | {"names": [name], "topic": name, "kind": None}
    return understood.model_copy(update={"search_type": "specific", "entities": entities})


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


def _answerable(route: Route | None) -> Route | None:
    """A follow-up goes on from something, so it is not for asking back."""
    return route.without(Intent.CLARIFICATION) if route and route.intent == Intent.CLARIFICATION else route


def _by_route(route: Route | None, question: str, reading: Reading) -> Understanding:
    """The router's intent. Unsure and nobody to ask, looking something up beats asking back."""
    if route is None:
        return _decided(Intent.SESSION_SEARCH, question, reading)
    if route.intent == Intent.CLARIFICATION and (not route.sure or reading.spans or reading.rooms):
        route = route.without(Intent.CLARIFICATION)
    understood = _decided(Intent(route.intent), question, reading)
    return understood.model_copy(update={"confidence": round(route.confidence, 4), "decided_by": "router"})


_OF_ITSELF = re.compile(
    r"\b(?:conference|event|congress|venue|konferenz|veranstaltung|conférence|congrès|congreso|evento)\b", re.IGNORECASE
)
"""What is asked of the conference itself, on whatever day."""


def _decided(intent: Intent, question: str, reading: Reading) -> Understanding:
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
    understood = _understanding(intent, question, entities, language, 0.0)
    return understood.model_copy(update={"search_type": search_type_of(reading.rest, intent).value})


def _as_the_model_says(parsed: Parsed[ModelUnderstanding], question: str, read: Reading) -> Understood:
    """The model's understanding, bounded and read again: its whole question, its words for time and place."""
    said = parsed.value
    facts, now, language = read.facts, read.clock, read.language
    if said.language in LANGUAGES:
        language = said.language
    whole = normalise(said.standalone_query)[:_MODEL_QUERY_CHARS] or question
    reading = read_question(whole, facts, now, language)
    if not reading.spans and said.time:
        times = read_question(normalise(said.time)[:100], facts, now, language)
        reading = replace(reading, spans=times.spans, time=times.time)
    if not reading.rooms and said.location:
        rooms = read_question(f"in {normalise(said.location)[:100]}", facts, now, language)
        reading = replace(reading, rooms=rooms.rooms, location=rooms.location)
    understood = _decided(said.intent, whole, reading)
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

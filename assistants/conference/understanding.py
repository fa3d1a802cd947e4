"""What a question asks for: by rule when nothing is asked, by the router when it is sure, else by the model.

Times, places and the kind of session are always read by code, from the visitor's words and from
the model's, so that the same words mean the same hours whoever understood them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from assistants.conference.conference_cache import read_facts
from assistants.conference.decided import by_route, decided, understanding_of
from assistants.conference.entities import Entities
from assistants.conference.facts import ConferenceFacts
from assistants.conference.follow_up import follow_up
from assistants.conference.intents import Intent
from assistants.conference.model_understanding import ask_model
from assistants.conference.question import normalise, says_something
from assistants.conference.reading import read_question
from assistants.conference.reference import leans_on_conversation
from assistants.interface import Guess, Understood
from assistants.language import LANGUAGES, LanguageGuesser
from services.errors import ErleahError, ProviderError
from services.llm.calls import Usage
from services.logging import get_logger

if TYPE_CHECKING:
    from assistants.conference.model_understanding import ModelUnderstanding
    from assistants.conference.reading import Reading
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
            return Guess(understanding_of(Intent.CLARIFICATION, question, entities, language, 1.0), sure=True)
        reading = read_question(question, await _facts(view, toolbox), view.now, language)
        if leans_on_conversation(question, view.history, reading.rest):
            asked = [said for said in view.history if said.role == "assistant" or _says_nothing(said.text) is None]
            return Guess(await follow_up(question, reading, asked, self._route), notes=reading)
        route = await self._route(question)
        sure = route is not None and route.sure
        return Guess(by_route(route, question, reading), sure=sure, notes=reading)

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
            return Understood(guess.understanding, error.usage or Usage())  # a failed call has cost something, too
        return _as_the_model_says(parsed, question, guess.notes)

    async def _route(self, question: str) -> Route | None:
        """The router's word, None while there is no embedder."""
        try:
            return await self._router.route(question)
        except ErleahError as error:
            log.warning("understand.without_router", reason=str(error))
            return None


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
    understood = decided(said.intent, whole, reading)
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

"""A question that leans on the conversation, understood without a model."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from assistants.conference.added_words import says_little
from assistants.conference.decided import answerable, by_route, decided
from assistants.conference.intents import Intent
from assistants.conference.mentioned import mentioned_in
from assistants.conference.pointers import asks_for_more, asks_on, points
from assistants.conference.question import asks_for_people, asks_who, content_words, kind_in, kind_of_thing, normalise
from assistants.conference.reference import find_reference
from assistants.conference.time_pointers import points_to_a_time, without_time_pointers
from assistants.conference.time_spoken_of import at_the_time_meant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from assistants.conference.mentioned import Mentioned
    from assistants.conference.reading import Reading
    from assistants.interface import Understanding
    from assistants.router import Route
    from services.llm.calls import ChatMessage

    Router = Callable[[str], Awaitable[Route | None]]

__all__ = ["follow_up"]

_SEARCHES = frozenset({Intent.SESSION_SEARCH, Intent.EXHIBITOR_SEARCH, Intent.SPEAKER_SEARCH, Intent.RECOMMENDATION})

_IN_ITS_DATA = re.compile(
    r"^\W*(?:(?:and|so|but|und|et|y)\s+)?(?:where|when|who|what time|(?:in |at )?(?:which|what) (?:room|hall|day)|"
    r"wo|wann|wer|um wie viel uhr|in welchem|où|quand|qui|à quelle heure|dans quelle|dónde|cuándo|quién|a qué hora|"
    r"en qué)\b",
    re.IGNORECASE,
)
"""What a session or a speaker tells itself, however much "where's that?" sounds like a question on the venue."""


async def follow_up(question: str, now: Reading, history: Sequence[ChatMessage], route_of: Router) -> Understanding:
    """The earlier topic, with what the new question says otherwise; ``now`` is that question as it stands.

    ``route_of`` gives the router's word on a question, None while it can't be asked.
    """
    reference = find_reference(question, history, lambda text: now.again(text).rest)
    if reference.person:
        return _of_names([reference.person], Intent.SPEAKER_SEARCH, question, now)
    if reference.things:
        return _of_things(reference.things, await route_of(question), question, now)
    if not reference.questions:
        return by_route(await route_of(question), question, now)
    return await _gone_on(question, now, history, reference.questions, route_of)


async def _gone_on(
    question: str, now: Reading, history: Sequence[ChatMessage], places: Sequence[int], route_of: Router
) -> Understanding:
    """The questions at these places of the history, one after the other, and then this one."""
    said = [normalise(history[place].text) for place in places]
    whole = " ".join((*said, question))
    route = answerable(await route_of(said[0]))
    own = await route_of(question)
    of_the_conference = own is not None and own.sure and own.intent == Intent.GENERAL_INFO
    if own and of_the_conference and route and route.intent in _SEARCHES and _names_its_topic(question, now):
        return by_route(own, question, now)  # "and parking?" after talks: the conference's own, not talks about it
    reading = now.again(said[0])
    for place, later in zip(places[1:], said[1:], strict=True):
        reading = _with_one_more(reading, later, now.again(later), history[:place])
    reading = _with_one_more(reading, question, now, history)
    if points_to_a_time(question) and not says_little(now.again(without_time_pointers(question)).rest):
        return decided(Intent.SESSION_SEARCH, whole, reading)
    wanted, other_words = kind_of_thing(question)
    if route and route.intent not in _SEARCHES and content_words(now.rest):
        route = answerable(await route_of(f"{question} {said[0]}"))
    if route and wanted and route.intent in _SEARCHES and not content_words(kind_in(other_words)[1]):
        # "and exhibitors?": the same topic, another kind of thing.
        topic = " ".join((*content_words(kind_of_thing(reading.rest)[1]), kind_in(reading.rest)[0] or ""))
        understood = decided(wanted, whole, replace(reading, rest=topic))
        return understood.model_copy(update={"confidence": round(route.confidence, 4), "decided_by": "router"})
    understood = by_route(route, whole, reading)
    if asks_for_more(question):
        answers = (said.text for said in history[places[0] :] if said.role == "assistant")
        known = dict.fromkeys(thing.title for answer in answers for thing in mentioned_in(answer))
        if len(known) > 1:  # "anything else?" after one thing or person asks for more about it
            understood = understood.model_copy(update={"entities": understood.entities | {"known": list(known)}})
    if asks_who(question):
        understood = understood.model_copy(update={"entities": understood.entities | {"who": True}})
    return understood


def _names_its_topic(question: str, asked: Reading) -> bool:
    """Whether it would say enough if it stood by itself."""
    return bool(content_words(asked.rest)) and not (points(question) or points_to_a_time(question))


def _with_one_more(reading: Reading, question: str, asked: Reading, history: Sequence[ChatMessage]) -> Reading:
    """What holds after one question more, which was read as ``asked`` and has ``history`` before it."""
    if points_to_a_time(question):
        return at_the_time_meant(question, reading, history)
    return reading.gone_on_with(replace(asked, rest="") if asks_on(question) else asked)


def _of_things(things: Sequence[Mentioned], route: Route | None, question: str, now: Reading) -> Understanding:
    """A question on things that an answer named."""
    intents = {thing.intent for thing in things}
    intent = intents.pop() if len(intents) == 1 else None
    about_all = route is not None and route.intent == Intent.GENERAL_INFO and content_words(now.rest)
    of_it = intent is Intent.EXHIBITOR_SEARCH or len(things) > 1 or (intent and _IN_ITS_DATA.match(question))
    if about_all and not of_it:
        # "Is it recorded?" is a question on the conference, whatever "it" is.
        return by_route(route, question, now)
    route = answerable(route)
    intent = intent or (Intent(route.intent) if route else Intent.SESSION_SEARCH)
    if intent is Intent.SESSION_SEARCH and asks_for_people(question):
        intent = Intent.SPEAKER_SEARCH
    return _of_names([thing.title for thing in things], intent, question, now)


def _of_names(names: list[str], intent: Intent, question: str, now: Reading) -> Understanding:
    """A question on things or a person named before; what is asked of them is in their own data."""
    topic = " · ".join(names)
    understood = decided(intent, f"{topic}: {question}", now.bare(topic))
    entities = understood.entities | {"names": names, "topic": topic, "kind": None}
    return understood.model_copy(update={"search_type": "specific", "entities": entities})

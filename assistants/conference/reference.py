"""Questions that lean on the conversation: "and on Friday?", "who speaks there?", "his other talk"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistants.conference.added_words import is_rejection, says_little
from assistants.conference.intents import Intent
from assistants.conference.mentioned import Mentioned, mentioned_in
from assistants.conference.pointers import asks_on, begins_on, counted_in, means_a_person, means_one, points
from assistants.conference.question import content_words
from assistants.conference.time_pointers import points_to_a_time, without_time_pointers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.llm.calls import ChatMessage

__all__ = ["Reference", "find_reference", "leans_on_conversation"]

_FEW = 3
_LOOK_BACK = 4


@dataclass(frozen=True, slots=True)
class Reference:
    """What a leaning question leans on: things or a person named before, or the questions before it.

    ``questions`` are places in the history. They begin with one that stood by itself; the others
    leaned on it in their turn.
    """

    things: tuple[Mentioned, ...] = ()
    person: str | None = None
    questions: tuple[int, ...] = ()


def leans_on_conversation(question: str, history: Sequence[ChatMessage], rest: str | None = None) -> bool:
    """Whether ``question`` can't be understood without what was said before.

    ``rest`` is the question without its times and places, where they are known: who says no more than
    "in Forum Hall" or "Thursday morning" goes on with something.
    """
    if not any(message.role == "user" for message in history):
        return False
    if asks_on(question) or points_to_a_time(question):
        return True
    if rest is not None and rest != question and says_little(rest):
        return True
    words = content_words(question)
    if (begins_on(question) or is_rejection(question)) and len(words) <= _FEW:
        return True
    return not words or (len(words) <= 2 * _FEW and points(question))


def find_reference(question: str, history: Sequence[ChatMessage], rest_of: Callable[[str], str]) -> Reference:
    """What it leans on, found without a model.

    "The second one" is the second of the last list that has so many; "his" is the person whom the
    last answer and the visitor spoke of; "there", "it" is the one thing the last answer named;
    anything else goes on from the last question that stood by itself. ``rest_of`` gives a question
    without its times and places.
    """
    pointing = without_time_pointers(question)
    answers = [mentioned_in(message.text) for message in reversed(history) if message.role == "assistant"][:_LOOK_BACK]
    counted = counted_in(pointing)
    if counted is not None:
        listed = next((things for things in answers if len(things) >= counted.least), [])
        if listed:
            return Reference(things=tuple(listed[counted.which]))
    said = [place for place, message in enumerate(history) if message.role == "user"]
    if means_a_person(pointing):
        person = _person_meant(answers, [history[place].text for place in said])
        if person:
            return Reference(person=person)
    last = answers[0] if answers else []
    if len(last) == 1 and means_one(pointing):
        return Reference(things=(_asked_about(history, said, rest_of) or last[0],))
    first = len(said) - 1
    while first > max(len(said) - _LOOK_BACK, 0) and _leaned(history, said[first], rest_of):
        first -= 1
    return Reference(questions=tuple(said[max(first, 0) :]))


def _leaned(history: Sequence[ChatMessage], place: int, rest_of: Callable[[str], str]) -> bool:
    """Whether the visitor's question there leaned on those before it."""
    question = history[place].text
    return leans_on_conversation(question, history[:place], rest_of(question))


def _asked_about(
    history: Sequence[ChatMessage], said: Sequence[int], rest_of: Callable[[str], str]
) -> Mentioned | None:
    """The session that the last question asked about, where only its speaker was the answer.

    "Who gives the first one?" is answered by a name; "where is it?" still means the session.
    """
    if not said or not _leaned(history, said[-1], rest_of):
        return None
    before = find_reference(history[said[-1]].text, history[: said[-1]], rest_of)
    if len(before.things) != 1 or before.things[0].intent is not Intent.SESSION_SEARCH:
        return None
    return before.things[0]


def _person_meant(answers: Sequence[Sequence[Mentioned]], said: Sequence[str]) -> str | None:
    """The one whom the visitor named, else the only one that the last answer which names anybody names."""
    named = [name for things in answers for thing in things for name in thing.people]
    for question in reversed(said):
        for name in named:
            if name.casefold() in question.casefold():
                return name
    for things in answers:
        people = dict.fromkeys(name for thing in things for name in thing.people)
        if people:
            return next(iter(people)) if len(people) == 1 else None
    return None

"""Questions that lean on the conversation: "and on Friday?", "who speaks there?", "his other talk"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistants.conference.mentioned import Mentioned, mentioned_in
from assistants.conference.question import content_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.llm.calls import ChatMessage

__all__ = ["SAME_TIME", "Reference", "asks_on", "find_reference", "leans_on_conversation", "points_to_a_time"]

_BEGINS = re.compile(
    r"^\W*(?:and|also|but|or|then|for|with|without|only|just|nur|seulement|uniquement|solo|sólo|"
    r"what about|how about|what else|anything else|any others?|more|und|oder|auch|"
    r"was ist mit|wie wäre|noch|"
    r"et|ou|aussi|qu'en est-il|y|o|también|qué tal)\b",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"\b(?:there|that (?:one|talk|session|workshop|tutorial|company|speaker|booth|room|day)|this (?:one|talk|"
    r"session|workshop|tutorial|company|speaker|booth)|"
    r"these|those|it|he|she|they|him|her|them|his|their|its|same|instead|stattdessen|plutôt|"
    r"the (?:first|second|third|fourth|fifth|last|other) (?:ones?|talks?|sessions?|tutorials?|exhibitors?|"
    r"company|companies|speakers?|booth|stand)|"
    r"the (?:first|second|third|fourth|fifth|last|other)(?=\W*$)|number (?:one|two|three|four|five|\d)|#\d|"
    r"dort|da|dieser|diese|dieses|diesen|er|sie|ihn|ihm|ihre?|seine?|davon|dazu|der (?:erste|zweite|dritte|letzte)|"
    r"die (?:erste|zweite|dritte|letzte)|"
    r"là-bas|celui-ci|celle-ci|celui-là|il|elle|ils|elles|son|sa|ses|le (?:premier|deuxième|troisième|dernier)|"
    r"la (?:première|"
    r"deuxième|troisième|dernière)|"
    r"allí|ahí|ese|esa|eso|este|esta|él|ella|ellos|su|sus|el (?:primero|segundo|tercero|último)|la (?:primera|segunda|"
    r"tercera|última))\b",
    re.IGNORECASE,
)
_EXPLETIVE = re.compile(
    r"\b(?:is|are|was|will|would|were) there\b|\bthere(?: is| are|'s|'re)\b|\bis it (?:possible|true|worth|ok)\b|"
    r"\bes gibt\b|\bil y a\b|\by a-t-il\b",
    re.IGNORECASE,
)
""""Is there a talk ...?" points at nothing."""

_NOUN = r"(?: (?:one|talk|session|tutorial|workshop|exhibitor|company|booth|stand|speaker|person)\b|(?=\W*$))"
_ORDINALS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE), index)
    for words, index in (
        ((rf"(?:the )?(?:first|1st){_NOUN}|number (?:one|1)|#1|(?:der|die|das|den) erste[ns]?|"
         r"le premier|la première|el primero|la primera"), 0),
        ((rf"(?:the )?(?:second|2nd){_NOUN}|number (?:two|2)|#2|(?:der|die|das|den) zweite[ns]?|"
         r"(?:le|la) (?:deuxième|seconde?)|el segundo|la segunda"), 1),
        ((rf"(?:the )?(?:third|3rd){_NOUN}|number (?:three|3)|#3|(?:der|die|das|den) dritte[ns]?|"
         r"(?:le|la) troisième|el tercero|la tercera"), 2),
        ((rf"(?:the )?(?:fourth|4th){_NOUN}|number (?:four|4)|#4|(?:der|die|das|den) vierte[ns]?|"
         r"(?:le|la) quatrième|el cuarto|la cuarta"), 3),
        ((rf"(?:the )?(?:fifth|5th){_NOUN}|number (?:five|5)|#5|(?:der|die|das|den) fünfte[ns]?|"
         r"(?:le|la) cinquième|el quinto|la quinta"), 4),
        ((rf"(?:the )?last{_NOUN}|(?:der|die|das|den) letzte[ns]?|le dernier|la dernière|el último|la última"), -1),
    )
)  # fmt: skip
_SINGULAR = re.compile(
    r"\b(?:it|he|she|they|him|her|them|his|its|their|there|that (?:one|talk|session|workshop|tutorial|company|"
    r"speaker|booth)|this (?:one|talk|session|workshop|tutorial|company|speaker|booth)|the (?:speaker|booth|room)|"
    r"dort|er|sie|ihn|dieser|diese|dieses|il|elle|là-bas|celui-ci|celle-ci|él|ella|ese|esa|allí)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"\b(?:he|she|him|her|his|hers|this (?:speaker|person)|that (?:speaker|person)|er|sie|ihn|ihm|ihre?|seine?[nm]?|"
    r"il|elle|lui|son|sa|ses|él|ella|su|sus)\b",
    re.IGNORECASE,
)
_ASKS_ON = re.compile(
    r"^\W*(?:(?:in |at |on )?(?:which|what) (?:room|hall|time|day|floor|booth|stand|company|level|track|language)|"
    r"when|where|who|how long|who (?:speaks|is speaking|presents|gives it|is (?:the|it) ?(?:speaker|by)?)|tell me more|"
    r"more|more details|welche[rs]? (?:raum|saal|tag|stand)|in welchem (?:raum|saal)|wann|wo|wer|wer spricht|"
    r"um wie viel uhr|wie lange|mehr|où|quand|qui|qui parle|quelle salle|dans quelle salle|à quelle heure|"
    r"combien de temps|dónde|cuándo|"
    r"quién|quién habla|qué sala|en qué sala|a qué hora)\W*$",
    re.IGNORECASE,
)
"""Nobody begins a conversation with "Which room?"."""
SAME_TIME = re.compile(
    r"\b(?:at|around|during) (?:that|this|the(?: very)? same) time\b|"
    r"\b(?:zur|um die) (?:selben|gleichen|gleiche|selbe) zeit\b|\bum diese zeit\b|\bgleichzeitig\b|"
    r"\bà (?:la même heure|cette heure-là|ce moment-là)|\ben même temps\b|"
    r"\ba (?:la misma|esa) hora\b|\bal mismo tiempo\b",
    re.IGNORECASE,
)
"""What points at a time that was spoken of."""
_SMALL_WORDS = frozenset(
    re.findall(
        r"\w+",
        "and or but only just please on in at the then also with, und oder aber nur am im um der die das dann auch "
        "et ou mais seulement le la les en à au dans, y o pero solo sólo el los las por a de del",
    )
)
_FEW = 3
_LOOK_BACK = 4


@dataclass(frozen=True, slots=True)
class Reference:
    """What a leaning question leans on: a thing or a person named before, or the questions before it.

    ``questions`` begin with one that stood by itself; the others leaned on it in their turn.
    """

    thing: Mentioned | None = None
    person: str | None = None
    questions: tuple[str, ...] = ()


def leans_on_conversation(question: str, history: Sequence[ChatMessage], rest: str | None = None) -> bool:
    """Whether ``question`` can't be understood without what was said before.

    ``rest`` is the question without its times and places, where they are known: who says no more than
    "in Forum Hall" or "Thursday morning" goes on with something.
    """
    if not any(message.role == "user" for message in history):
        return False
    if asks_on(question) or points_to_a_time(question):
        return True
    if rest is not None and rest != question and is_fragment(rest):
        return True
    plain = _EXPLETIVE.sub(" ", question)
    words = content_words(plain)
    if _BEGINS.search(plain) and len(words) <= _FEW:
        return True
    if len(words) <= 2 * _FEW and (_POINTS.search(plain) or any(pattern.search(plain) for pattern, _ in _ORDINALS)):
        return True
    return not words


def points_to_a_time(question: str) -> bool:
    """Whether it asks for what is on at the time that was spoken of."""
    return SAME_TIME.search(question) is not None


def is_fragment(rest: str) -> bool:
    """Whether nothing is left of a question but small words."""
    return all(word.lower() in _SMALL_WORDS for word in re.findall(r"\w+", rest))


def asks_on(question: str) -> bool:
    """Whether it is a bare "Which room?", "when?" or "tell me more": all its words ask, none names a topic."""
    return _ASKS_ON.match(question) is not None


def find_reference(question: str, history: Sequence[ChatMessage], rest_of: Callable[[str], str]) -> Reference:
    """What it leans on, found without a model.

    "The second one" is the second of the last list that has so many; "his" is the person whom the
    last answer and the visitor spoke of; "there", "it" is the one thing the last answer named;
    anything else goes on from the last question that stood by itself. ``rest_of`` gives a question
    without its times and places.
    """
    answers = [mentioned_in(message.text) for message in reversed(history) if message.role == "assistant"][:_LOOK_BACK]
    for pattern, index in _ORDINALS:
        if pattern.search(question):
            least = index + 1 if index >= 0 else 2
            listed = next((things for things in answers if len(things) >= least), [])
            if listed:
                return Reference(thing=listed[index])
    said = [message.text for message in history if message.role == "user"]
    plain = _EXPLETIVE.sub(" ", question)
    if _PERSON.search(plain):
        person = _person_meant(answers, said)
        if person:
            return Reference(person=person)
    last = answers[0] if answers else []
    if len(last) == 1 and (_SINGULAR.search(plain) or asks_on(question)):
        return Reference(thing=last[0])
    first = len(said) - 1
    while first > max(len(said) - _LOOK_BACK, 0) and _leaned(history, first, rest_of):
        first -= 1
    return Reference(questions=tuple(said[max(first, 0) :]))


def _leaned(history: Sequence[ChatMessage], number: int, rest_of: Callable[[str], str]) -> bool:
    """Whether the visitor's question of that number leaned on those before it."""
    places = [index for index, message in enumerate(history) if message.role == "user"]
    question = history[places[number]].text
    return leans_on_conversation(question, history[: places[number]], rest_of(question))


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

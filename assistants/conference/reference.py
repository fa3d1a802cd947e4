"""Questions that lean on the conversation: "and on Friday?", "who speaks there?", "the second one"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistants.conference.question import content_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.llm.calls import ChatMessage

__all__ = ["Reference", "find_reference", "leans_on_conversation"]

_BEGINS = re.compile(
    r"^\W*(?:and|also|but|or|then|what about|how about|what else|anything else|any others?|more|und|oder|auch|"
    r"was ist mit|wie wäre|noch|"
    r"et|ou|aussi|qu'en est-il|y|o|también|qué tal)\b",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"\b(?:there|that (?:one|talk|session|workshop|tutorial|company|speaker|booth|room|day)|this (?:one|talk|"
    r"session|workshop|tutorial|company|speaker|booth)|"
    r"these|those|it|he|she|they|him|her|them|his|their|its|same|the (?:first|second|third|fourth|fifth|last|"
    r"other) (?:one|talk|session|company|speaker)|"
    r"dort|da|dieser|diese|dieses|diesen|er|sie|ihn|ihm|ihr|davon|dazu|der (?:erste|zweite|dritte|letzte)|"
    r"die (?:erste|zweite|dritte|letzte)|"
    r"là-bas|celui-ci|celle-ci|celui-là|il|elle|ils|elles|le (?:premier|deuxième|troisième|dernier)|la (?:première|"
    r"deuxième|troisième|dernière)|"
    r"allí|ahí|ese|esa|eso|este|esta|él|ella|ellos|el (?:primero|segundo|tercero|último)|la (?:primera|segunda|"
    r"tercera|última))\b",
    re.IGNORECASE,
)
_EXPLETIVE = re.compile(
    r"\b(?:is|are|was|will|would|were) there\b|\bthere(?: is| are|'s|'re)\b|\bis it (?:possible|true|worth|ok)\b|"
    r"\bes gibt\b|\bil y a\b|\by a-t-il\b",
    re.IGNORECASE,
)
""""Is there a talk ...?" points at nothing."""

_ORDINALS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(rf"\b(?:{words})\b", re.IGNORECASE), index)
    for words, index in (
        ((r"(?:the )?first(?: one| talk| session| company| speaker)|number one|#1|der erste|die erste|das erste|"
         r"le premier|la première|el primero|la primera"), 0),
        ((r"(?:the )?second(?: one| talk| session| company| speaker)|number two|#2|der zweite|die zweite|das zweite|"
         r"le deuxième|la deuxième|el segundo|la segunda"), 1),
        ((r"(?:the )?third(?: one| talk| session| company| speaker)|number three|#3|der dritte|die dritte|"
         r"das dritte|le troisième|la troisième|el tercero|la tercera"), 2),
        (r"(?:the )?fourth(?: one| talk| session)|number four|#4|der vierte|die vierte", 3),
        ((r"(?:the )?last(?: one| talk| session| company| speaker)|der letzte|die letzte|das letzte|le dernier|"
         r"la dernière|el último|la última"), -1),
    )
)  # fmt: skip
_SINGULAR = re.compile(
    r"\b(?:it|he|she|him|her|his|its|there|that (?:one|talk|session|workshop|tutorial|company|speaker|booth)|"
    r"this (?:one|talk|session|company|speaker)|"
    r"dort|er|sie|ihn|dieser|diese|dieses|il|elle|là-bas|celui-ci|celle-ci|él|ella|ese|esa|allí)\b",
    re.IGNORECASE,
)
_LISTED = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+\*\*(?P<title>[^*\n]{2,200})\*\*", re.MULTILINE)
_BOLD = re.compile(r"\*\*(?P<title>[^*\n]{2,200})\*\*")
_FEW = 3
_LOOK_BACK = 4


@dataclass(frozen=True, slots=True)
class Reference:
    """What a leaning question leans on: the thing it points at, or the questions before it.

    ``questions`` begin with one that stood by itself; the others leaned on it in their turn.
    """

    thing: str | None = None
    questions: tuple[str, ...] = ()


def leans_on_conversation(question: str, history: Sequence[ChatMessage]) -> bool:
    """Whether ``question`` can't be understood without what was said before."""
    if not any(message.role == "user" for message in history):
        return False
    plain = _EXPLETIVE.sub(" ", question)
    words = content_words(plain)
    if _BEGINS.search(plain) and len(words) <= _FEW:
        return True
    if _POINTS.search(plain) and len(words) <= 2 * _FEW:
        return True
    return not words


def find_reference(question: str, history: Sequence[ChatMessage]) -> Reference:
    """What it leans on, found without a model.

    "The second one" is the second of the last answer's list; "there", "it", "she" is the one thing
    the last answer named first; anything else goes on from the last question that stood by itself.
    """
    answer = next((message.text for message in reversed(history) if message.role == "assistant"), "")
    listed = [_plain(match["title"]) for match in _LISTED.finditer(answer)]
    for pattern, index in _ORDINALS:
        if pattern.search(question) and listed and (index < 0 or index < len(listed)):
            return Reference(thing=listed[index])
    named = listed or [_plain(match["title"]) for match in _BOLD.finditer(answer)]
    if _SINGULAR.search(_EXPLETIVE.sub(" ", question)) and len(named) == 1:
        return Reference(thing=named[0])
    said = [message for message in history if message.role == "user"]
    first = len(said) - 1
    while first > max(len(said) - _LOOK_BACK, 0) and leans_on_conversation(said[first].text, said[:first]):
        first -= 1
    return Reference(questions=tuple(message.text for message in said[max(first, 0) :]))


def _plain(title: str) -> str:
    return title.replace("\\", "").strip()

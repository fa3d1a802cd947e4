"""Words for a time that only the conversation tells: "at the same time", "an hour later", "after that"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["SAME_TIME", "Move", "move_in", "points_to_a_time", "without_time_pointers"]

SAME_TIME = re.compile(
    r"\b(?:at|around|during) (?:that|this|the(?: very)? same) time\b|"
    r"\b(?:zur|um die) (?:selben|gleichen|gleiche|selbe) zeit\b|\bum diese zeit\b|\bgleichzeitig\b|"
    r"\bà (?:la même heure|cette heure-là|ce moment-là)|\ben même temps\b|"
    r"\ba (?:la misma|esa) hora\b|\bal mismo tiempo\b",
    re.IGNORECASE,
)
"""What points at a time that was spoken of."""

_NUMBERS = {
    "half an": 0.5, "half a": 0.5, "eine halbe": 0.5, "une demi": 0.5, "media": 0.5,
    "a": 1, "an": 1, "one": 1, "the": 1, "ein": 1, "eine": 1, "einen": 1, "un": 1, "une": 1, "una": 1,
    "two": 2, "a couple of": 2, "zwei": 2, "deux": 2, "dos": 2,
    "three": 3, "drei": 3, "trois": 3, "tres": 3,
    "four": 4, "vier": 4, "quatre": 4, "cuatro": 4,
    "five": 5, "fünf": 5, "cinq": 5, "cinco": 5,
}  # fmt: skip
_UNITS = {"hour": timedelta(hours=1), "minute": timedelta(minutes=1), "day": timedelta(days=1)}
_UNIT_WORDS = {
    "hour": r"hours?|hrs?|stunden?|heures?|horas?",
    "minute": r"minutes?|mins?|minuten?|minutos?",
    "day": r"days?|tage?|jours?|días?",
}
_LATER = (
    r"later(?: on)?|afterwards?|after (?:that|this|it)|after(?=\W*$)|später|danach|plus tard|"
    r"après(?: (?:ça|cela))?(?=\W*$)|más tarde|después(?: de eso)?(?=\W*$)"
)
_EARLIER = (
    r"earlier|sooner|beforehand|before (?:that|this|it)|before(?=\W*$)|früher|davor|vorher|zuvor|plus tôt|"
    r"avant(?: (?:ça|cela))?(?=\W*$)|más temprano|antes(?: de eso)?(?=\W*$)"
)
_BY = re.compile(
    rf"\b(?P<n>\d{{1,3}}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})[\s-]+"
    rf"(?:{'|'.join(f'(?P<{unit}>{words})' for unit, words in _UNIT_WORDS.items())})\s+"
    rf"(?:(?P<later>{_LATER})|(?P<earlier>{_EARLIER}))(?!\w)",
    re.IGNORECASE,
)
""""An hour later", but not "an hour before lunch": that time is known by itself."""

_ENDS = r"(?=\s*(?:[?!.,;]|$|(?:in|on|at|im|am|en|dans|à)\b))"
_THING = r"(?: (?:one|talk|session|tutorial|workshop|keynote|panel))?"
_FOLLOWS = r"(?:(?:comes?|follows?|happens|is next|next|right|directly|kommt|folgt|läuft|vient|viene|sigue)\s+)*"
_BESIDE = re.compile(
    rf"\b{_FOLLOWS}(?:(?P<later>(?:after|following) (?:that|this|it){_THING}{_ENDS}|afterwards|danach|"
    rf"im anschluss(?: daran)?|anschließend|nach (?:dem|der|diesem|dieser){_ENDS}|après (?:ça|cela|celui-ci|celle-ci)|"
    rf"ensuite|après(?=\W*$)|después de (?:eso|esa|ese)|después(?=\W*$)|luego)|"
    rf"(?P<earlier>before (?:that|this|it){_THING}{_ENDS}|beforehand|davor|vorher|vor (?:dem|der|diesem|dieser){_ENDS}|"
    rf"avant (?:ça|cela|celui-ci|celle-ci)|avant(?=\W*$)|antes de (?:eso|esa|ese)|antes(?=\W*$)))(?!\w)",
    re.IGNORECASE,
)
""""What comes after that?" asks for nothing but that time: its verb is no topic."""
_ALONE = re.compile(
    r"^\W*(?:(?:and|or|but|what about|how about|what|is there|anything|something|any|und|oder|was ist mit|etwas|"
    r"gibt es|et|ou|y|o|algo|qué tal|quelque chose(?: de)?)\s+)*"
    r"(?:(?P<later>later(?: on)?|später|plus tard|más tarde)|"
    r"(?P<earlier>earlier(?: on)?|sooner|früher|plus tôt|más temprano))(?: ones?)?\W*$",
    re.IGNORECASE,
)
""""What about earlier?": nothing else is said. "Later today" is a time by itself."""
_CLAUSE = re.compile(r"\w+\W+\w+[^,.;:!?]*[,.;:!?]\s")
""""I arrive at ten, what is on after that?" tells of the time itself."""


@dataclass(frozen=True, slots=True)
class Move:
    """From the time that was spoken of to another.

    ``by`` is how far, signed; None stands for all of that day that is on the one side of it, which
    ``later`` tells. ``alone`` is a bare "later": it moves only where a time was spoken of. ``rest`` is
    the question without these words.
    """

    rest: str
    later: bool
    by: timedelta | None = None
    alone: bool = False


def move_in(question: str) -> Move | None:
    """What a question says of another time that hangs on the one before; None where it says nothing of that kind."""
    by = _BY.search(question)
    if by is not None:
        unit = next(length for name, length in _UNITS.items() if by[name])
        number = by["n"].lower()
        length = unit * (int(number) if number.isdigit() else _NUMBERS[number])
        later = by["later"] is not None
        return Move(_cut(question, by), later, length if later else -length)
    alone = _ALONE.match(question)
    if alone is not None:
        return Move("", alone["later"] is not None, alone=True)
    beside = _BESIDE.search(question)
    if beside is None or _CLAUSE.search(question[: beside.start()]):
        return None
    return Move(_cut(question, beside), beside["later"] is not None)


def points_to_a_time(question: str) -> bool:
    """Whether it means a time that only the conversation tells."""
    return SAME_TIME.search(question) is not None or move_in(question) is not None


def without_time_pointers(question: str) -> str:
    """The question without them: the "that" of "after that" points at no thing."""
    move = move_in(question)
    return SAME_TIME.sub(" ", move.rest if move else question)


def _cut(text: str, found: re.Match[str]) -> str:
    left = f"{text[: found.start()]} {text[found.end() :]}"
    return re.sub(r"\s+([?!.,;:])", r"\1", " ".join(left.split())).strip(" ,;")

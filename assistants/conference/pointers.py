"""Words that point at what was said before: "there", "the second one", "the last two", "in the other hall"."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "Counted",
    "OtherPlace",
    "asks_for_more",
    "asks_on",
    "begins_on",
    "counted_in",
    "means_a_person",
    "means_one",
    "other_place_in",
    "points",
    "without_ordinals",
]

_BEGINS = re.compile(
    r"^\W*(?:and|also|but|or|then|for|with|without|only|just|nur|seulement|uniquement|solo|sólo|"
    r"what about|how about|what else|(?:any|some)thing (?:else|for|less|more)|any others?|more|und|oder|auch|"
    r"was ist mit|wie wäre|noch|etwas (?:für|anderes)|"
    r"et|ou|aussi|qu'en est-il|quelque chose (?:pour|de plus)|y|o|también|qué tal|algo (?:para|más))\b",
    re.IGNORECASE,
)
""""Something for beginners" narrows what was asked for; "something about Rust" is a topic of its own."""
_ONE = (
    r"that (?:one|talk|session|workshop|tutorial|company|speaker|booth)|"
    r"this (?:one|talk|session|workshop|tutorial|company|speaker|booth)|"
    r"(?<!after )(?<!before )(?:that|this)(?=\W*$)|(?<=is )that|(?<=was )that|(?<=does )that|(?<=will )that|"
    r"(?<=can )that|"
    r"(?:der|die|das|den|dem)(?=\W*$)|(?:ça|cela)(?=\W*$)"
)
""""Where's that?" and "is that recorded?", but not "a talk that ...": there it joins two sentences."""
_POINTS = re.compile(
    rf"\b(?:there|that (?:room|day)|{_ONE}|"
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
_NUMBERS = {
    "two": 2, "zwei": 2, "beiden": 2, "deux": 2, "dos": 2, "three": 3, "drei": 3, "trois": 3, "tres": 3,
    "four": 4, "vier": 4, "quatre": 4, "cuatro": 4, "five": 5, "fünf": 5, "cinq": 5, "cinco": 5,
}  # fmt: skip
_N = rf"(?P<n>{'|'.join(_NUMBERS)}|[2-5])"
_RUN = re.compile(
    rf"\b(?:(?:the|die|den|les|los|las) )?(?:(?P<first>first|erste[nr]?|premi(?:er|ère)s|primer[oa]s)|"
    rf"(?P<last>last|letzte[nr]?|derni(?:er|ère)s|últim[oa]s)) {_N}(?:{_NOUN}|s\b|(?=\W))|"
    rf"\b(?:les|los|las) (?P<n2>deux|trois|dos|tres) (?:(?P<first2>premi(?:er|ère)s|primer[oa]s)|"
    rf"(?P<last2>derni(?:er|ère)s|últim[oa]s))\b",
    re.IGNORECASE,
)
_SINGULAR = re.compile(
    rf"\b(?:it|he|she|they|him|her|them|his|its|their|there|{_ONE}|the (?:speaker|booth|room)|"
    r"dort|er|sie|ihn|dieser|diese|dieses|il|elle|là-bas|celui-ci|celle-ci|él|ella|ese|esa|eso|allí)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"\b(?:he|she|him|her|his|hers|this (?:speaker|person)|that (?:speaker|person)|er|sie|ihn|ihm|ihre?|seine?[nm]?|"
    r"il|elle|lui|son|sa|ses|él|ella|su|sus)\b",
    re.IGNORECASE,
)
_ASKS_ON = re.compile(
    r"^\W*(?:(?:and|so|und|et|y)\s+)?(?:(?:in |at |on )?(?:which|what) (?:room|hall|time|day|floor|"
    r"booth|stand|company|level|track|language)|"
    r"when|where|who|how long|who (?:speaks|is speaking|presents|gives it|is (?:the|it) ?(?:speaker|by)?)|tell me more|"
    r"more|more details|welche[rs]? (?:raum|saal|tag|stand)|in welchem (?:raum|saal)|wann|wo|wer|wer spricht|"
    r"um wie viel uhr|wie lange|mehr|où|quand|qui|qui parle|quelle salle|dans quelle salle|à quelle heure|"
    r"combien de temps|dónde|cuándo|"
    r"quién|quién habla|qué sala|en qué sala|a qué hora)\W*$",
    re.IGNORECASE,
)
"""Nobody begins a conversation with "Which room?"."""
_OTHER_PLACE = re.compile(
    r"\b(?:(?:in|at|inside|im|in der|in den|dans|en)\s+)?"
    r"(?P<words>(?:the\s+|an|la\s+|las\s+|les\s+|l['\u2019])?(?:other|andere[nrsm]?|autres?|otr[oa]s?)\s+"
    r"(?P<noun>room|hall|auditorium|place|saal|säle|raum|räume|halle|salle|sala|lugar)\w*)\b",
    re.IGNORECASE,
)


_MORE = re.compile(
    r"\b(?:(?:any|some)(?:thing|body|one) else|what else|who else|(?:any|some) (?:others?|more)|more(?=\W*$)|"
    r"(?:noch|sonst) (?:etwas|was|jemand|mehr|andere\w*)|(?:etwas|was|jemand) ander\w+|(?:autre chose|d'autres)|"
    r"(?:algo|alguien|qué) más|otr[oa]s(?=\W*$))\b",
    re.IGNORECASE,
)
""""Anything else on that?" wants what was not shown yet."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Which of a list are meant; ``least`` is how many it must have for the words to make sense."""

    which: slice
    least: int


@dataclass(frozen=True, slots=True)
class OtherPlace:
    """Another place than that spoken of: the words for it, what kind it is, and the question without them."""

    words: str
    noun: str
    rest: str


def begins_on(question: str) -> bool:
    """Whether it begins as one does who goes on: "and ...", "what about ..."."""
    return _BEGINS.search(question) is not None


def points(question: str) -> bool:
    """Whether a word of it points at something said before."""
    plain = _EXPLETIVE.sub(" ", question)
    return (
        _POINTS.search(plain) is not None or counted_in(plain) is not None or _OTHER_PLACE.search(question) is not None
    )


def means_one(question: str) -> bool:
    """Whether it speaks of one thing ("it", "that", "there"), or asks on without naming any."""
    return _SINGULAR.search(_EXPLETIVE.sub(" ", question)) is not None or asks_on(question)


def means_a_person(question: str) -> bool:
    """Whether it speaks of somebody: "his other talk"."""
    return _PERSON.search(_EXPLETIVE.sub(" ", question)) is not None


def asks_on(question: str) -> bool:
    """Whether it is a bare "Which room?", "when?" or "tell me more": all its words ask, none names a topic."""
    return _ASKS_ON.match(question) is not None


def asks_for_more(question: str) -> bool:
    """Whether something else is wanted than was shown already."""
    return _MORE.search(question) is not None


def counted_in(question: str) -> Counted | None:
    """The places in a list that are named: "the second one", "the last two"."""
    run = _RUN.search(question)
    if run is not None:
        said = (run["n"] or run["n2"]).lower()
        count = int(said) if said.isdigit() else _NUMBERS[said]
        return Counted(slice(count) if run["first"] or run["first2"] else slice(-count, None), count)
    for pattern, index in _ORDINALS:
        if pattern.search(question):
            return Counted(slice(index, index + 1 or None), index + 1 if index >= 0 else 2)
    return None


def without_ordinals(text: str) -> str:
    """The text without "the second one" and its like: a place in a list is nothing to search for."""
    text = _RUN.sub(" ", text)
    for pattern, _ in _ORDINALS:
        text = pattern.sub(" ", text)
    return text


def other_place_in(text: str) -> OtherPlace | None:
    """What a question says of another place than the one spoken of; None where it says nothing of that kind."""
    found = _OTHER_PLACE.search(text)
    if found is None:
        return None
    rest = " ".join(f"{text[: found.start()]} {text[found.end() :]}".split())
    return OtherPlace(found["words"], found["noun"].lower(), rest)

"""A question's plain surface: cleaned, and what can be told from its words alone."""

from __future__ import annotations

import re
import unicodedata
from importlib.resources import files

from assistants.conference.intents import Intent, SearchType

__all__ = [
    "asks_for_people",
    "asks_who",
    "content_words",
    "kind_in",
    "kind_of_thing",
    "names_in",
    "normalise",
    "says_something",
    "search_type_of",
    "subject_of",
    "topics_in",
    "with_topic",
    "without_advice",
]

MAX_CHARS = 2000
"""What is read of a question. Longer ones are answered by their beginning: embedders cut them anyway
(MiniLM at 256 tokens) and nobody asks in more."""

_KEPT_FORMAT = frozenset({"\u200d", "\u200c"})
"""Joiners hold emoji and Indic words together; all other control and format characters go."""

_QUOTED = re.compile(r"[\"“„«‟]([^\"“”„«»]{2,80})[\"”“»]")
_NAME = re.compile(
    r"(?:[A-ZÀ-ÞŁŚŻŽŠČ][\w.\u2019'-]*|\d[\w.]*)(?:\s+(?:[A-ZÀ-ÞŁŚŻŽŠČ][\w.\u2019'-]*|\d[\w.]*|de|van|von|der|la|del|"
    r"and(?=\s[A-Z])))*"
)
_UNUSUAL = re.compile(r"\d|.[A-ZÀ-Þ]|\.\w")
_POSSESSIVE = re.compile(r"['\u2019](?:s|m|d|ve|re|ll)?$")
_SENTENCE_STARTS = re.compile(r"(?:^|[.!?:]\s+)\W*$")
_ABOUT = re.compile(
    r"\b(?:about|on|cover(?:s|ing)?|regarding|concerning|deal(?:s|ing)? with|related to|with|über|zu|zum thema|sur|"
    r"à propos de|sobre|acerca de)"
    r"\s+(?P<topic>[^?.!,;]{2,80})",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_][\w'\u2019+#.-]*")
_TARGET = re.compile(
    r"\b(?:when|what time|where(?! can i learn| do i| should)|which (?:room|speakers?|exhibitors?|talks?|sessions?|"
    r"tutorials?|workshops?|keynotes?|panels?|booth)|what room|who (?:is|teaches|sits|gives|from)|"
    r"is there an? (?:talk|session|tutorial|workshop|keynote|panel|booth|stand)|are there (?:any )?(?:talks|"
    r"sessions|tutorials|workshops)|"
    r"wann|wo (?:ist|sind)|welche[rs]? (?:vortrag|vorträge|sprecher|aussteller|raum)|gibt es (?:einen|"
    r"eine) (?:vortrag|stand)|"
    r"quand|où|à quelle heure|quelles? (?:conférences?|sessions?|salle)|quels? (?:exposants?|intervenants?|orateurs?)|"
    r"cuándo|dónde|a qué hora|qué (?:charlas?|sesi\w+|expositores|ponentes|sala)|quién es)\b",
    re.IGNORECASE,
)
_NEED = re.compile(
    r"\b(?:i|i'm|i'd|i've|my|me|we|we're|we'd|our|us|recommend\w*|suggest\w*|should|help|interest\w*|ich|mir|"
    r"mein\w*|wir|uns\w*|empfehl\w*|helfen|"
    r"je|j'\w+|mon|ma|mes|nous|notre|nos|recommand\w*|conseill\w*|aider|mi|mis|yo|nosotros|nuestr\w+|recomiend\w*|"
    r"ayudar\w*|what helps|learn)\b",
    re.IGNORECASE,
)
_WHO = re.compile(r"^\W*(?:who|whom|wer|wen|wem|qui|quién|quiénes)\b|\bwho (?:can|could|knows|should)\b", re.IGNORECASE)


def _words(file: str) -> frozenset[str]:
    text = (files("assistants.conference") / "words" / file).read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


_EMPTY_WORDS = _words("empty.txt")
_ADVICE_WORDS = _words("advice.txt")


def normalise(text: str) -> str:
    """The question without control characters, in one line of single blanks, at most MAX_CHARS long."""
    text = unicodedata.normalize("NFC", text[: MAX_CHARS * 4])
    kept = (
        " " if char.isspace() else char
        for char in text
        if char.isspace() or char in _KEPT_FORMAT or not unicodedata.category(char).startswith("C")
    )
    return re.sub(r" +", " ", "".join(kept)).strip()[:MAX_CHARS]


def says_something(text: str) -> bool:
    """Whether there is any letter or digit in it; "?!" and emoji alone ask for nothing."""
    return any(char.isalnum() for char in text)


def content_words(text: str) -> list[str]:
    """The words that carry a topic, lower case: "What is on?" has none."""
    words = (word.strip(".'\u2019-").lower() for word in _WORD.findall(text))
    return [word for word in words if word and word not in _EMPTY_WORDS]


def subject_of(text: str, language: str) -> str:
    """What to search for: an English question as it stands, another language's words without its small ones.

    Small English embedders know words of other languages that look like theirs ("Datenbanken") and
    are led astray by all the rest; multilingual ones lose little.
    """
    if language not in {"de", "fr", "es"}:
        return text
    words = (word.strip(".'\u2019-") for word in _WORD.findall(text))
    return " ".join(word for word in words if word.lower() not in _EMPTY_WORDS) or text


def names_in(text: str, language: str = "en") -> list[str]:
    """What looks like a name: quoted, or written with capitals inside a sentence ("Armin Ronacher", "PEP 639").

    German writes every noun so; there a name must be longer, or have a digit or a capital within.
    """
    found = [match[1].strip() for match in _QUOTED.finditer(text)]
    for match in _NAME.finditer(text):
        name = _POSSESSIVE.sub("", match[0].strip(" .'-"))
        if _SENTENCE_STARTS.search(text[: match.start()]):
            # The first word of a sentence is capital anyway; what follows it may be a name.
            first, _, rest = name.partition(" ")
            name = rest if first.lower() in _EMPTY_WORDS or not rest else name
        while language == "de" and " " in name and name.split(" ", 1)[0].lower() in _EMPTY_WORDS:
            name = name.split(" ", 1)[1]  # "zum Thema Testen"
        if language == "de" and " " not in name and not _UNUSUAL.search(name):
            continue
        if len(name) > 1 and name.lower() not in _EMPTY_WORDS and not name.isdigit():
            found.append(name)
    return list(dict.fromkeys(found))[:10]


def topics_in(text: str) -> list[str]:
    """What the question says it is about ("talks about testing"), else all its words that carry a topic."""
    about = [match["topic"].strip() for match in _ABOUT.finditer(text)]
    topics = [" ".join(content_words(topic)) for topic in about]
    found = [topic for topic in topics if topic]
    return list(dict.fromkeys(found))[:10] or ([" ".join(content_words(text))[:200]] if content_words(text) else [])


def with_topic(text: str, topic: str) -> str | None:
    """The question about another topic; None when there is no "about ..." in it, or no topic."""
    match = _ABOUT.search(text)
    return f"{text[: match.start('topic')]}{topic}{text[match.end('topic') :]}" if match and topic else None


def without_advice(words: list[str]) -> list[str]:
    """The topic's words without those that only ask for advice: "What should I not miss?" has none left."""
    return [word for word in words if word not in _ADVICE_WORDS]


def search_type_of(text: str, intent: str) -> SearchType:
    """Specific when the question names its target, vague when it tells a need.

    A need outweighs a question word ("Which stands could help us?"), a name outweighs a need only
    where nobody asks for advice.
    """
    if intent == Intent.RECOMMENDATION:
        return SearchType.VAGUE
    if _NEED.search(text) and not _QUOTED.search(text):
        return SearchType.VAGUE if not names_in(text) else SearchType.SPECIFIC
    if _TARGET.search(text) or names_in(text) or _ABOUT.search(text):
        return SearchType.SPECIFIC
    return SearchType.VAGUE if len(content_words(text)) > 3 else SearchType.SPECIFIC  # noqa: PLR2004 - a keyword or two


def asks_who(text: str) -> bool:
    """Whether a person is wanted."""
    return bool(_WHO.search(text))


_PEOPLE = re.compile(
    r"\b(?:who|whom|speakers?|presenters?|instructors?|gives it|wer|wen|sprecher\w*|referent\w*|qui|intervenante?s?|"
    r"orat(?:eur|rice)s?|quién|quiénes|ponentes?|oradore?s?)\b",
    re.IGNORECASE,
)


def asks_for_people(text: str) -> bool:
    """Whether those who give a session are wanted: "who is the speaker?"."""
    return bool(_PEOPLE.search(text))


_THINGS: dict[Intent, re.Pattern[str]] = {
    Intent.EXHIBITOR_SEARCH: re.compile(
        r"\b(?:exhibitors?|vendors?|sponsors?|companies|company|booths?|stands?|aussteller\w*|firmen|stände|exposants?|"
        r"entreprises?|expositor(?:es)?|empresas?)\b",
        re.IGNORECASE,
    ),
    Intent.SPEAKER_SEARCH: re.compile(
        r"\b(?:speakers?|people|experts?|presenters?|sprecher\w*|referent\w*|leute|intervenante?s?|orateurs?|"
        r"ponentes?|oradores?|personas)\b",
        re.IGNORECASE,
    ),
    Intent.SESSION_SEARCH: re.compile(
        r"\b(?:talks?|sessions?|tutorials?|workshops?|vorträge?n?|sitzungen|conférences?|ateliers?|charlas?|sesiones|"
        r"talleres)\b",
        re.IGNORECASE,
    ),
}


def kind_of_thing(text: str) -> tuple[Intent | None, str]:
    """The search for the kind of thing that is named ("and exhibitors?"), and the question without that word.

    None when no kind or several are named.
    """
    found = [intent for intent, pattern in _THINGS.items() if pattern.search(text)]
    if len(found) != 1:
        return None, text
    return found[0], _THINGS[found[0]].sub(" ", text)


_KINDS = {
    "tutorial": r"tutori(?:al|el|ales|als|els)\w*",
    "workshop": r"workshops?|ateliers?|taller(?:es)?",
    "keynote": r"keynotes?",
    "panel": r"panels?|podiumsdiskussion\w*",
    "poster": r"posters?",
    "lightning": r"lightning talks?",
    "summit": r"summits?",
}
_KIND = {kind: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) for kind, pattern in _KINDS.items()}


def kind_in(text: str) -> tuple[str | None, str]:
    """The kind of session asked for, and the question without that word; None when any will do."""
    for kind, pattern in _KIND.items():
        if pattern.search(text):
            return kind, pattern.sub(" ", text)
    return None, text

"""A question's plain surface: cleaned, and what can be told from its words alone."""

from __future__ import annotations

import re
import unicodedata

from assistants.conference.intents import Intent, SearchType

__all__ = [
    "asks_who",
    "content_words",
    "kind_in",
    "names_in",
    "normalise",
    "says_something",
    "search_type_of",
    "topics_in",
]

MAX_CHARS = 2000
"""What is read of a question. Longer ones are answered by their beginning: embedders cut them anyway
(MiniLM at 256 tokens) and nobody asks in more."""

_KEPT_FORMAT = frozenset({"\u200d", "\u200c"})
"""Joiners hold emoji and Indic words together; all other control and format characters go."""

_QUOTED = re.compile(r"[\"“„«‟]([^\"“”„«»]{2,80})[\"”“»]")
_NAME = re.compile(
    r"(?:[A-ZÀ-ÞŁŚŻŽŠČ][\w.’'-]*|\d[\w.]*)(?:\s+(?:[A-ZÀ-ÞŁŚŻŽŠČ][\w.’'-]*|\d[\w.]*|de|van|von|der|la|del|and(?=\s[A-Z])))*"
)
_POSSESSIVE = re.compile(r"['’](?:s|m|d|ve|re|ll)?$")  # noqa: RUF001 - as above
_SENTENCE_STARTS = re.compile(r"(?:^|[.!?:]\s+)\W*$")
_ABOUT = re.compile(
    r"\b(?:about|on|cover(?:s|ing)?|regarding|concerning|deal(?:s|ing)? with|related to|with|über|zu|zum thema|sur|à propos de|sobre|acerca de)"
    r"\s+(?P<topic>[^?.!,;]{2,80})",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_][\w'’+#.-]*")  # noqa: RUF001 - as above
_TARGET = re.compile(
    r"\b(?:when|what time|where(?! can i learn| do i| should)|which (?:room|speakers?|exhibitors?|talks?|sessions?|tutorials?|workshops?|keynotes?|panels?|booth)|what room|who (?:is|teaches|sits|gives|from)|"
    r"is there an? (?:talk|session|tutorial|workshop|keynote|panel|booth|stand)|are there (?:any )?(?:talks|sessions|tutorials|workshops)|"
    r"wann|wo (?:ist|sind)|welche[rs]? (?:vortrag|vorträge|sprecher|aussteller|raum)|gibt es (?:einen|eine) (?:vortrag|stand)|"
    r"quand|où|à quelle heure|quelles? (?:conférences?|sessions?|salle)|quels? (?:exposants?|intervenants?|orateurs?)|"
    r"cuándo|dónde|a qué hora|qué (?:charlas?|sesi\w+|expositores|ponentes|sala)|quién es)\b",
    re.IGNORECASE,
)
_NEED = re.compile(
    r"\b(?:i|i'm|i'd|i've|my|me|we|we're|we'd|our|us|recommend\w*|suggest\w*|should|help|interest\w*|ich|mir|mein\w*|wir|uns\w*|empfehl\w*|helfen|"
    r"je|j'\w+|mon|ma|mes|nous|notre|nos|recommand\w*|conseill\w*|aider|mi|mis|yo|nosotros|nuestr\w+|recomiend\w*|ayudar\w*|what helps|learn)\b",
    re.IGNORECASE,
)
_WHO = re.compile(r"^\W*(?:who|whom|wer|wen|wem|qui|quién|quiénes)\b|\bwho (?:can|could|knows|should)\b", re.IGNORECASE)

_EMPTY_WORDS = frozenset(
    ["a", "about", "after", "all", "also", "an", "and", "any", "anything", "are", "as", "at", "be", "before", "being", "by", "can", "could", "did", "do", "does", "during", "event", "for", "from", "gibt", "give", "go", "going", "happening", "has", "have", "hear", "here", "how", "i", "in", "into", "is", "it", "its", "let", "like", "list", "me", "more", "much", "my", "of", "on", "one", "or", "our", "out", "people", "please", "programme", "program", "running", "s", "schedule", "scheduled", "see", "show", "so", "some", "something", "start", "starts", "tell", "than", "that", "the", "their", "them", "there", "these", "they", "thing", "things", "this", "to", "today", "up", "us", "was", "we", "what", "whats", "what's", "when", "where", "which", "who", "whom", "why", "will", "with", "would", "you", "your", "conference", "session", "sessions", "talk", "talks", "present", "presents", "speak", "speaks", "speaking", "an", "auf", "aus", "bei", "das", "dem", "den", "der", "die", "ein", "eine", "einen", "er", "es", "für", "gibt", "hat", "ich", "im", "in", "ist", "läuft", "mir", "mit", "sie", "sind", "über", "um", "und", "von", "vortrag", "vorträge", "vorträgen", "wann", "was", "welche", "welcher", "welches", "wer", "wie", "wo", "zu", "zum", "zur", "alle", "à", "au", "aux", "avec", "ce", "ces", "dans", "de", "des", "du", "elle", "en", "est", "et", "il", "il-y-a", "je", "la", "le", "les", "leur", "ou", "où", "par", "pour", "que", "quel", "quelle", "quelles", "quels", "qui", "quoi", "se", "sont", "sur", "un", "une", "y", "conférences", "conférence", "passe", "al", "algo", "con", "cuál", "cuáles", "cuándo", "de", "del", "dónde", "el", "ella", "en", "es", "esta", "este", "hay", "la", "las", "lo", "los", "me", "para", "por", "qué", "quién", "se", "sobre", "son", "su", "un", "una", "y", "charla", "charlas", "sesión", "sesiones"]
)


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
    words = (word.strip(".'’-").lower() for word in _WORD.findall(text))  # noqa: RUF001 - as above
    return [word for word in words if word and word not in _EMPTY_WORDS]


def names_in(text: str) -> list[str]:
    """What looks like a name: quoted, or written with capitals inside a sentence ("Armin Ronacher", "PEP 639")."""
    found = [match[1].strip() for match in _QUOTED.finditer(text)]
    for match in _NAME.finditer(text):
        name = _POSSESSIVE.sub("", match[0].strip(" .'-"))
        if _SENTENCE_STARTS.search(text[: match.start()]):
            # The first word of a sentence is capital anyway; what follows it may be a name.
            first, _, rest = name.partition(" ")
            name = rest if first.lower() in _EMPTY_WORDS or not rest else name
        if len(name) > 1 and name.lower() not in _EMPTY_WORDS and not name.isdigit():
            found.append(name)
    return list(dict.fromkeys(found))[:10]


def topics_in(text: str) -> list[str]:
    """What the question says it is about ("talks about testing"), else all its words that carry a topic."""
    about = [match["topic"].strip() for match in _ABOUT.finditer(text)]
    topics = [" ".join(content_words(topic)) for topic in about]
    found = [topic for topic in topics if topic]
    return list(dict.fromkeys(found))[:10] or ([" ".join(content_words(text))[:200]] if content_words(text) else [])


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

"""The words that a further question adds to the one before: "and Microsoft?", "for beginners", "no, on databases"."""

from __future__ import annotations

import re

from assistants.conference.pointers import without_ordinals
from assistants.conference.question import content_words, names_in, with_topic

__all__ = ["is_rejection", "says_little", "with_words"]

_TURNS_TO = re.compile(
    r"^\W*(?:(?:and|or|und|oder|et|ou|y|o)\s+)?(?:what about|how about|on|about|regarding|was ist mit|"
    r"wie wäre es mit|über|zum thema|qu'en est-il d\w+|sur|à propos d\w+|qué tal|sobre|acerca de)\b",
    re.IGNORECASE,
)
""""And on databases?" turns to another topic, "and for beginners?" narrows the one there is."""
_REJECTS = re.compile(r"^\W*(?:no|nope|nein|nee|non)(?:\s*[,.;:!\u2013-]+\s*|\W*$)", re.IGNORECASE)
""""No, on Thursday" sets the answer right; "no" is no word to search for."""
_LEFT_OUT = re.compile(
    r"\b(?:without|except(?: for)?|excluding|other than|(?:but )?not|ohne|außer|nicht|kein\w*|sans|sauf|pas|sin|"
    r"excepto|no)(?![\w-])[^,;?!]*",
    re.IGNORECASE,
)
"""What is not wanted. A search by meaning would find just that, so these words are not searched for."""
_LEAVES_OUT = re.compile(r"^\W*(?:not|nicht|pas|without|ohne|sans|sin|except|außer|sauf|excepto)\b", re.IGNORECASE)
""""No parking?" may well be a new question, "not parking" is none."""
_SOMETHING = frozenset({"etwas", "quelque", "chose"})
"""Said before "for beginners", and no part of it."""
_SMALL_WORDS = frozenset(
    re.findall(
        r"\w+",
        "and or but only just please on in at the then also with any one ones, und oder aber nur am im um der die das "
        "dann auch, et ou mais seulement le la les en à au dans, y o pero solo sólo el los las por a de del",
    )
)
_TOKEN = re.compile(r"[^\W_][\w'\u2019+#.-]*")


def says_little(rest: str) -> bool:
    """Whether nothing is left of a question but small words, or words for what is not wanted."""
    return all(word.lower() in _SMALL_WORDS for word in re.findall(r"\w+", _wanted(rest)))


def is_rejection(question: str) -> bool:
    """Whether it sets something right or leaves something out: "no, on Thursday", "not on Friday"."""
    return _REJECTS.match(question) is not None or _LEAVES_OUT.match(question) is not None


def with_words(before: str, later: str, language: str) -> str:
    """As "Where is the JetBrains booth?" and "and Microsoft?" make "Where is the Microsoft booth?".

    Words are added as they were written where they look like a name, so that they are looked for as one.
    """
    wanted = without_ordinals(_wanted(later))
    if says_little(wanted):
        return before
    names = names_in(wanted, language)
    added = " ".join(_as_written(content_words(wanted), names))
    if _TURNS_TO.match(wanted) or _REJECTS.match(later):
        turned = with_topic(before, added)
        if turned:
            return turned
    old = names_in(before, language)
    if len(old) == 1 and len(names) == 1 and content_words(wanted) == content_words(names[0]):
        return before.replace(old[0], names[0])
    if not added:
        return before
    # The comma keeps two names apart, and a name behind a question mark would be the first word of a sentence.
    return f"{before.rstrip(' ?!.')}, {added}" if before.strip(" ?!.") else added


def _wanted(text: str) -> str:
    return _LEFT_OUT.sub(" ", _REJECTS.sub("", text)).strip()


def _as_written(words: list[str], names: list[str]) -> list[str]:
    written = {word.lower(): word for name in names for word in _TOKEN.findall(name)}
    return [written.get(word, word) for word in words if word not in _SOMETHING]

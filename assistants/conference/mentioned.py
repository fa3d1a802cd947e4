"""What an earlier answer named, read back out of its text: a visitor may say "the second one" or "his".

Answers are markdown lists whose items begin with a bold name, whoever wrote them (see ``entries.py``
and the prompt); what follows the name tells what kind of thing it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistants.conference.intents import Intent
from assistants.conference.phrases import PHRASES

__all__ = ["Mentioned", "mentioned_in"]

_ITEM = re.compile(
    r"^(?P<bullet>\s*(?:[-*•]|\d+[.)])\s+)?\*\*(?P<title>[^*\n]{2,200})\*\*(?P<rest>[^\n]*)", re.MULTILINE
)
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}\b")
_DOT = re.compile(r"\s+[·–—|]\s+")  # noqa: RUF001 - the dashes that models put between facts
_PERSON = re.compile(r"[^\W\d_][^\d:/@]{2,60}")
_ANSWER_CHARS = 8000


@dataclass(frozen=True, slots=True)
class Mentioned:
    """A thing named; ``intent`` is the search that finds its kind, None where the text does not tell."""

    title: str
    intent: Intent | None = None
    people: tuple[str, ...] = ()


def mentioned_in(answer: str) -> list[Mentioned]:
    """The things in an answer's list, in its order; without a list whatever it put in bold."""
    answer = answer[:_ANSWER_CHARS]
    found = list(_ITEM.finditer(answer))
    listed = [match for match in found if match["bullet"]]
    ends = [*(match.start() for match in found[1:]), len(answer)][: len(found)]
    below = {match.start(): answer[match.end() : end] for match, end in zip(found, ends, strict=True)}
    things = [_read(_plain(match["title"]), match["rest"], below[match.start()]) for match in listed or found]
    return things or [Mentioned(_plain(title)) for title in re.findall(r"\*\*([^*\n]{2,200})\*\*", answer)]


def _read(title: str, rest: str, below: str) -> Mentioned:
    facts = [_plain(part) for part in _DOT.split(rest) if part.strip()]
    if any(pattern.search(rest) for pattern in _BOOTHS):
        return Mentioned(title, Intent.EXHIBITOR_SEARCH)
    if _CLOCK.search(rest):
        people = facts[0].removesuffix(" …").split(", ") if facts and not _CLOCK.search(facts[0]) else []
        return Mentioned(title, Intent.SESSION_SEARCH, tuple(name for name in people if _PERSON.fullmatch(name)))
    if _CLOCK.search(below):
        return Mentioned(title, Intent.SPEAKER_SEARCH, (title,))
    return Mentioned(title)


def _plain(text: str) -> str:
    return text.replace("\\", "").strip()


_BOOTHS = tuple(
    re.compile(rf"\b{re.escape(phrases.booth.format(booth='@')).replace('@', r'[A-Z]?-?[0-9]')}", re.IGNORECASE)
    for phrases in PHRASES.values()
)

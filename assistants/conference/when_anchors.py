"""Times that hang on the programme: "after lunch", "before the keynote", "during the coffee break".

When lunch, breaks and keynotes are is read from the programme itself (``facts.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from assistants.conference.when_words import TIME_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import time

    from assistants.conference.facts import ConferenceDay

__all__ = ["Anchor", "anchor_in", "find_anchors", "things"]

_LUNCH = (12 * 60, 13 * 60 + 30)
"""Where the programme has no gap around noon to read the break from."""
_AFTERNOON_ENDS = 18 * 60
_DAY_ENDS = 24 * 60
_NOON = 12 * 60
_ORDINALS = {word: number for words in TIME_WORDS.values() for word, number in words.ordinals.items()}


@dataclass(frozen=True, slots=True)
class Anchor:
    """``relation`` (before, during, after, since, up to) to ``thing`` (lunch, break, keynote), ``which`` of the day.

    ``which`` is "first", "last", a number, or empty for the next one, or the day's first when all are over.
    "Since" and "up to" are one end of a range whose other end is named as well.
    """

    relation: str
    thing: str
    which: str | int = ""

    def on(self, day: ConferenceDay, minute: int = 0) -> tuple[int, int] | None:
        """Minutes after midnight on one day, from and up to; None when that day has no such thing.

        ``minute`` is the conference's now on that day, 0 on others.
        """
        span = self._span(day, minute)
        if span is None:
            return None
        begin, end = span
        lunch = _minutes(day.lunch) if day.lunch else None
        match self.relation:
            case "since" | "up to":
                return (end, _DAY_ENDS) if self.relation == "since" else (0, begin)
            case "before":
                # Up to the meal before it: "before the closing keynote" is not the whole day.
                since = lunch[1] if lunch and self.thing != "lunch" and lunch[1] <= begin else 0
                return since, begin
            case "during":
                return begin, end
            case _ if self.thing == "lunch":
                return end, max(_AFTERNOON_ENDS, end + 60)
            case _:
                return end, lunch[0] if lunch and lunch[0] > end else _DAY_ENDS

    def _span(self, day: ConferenceDay, minute: int) -> tuple[int, int] | None:
        if self.thing == "lunch":
            return _minutes(day.lunch) if day.lunch else _LUNCH
        spans = [_minutes(span) for span in (day.keynotes if self.thing == "keynote" else day.breaks)]
        if isinstance(self.which, int):
            return spans[self.which - 1] if self.which <= len(spans) else None
        if self.thing == "break" and self.which:
            spans = [span for span in spans if (span[0] < _NOON) == (self.which == "first")]
        if not spans:
            return None
        if self.which:
            return spans[0] if self.which == "first" else spans[-1]
        return next((span for span in spans if span[1] > minute), spans[0])


def find_anchors(text: str, language: str) -> Iterator[tuple[int, int, Anchor]]:
    """Every such naming: where it begins and ends, and what it means."""
    left = text
    for pattern, relation, thing in _rules(language):
        for match in pattern.finditer(left):
            yield match.start(), match.end(), Anchor(relation, thing, _which(match.groupdict(), ""))
            left = left[: match.start()] + "\0" * (match.end() - match.start()) + left[match.end() :]


def things(code: str, tag: str) -> str:
    """What may stand at an end of a range, as an expression with groups that end in ``tag``: "the last keynote"."""
    words = _WORDS[code]
    return (
        rf"(?:\b(?:{words.filling})(?:\s+|(?<=['\u2019])))*{_which_of(code, tag)}"
        rf"(?:(?P<keynote{tag}>{words.keynote})|(?P<lunch{tag}>{words.lunch})|(?P<break{tag}>{words.coffee}))"
    )


def anchor_in(groups: dict[str, str | None], tag: str, relation: str) -> Anchor | None:
    """The thing at the end of a range that ``tag`` stands for; None where a time of day stands there."""
    thing = next((name for name in ("keynote", "lunch", "break") if groups.get(name + tag)), None)
    return Anchor(relation, thing, _which(groups, tag)) if thing else None


@dataclass(frozen=True, slots=True)
class _AnchorWords:
    """Regular expressions of one language. ``parallel`` is "during" for what one speaks *in* ("at the keynote")."""

    after: str
    before: str
    during: str
    parallel: str
    filling: str
    first: str
    final: str
    keynote: str
    lunch: str
    coffee: str


_WORDS = {
    "en": _AnchorWords(
        after=r"(?:(?:right|straight|just|directly|immediately|shortly) )?after",
        before=r"(?:(?:right|just|shortly) )?before|ahead of|until|till",
        during=r"during|in|over|at",
        parallel=r"during|at the same time as|parallel to|alongside",
        filling=r"the|today|tomorrow|that",
        first=r"opening|first|morning",
        final=r"closing|last|final|afternoon",
        keynote=r"keynotes?(?: (?:talk|speech|session))?",
        lunch=r"lunch(?: ?(?:break|time))?",
        coffee=r"(?:coffee|tea|snack) ?break|break",
    ),
    "de": _AnchorWords(
        after=r"(?:(?:direkt|gleich|kurz) )?nach",
        before=r"(?:(?:direkt|gleich|kurz) )?vor|bis(?: zu[rm]?)?",
        during=r"während|in|zur",
        parallel=r"während|parallel zu[rm]?",
        filling=r"der|die|dem|den|des",
        first=r"eröffnungs-?|erste[nr]?|morgendlichen",
        final=r"(?:ab)?schluss-?|letzte[nr]?",
        keynote=r"keynotes?",
        lunch=r"mittag(?:essen|spause)s?|(?<=dem )mittag|(?<=zum )mittag",
        coffee=r"kaffee-?pausen?|pause",
    ),
    "fr": _AnchorWords(
        after=r"(?:juste )?après",
        before=r"(?:juste )?avant|jusqu['\u2019](?:à|au)",
        during=r"pendant|durant|à",
        parallel=r"pendant|durant",
        filling=r"la|le|l['\u2019]|de",
        first=r"première",
        final=r"dernière",
        keynote=r"keynotes?(?: d['\u2019]ouverture)?|conférence plénière",
        lunch=r"(?:pause[- ])?déjeuner|repas",
        coffee=r"pause[- ]café|pause",
    ),
    "es": _AnchorWords(
        after=r"(?:justo )?después|tras",
        before=r"(?:justo )?antes|hasta",
        during=r"durante|en",
        parallel=r"durante",
        filling=r"la|el|del|de",
        first=r"primera|primer",
        final=r"última|último",
        keynote=r"keynotes?|charla inaugural|ponencia inaugural",
        lunch=r"(?:pausa (?:de la |del? )?)?(?:comida|comer|almuerzo)",
        coffee=r"pausa (?:del |de )?café|pausa(?! de la comida)|descanso",
    ),
}


@cache
def _rules(language: str) -> tuple[tuple[re.Pattern[str], str, str], ...]:
    codes = (language, "en") if language in _WORDS and language != "en" else ("en",)
    return tuple(rule for code in codes for rule in _rules_of(code))


def _rules_of(code: str) -> Iterator[tuple[re.Pattern[str], str, str]]:
    words, times = _WORDS[code], TIME_WORDS[code]

    def compiled(pattern: str) -> re.Pattern[str]:
        return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)

    # A day that was read before has left \0 in its place: "after Friday's keynote".
    filling = rf"(?:(?:{words.filling}|\0+)?(?:['\u2019]s)?\s+)*?(?:{words.filling})?(?:\0+(?:['\u2019]s)?)?\s*"
    which = _which_of(code)
    for relation, before_it in (("after", words.after), ("before", words.before), ("during", words.parallel)):
        yield compiled(rf"(?:{before_it})\s+{filling}{which}(?:{words.keynote})"), relation, "keynote"
    for relation, before_it in (("after", words.after), ("before", words.before)):
        yield compiled(rf"(?:{before_it})\s+{filling}(?:{words.lunch})"), relation, "lunch"
    yield compiled(times.lunch), "during", "lunch"
    for relation, before_it in (("after", words.after), ("before", words.before), ("during", words.during)):
        yield compiled(rf"(?:{before_it})\s+{filling}{which}(?:{words.coffee})"), relation, "break"


def _which_of(code: str, tag: str = "") -> str:
    words, ordinals = _WORDS[code], "|".join(TIME_WORDS[code].ordinals)
    return rf"(?:(?:(?P<first{tag}>{words.first})|(?P<final{tag}>{words.final})|(?P<nth{tag}>{ordinals}))\s?)?"


def _which(groups: dict[str, str | None], tag: str) -> str | int:
    nth = groups.get("nth" + tag)
    if nth:
        return _ORDINALS[nth.lower()]
    return "first" if groups.get("first" + tag) else "last" if groups.get("final" + tag) else ""


def _minutes(span: tuple[time, time]) -> tuple[int, int]:
    return span[0].hour * 60 + span[0].minute, span[1].hour * 60 + span[1].minute

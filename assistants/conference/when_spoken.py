"""Times as people say them, put into the figures that the rules read: "half past three" becomes "3:30".

Only what is surely a time is rewritten; "at three companies" stays as it is.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Replacement = str | Callable[[re.Match[str]], str]

__all__ = ["in_figures"]

_HOURS = {
    "en": "one two three four five six seven eight nine ten eleven twelve",
    "de": "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "fr": (
        "une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
        "dix-huit dix-neuf vingt"
    ),
    "es": "una dos tres cuatro cinco seis siete ocho nueve diez once doce",
}
_NUMBER = {code: {word: index + 1 for index, word in enumerate(words.split())} for code, words in _HOURS.items()}

_MINUTES = {
    "en": "ten 10 fifteen 15 twenty 20 thirty 30 forty-five 45 forty 40 fifty 50 sixty 60 ninety 90",
    "de": "zehn 10 fünfzehn 15 zwanzig 20 dreißig 30 fünfundvierzig 45 vierzig 40 sechzig 60 neunzig 90",
    "fr": "dix 10 quinze 15 vingt 20 trente 30 quarante-cinq 45 quarante 40 soixante 60",
    "es": "diez 10 quince 15 veinte 20 treinta 30 cuarenta 40 sesenta 60",
}
"""The round numbers that minutes are counted in, beside those of the hours."""

_ORDINALS = (
    "fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth "
    "seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth twenty-fifth "
    "twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first"
)
"""Days of a month, from the fourth on: "on the first" is said of much else."""

_DAYS = r"\w*day|tomorrow|mon|tues?|weds?|thu(?:rs?)?|fri|sat|sun|day \d"

_ENDS = r"(?=\s*(?:$|[?!.,;)]|\b(?:{follow})\b))"
"""A bare number word is an hour where the sentence ends or goes on with a time, not before a noun."""

_TYPOS = (
    (r"tommorr?ow|tomorow|2morrow", "tomorrow"),
    (r"wensday|wednsday|wendsday|wedensday", "Wednesday"),
    (r"thursady|thrusday|thurday", "Thursday"),
    (r"firday|fridya|fryday", "Friday"),
    (r"mornign|monring", "morning"),
    (r"afternon|aftenoon|aternoon", "afternoon"),
)
"""Slips seen most often; a longer list would begin to eat names."""


def in_figures(text: str, language: str) -> str:
    """``text`` with its spoken times in figures; ``language`` is ISO 639-1, English is always read too."""
    for pattern, replacement in (*_rewritings(language), *(_rewritings("en") if language != "en" else ())):
        text = pattern.sub(replacement, text)
    return text


@cache
def _rewritings(language: str) -> tuple[tuple[re.Pattern[str], Replacement], ...]:
    rules = {"en": _english, "de": _german, "fr": _french, "es": _spanish}.get(language)
    return tuple((re.compile(rf"(?<!\w)(?:{pattern})", re.IGNORECASE), to) for pattern, to in rules()) if rules else ()


def _word(code: str, said: str) -> int:
    return int(said) if said.isdigit() else _NUMBER[code][said.lower()]


def _alternatives(code: str) -> str:
    return r"\d{1,2}|" + "|".join(sorted(_NUMBER[code], key=len, reverse=True))


def _at(code: str, minutes: int, group: str = "n") -> Callable[[re.Match[str]], str]:
    """A clock time so many minutes from the hour named."""

    def clock(match: re.Match[str]) -> str:
        whole = (_word(code, match[group]) * 60 + minutes) % (24 * 60)
        return f"{whole // 60}:{whole % 60:02}"

    return clock


def _figure(code: str) -> Callable[[re.Match[str]], str]:
    """The words as they are, their number words as figures."""
    words = re.compile(rf"\b(?:{'|'.join(sorted(_NUMBER[code], key=len, reverse=True))})\b", re.IGNORECASE)
    return lambda match: words.sub(lambda word: str(_NUMBER[code][word[0].lower()]), match[0])


def _in_minutes(code: str, lead: str, unit: str) -> tuple[str, Replacement]:
    """So many minutes from now: "in twenty minutes"."""
    said = _MINUTES[code].split()
    figures = {word: str(number) for word, number in _NUMBER[code].items()}
    figures |= dict(zip(said[::2], said[1::2], strict=True))
    words = "|".join(sorted(figures, key=len, reverse=True))
    return (
        rf"(?P<lead>{lead})\s+(?P<n>{words})\s+(?P<unit>{unit})\b",
        lambda match: f"{match['lead']} {figures[match['n'].lower()]} {match['unit']}",
    )


def _english() -> list[tuple[str, Replacement]]:
    number = _alternatives("en")
    end = _ENDS.format(follow=r"o'?clock|and|to|on|in|tomorrow|today|[ap]\.?m|sharp|\w+day")
    return [
        *((rf"(?:{wrong})\b", right) for wrong, right in _TYPOS),
        (rf"half[- ](?:past )?(?P<n>{number})\b(?!\s+(?:hours?|days?))", _at("en", 30)),
        (rf"(?:a )?quarter past (?P<n>{number})\b", _at("en", 15)),
        (rf"(?:a )?quarter (?:to|before) (?P<n>{number})\b", _at("en", -15)),
        (rf"(?P<n>{number}) thirty\b", _at("en", 30)),
        (r"(?P<at>at|from|after|before|until|till)\s+(?P<h>[01]\d|2[0-3])(?P<m>[0-5]\d)\b", r"\g<at> \g<h>:\g<m>"),
        (rf"(?:at|around|about|after|before|until|till|from|between|by|past)\s+(?:{number}){end}", _figure("en")),
        (rf"(?:between|from)\s+\d{{1,2}}\s+(?:and|to|until)\s+(?:{number}){end}", _figure("en")),
        (rf"(?:{number})(?= o'?clock)", _figure("en")),
        (rf"(?P<lead>(?:on|until|till|before|after|from|\w+day),? the) (?P<n>{_ORDINALS.replace(' ', '|')})"
         + _ENDS.format(follow=r"at|in|from|after|before|until|\w+day|(?-i:of [A-Z]\w+)"),
         _nth),
        (r"post[- ]?lunch\b", "after lunch"),
        (r"pre[- ]?lunch\b", "before lunch"),
        (r"between the (?:coffee )?breaks\b", "between the first break and the last break"),
        (r"from now to\b", "from now until"),
        (r"(?-i:D)(?P<n>\d)(?= (?:mornings?|afternoons?|evenings?|noon|[ap]m)\b)", r"day \g<n>"),
        (r"(?:half an|the next half|next half|a half)[- ]hour from now\b", "in 30 minutes"),
        (r"next half[- ](?:an )?hour\b", "next 30 minutes"),
        (r"half an hour\b", "30 minutes"),
        (r"(?:an |one )?hour and a half\b", "90 minutes"),
        (r"(?:two|2) and a half hours\b", "150 minutes"),
        (r"(?P<n>\d{1,3}|\w+) (?P<unit>hours?|minutes?|mins?) from now\b", r"in \g<n> \g<unit>"),
        (r"(?:a )?couple (?:of )?(?=hours|days|minutes)", "2 "),
        (r"(?:a )?few (?=hours|days)", "3 "),
        (rf"(?P<day>{_DAYS}) a\.?m\.?(?!\w)", r"\g<day> morning"),
        (rf"(?P<day>{_DAYS}) p\.?m\.?(?!\w)", r"\g<day> afternoon"),
        (r"(?P<which>first|opening|second|third|last|final|closing) (?P<part>morning|afternoon|evening)\b",
         r"\g<which> day \g<part>"),
        _in_minutes("en", "in|within|(?:the )?next", "minutes?|mins?"),
        (r"days (?P<a>\d) ?(?:and|or|&|\+) ?(?P<b>\d)\b", r"day \g<a> and day \g<b>"),
        (r"days? (?P<a>\d) ?(?:to|-|\u2013) ?(?:day )?(?P<b>\d)\b", _days_between),
        (r"(?P<a>first|second|third|fourth) (?P<w>and|or) (?P<b>second|third|fourth|last) days?\b",
         r"\g<a> day \g<w> \g<b> day"),
        (r"noon-?ish\b", "noon"),
        (r"(?P<n>\d{1,2})-?ish\b", r"\g<n>"),
    ]  # fmt: skip


def _nth(match: re.Match[str]) -> str:
    number = _ORDINALS.split().index(match["n"].lower()) + 4
    ending = {21: "st", 22: "nd", 23: "rd", 31: "st"}.get(number, "th")
    return f"{match['lead']} {number}{ending}"


def _days_between(match: re.Match[str]) -> str:
    first, last = int(match["a"]), int(match["b"])
    return " and ".join(f"day {day}" for day in range(first, last + 1)) if first < last else match[0]


def _german() -> list[tuple[str, Replacement]]:
    number = _alternatives("de")
    end = _ENDS.format(follow=r"uhr|und|bis|am|morgen|heute|\w+tag")
    return [
        (rf"halb (?P<n>{number})\b", _at("de", -30)),
        (rf"viertel nach (?P<n>{number})\b", _at("de", 15)),
        (rf"viertel vor (?P<n>{number})\b", _at("de", -15)),
        (rf"dreiviertel (?P<n>{number})\b", _at("de", -15)),
        (rf"(?:um|gegen|ab|nach|vor|bis|zwischen|von)\s+(?:{number}){end}", _figure("de")),
        (rf"(?:zwischen|von)\s+\d{{1,2}}\s+(?:und|bis)\s+(?:{number}){end}", _figure("de")),
        (
            r"(?P<which>ersten|zweiten|dritten|letzten) (?P<part>vormittag|morgen|nachmittag|abend)\b",
            r"\g<which> Tag \g<part>",
        ),
        _in_minutes("de", "in|in den nächsten|den nächsten|innerhalb von", "minuten"),
        (r"in der nächsten halben stunde\b", "in den nächsten 30 Minuten"),
        (r"(?:in )?einer halben stunde\b", "in 30 Minuten"),
        (r"(?:anderthalb|eineinhalb) stunden\b", "90 Minuten"),
    ]


def _french() -> list[tuple[str, Replacement]]:
    number = _alternatives("fr")
    return [
        (rf"(?P<n>{number})\s?(?:h|heures?) et demie?\b", _at("fr", 30)),
        (rf"(?P<n>{number})\s?(?:h|heures?) et quart\b", _at("fr", 15)),
        (rf"(?P<n>{number})\s?(?:h|heures?) moins le quart\b", _at("fr", -15)),
        (rf"(?:à|vers|après|avant|dès|entre|de|et)\s+(?:{number})(?= heures?\b)", _figure("fr")),
        (r"[ld]['\u2019](?=après[- ]midi)", ""),
        (r"(?P<which>premier|deuxième|dernier) (?P<part>matin|soir)\b", r"\g<which> jour \g<part>"),
        (r"(?P<which>premièr|derni[eè]r)e (?P<part>après[- ]midi|matinée|soirée)\b", _french_day),
        _in_minutes("fr", r"dans|dans les|d['\u2019]ici", "minutes"),
        (r"les (?P<n>deux|trois|quatre|\d{1,3}) prochaines (?P<unit>heures|minutes)", r"les prochaines \g<n> \g<unit>"),
        (r"une demi-?\s?heure\b", "30 minutes"),
        (r"plus tard dans la journée\b", "plus tard"),
    ]  # fmt: skip


def _french_day(match: re.Match[str]) -> str:
    return f"{'premier' if match['which'].lower().startswith('p') else 'dernier'} jour {match['part']}"


def _spanish() -> list[tuple[str, Replacement]]:
    number = _alternatives("es")
    return [
        (rf"las? (?P<n>{number}) y media\b", _las(30)),
        (rf"las? (?P<n>{number}) y cuarto\b", _las(15)),
        (rf"las? (?P<n>{number}) menos cuarto\b", _las(-15)),
        (rf"las? (?:{number})(?!\s+(?:charlas|sesiones|empresas|personas|ponencias|últimas|primeras|próximas)\b)\b",
         _figure("es")),
        (r"(?P<which>primera|última|ultima) (?P<part>mañana|tarde|noche)\b",
         lambda match: f"{match['which'][:-1]}{'' if match['which'] == 'primera' else 'o'} día por la {match['part']}"),
        _in_minutes("es", "en|dentro de|(?:en )?los próximos", "minutos"),
        (r"media hora\b", "30 minutos"),
        (r"(?:una )?hora y media\b", "90 minutos"),
    ]  # fmt: skip


def _las(minutes: int) -> Callable[[re.Match[str]], str]:
    clock = _at("es", minutes)
    return lambda match: f"las {clock(match)}"

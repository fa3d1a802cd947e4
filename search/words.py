"""Words of a text: what a sparse vector is made of, and which of a question's words are names.

A word's number is the CRC-32 of its stem, so that no process needs a table of them. Texts are kept without
weights (a word is there or it is not); the question's side carries them, from the conference's own
word counts (search/lexicon.py). Accents are folded on both sides: who has no ``ł`` on the keyboard types ``l``.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import Stemmer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["FUNCTION_WORDS", "Token", "content_numbers", "folded", "number_of", "sparse_text", "stem", "tokens"]

FUNCTION_WORDS = frozenset(
    """a about above across after again against all along am among amongst an and any are around as at be because been
    before being below between beyond both but by can can't could d despite did do does doing don't down during each
    except few for from further had has have having he her here hers him his how i i'd i'm i've if in inside into is
    isn't it it's its let ll m me more most my no nor not of off on once only onto or other our out outside over own
    per re s same she should since so some such t than that the their them then there these they this those through
    to too toward towards under until up upon us ve very via was we were what when where which while who whom why
    will with within without won't would you your yours""".split()  # noqa: SIM905 - 150 quoted words would be harder to read
)
"""English words that say nothing of a subject. Those of other languages are weighted down by their counts instead."""

_TOKEN = re.compile(r"\w+(?:[.+#&'\u2019-]\w+)*[+#]*")
_JOINT = re.compile(r"[.\-&'/]")
_SENTENCE = re.compile(r"[.?!:;]\s+|[\n•*(\"\u201c]")

_ACCENTS = re.compile("[\u0300-\u036f]+")
"""Marks over and under Latin, Greek and Cyrillic letters; those of other scripts are vowels, and stay."""

_WHOLE_LETTERS = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "ß": "ss",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    }
)
"""Letters that Unicode takes for no letter with a mark."""

_MAX_CHARS = 16_000
_MAX_WORD_CHARS = 40


@dataclass(frozen=True, slots=True)
class Token:
    """One word as written. ``parts`` are what it is found by: itself and, where it is joined, its pieces, lower-cased.

    ``looks_named``: it is written as names are (a capital that no sentence's beginning explains, capitals
    inside, a digit).
    """

    written: str
    parts: tuple[str, ...]
    looks_named: bool


def tokens(text: str) -> Iterator[Token]:
    """The words of a text, in order; of its first 16,000 characters."""
    # A letter and its mark apart (as macOS types them) would be two words.
    for line in _SENTENCE.split(unicodedata.normalize("NFC", text[:_MAX_CHARS])):
        for place, written in enumerate(_TOKEN.findall(line)):
            if len(written) > _MAX_WORD_CHARS:
                continue
            yield Token(written, _parts(written), _looks_named(written, first=place == 0))


def folded(word: str) -> str:
    """The word in small letters without accents: ``lukasz`` for ``Łukasz``."""
    lower = word.lower()
    if lower.isascii():
        return lower
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", lower)).translate(_WHOLE_LETTERS)
    return unicodedata.normalize("NFC", plain)


def stem(part: str) -> str:
    """The English stem. Words of other languages come out cut alike on both sides, which is all that counts."""
    return _stem(part)


def number_of(stemmed: str) -> int:
    """The word's number in sparse vectors."""
    return zlib.crc32(stemmed.encode())


def sparse_text(text: str) -> dict[int, float]:
    """Which words a text has, function words aside."""
    return dict.fromkeys(content_numbers(text), 1.0)


def content_numbers(text: str) -> Iterator[int]:
    """The numbers of a text's words in their order, function words aside."""
    return (number_of(stem(part)) for part in _content_parts(tokens(text)))


def _content_parts(found: Iterable[Token]) -> Iterator[str]:
    return (part for token in found for part in token.parts if part not in FUNCTION_WORDS)


def _parts(written: str) -> tuple[str, ...]:
    whole = folded(written).replace("\u2019", "'").removesuffix("'s")
    pieces = [piece for piece in _JOINT.split(whole) if len(piece) > 1]
    return tuple(dict.fromkeys((whole, *pieces))) if len(pieces) > 1 else (whole,)


def _looks_named(written: str, *, first: bool) -> bool:
    return (
        any(char.isupper() for char in written[1:])
        or any(char.isdigit() for char in written)
        or (written[0].isupper() and not first)
    )


_STEMMER = Stemmer.Stemmer("english")


@lru_cache(maxsize=50_000)
def _stem(part: str) -> str:
    stemmed: str = _STEMMER.stemWord(part)
    return stemmed

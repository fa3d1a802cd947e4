"""Going on with an answer that another provider began: what is kept of it, and how the rest is joined to it.

Kept is all up to the last complete sentence or line, so that no half sentence stays on the screen.
What comes next may repeat what is there, although it was asked not to: a repeated beginning (of the
whole answer or of its last sentences) is recognised, by its words, and cut.
"""

from __future__ import annotations

import re

__all__ = ["Continuation", "kept_of"]

_STOPS = ".!?\u2026"

_CJK_STOPS = "\u3002\uff01\uff1f"

_CJK_CLOSERS = "\u300d\u300f\uff09"

_CLOSERS = "\"'\u201d\u2019\u00bb)\\]*_" + _CJK_CLOSERS
"""Quotes, brackets and emphasis that may close behind a stop."""

_SENTENCE_END = re.compile(rf"[{_STOPS}]+[{_CLOSERS}]*(?=\s)|[{_CJK_STOPS}]+[{_CLOSERS}]*")

_LAST_SENTENCE = re.compile(rf"(?:^|\s)[^\s.:/@]*[^\W\d][{_STOPS}][{_CLOSERS}]*$")
"""A stop behind a plain word at the very end; behind digits, in an address or a time it may be a broken one."""

_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:\w|dr|prof|mr|mrs|ms|st|vs|etc|approx|ca|no|nr|bzw|z\.b|d\.h|u\.a|e\.g|i\.e|p\.ex|sra?|dra|mme|"
    r"mlle|inc|ltd|co|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|fig|vol|tel|str)\.?$",
    re.IGNORECASE,
)
"""Words whose full stop ends no sentence, in English, German, French and Spanish. One that is missing here
means that the next model goes on behind it, which it is told to do anyway."""

_BLOCK = re.compile(r"(?:[-*+•>|]|#{1,6}|\d{1,3}[.)])\s")

_TELLING = re.compile(r"\S+\s|\S{7}")
"""As much of a text as tells whether it begins with a list's or a heading's mark."""

_SEGMENT_START = re.compile(rf"\n\s*|[{_STOPS}{_CJK_STOPS}]\S*\s+|[{_CJK_STOPS}]")

_SEGMENT_END = re.compile(rf"[{_STOPS}:]\s|[{_CJK_STOPS}]|\s(?=[-\u2022] |\d{{1,3}}[.)] )")

_IGNORED = frozenset("*_`")

_MIN_WHOLE = 4
"""A repetition of the very last sentence counts from this many characters on."""

_MIN_PART = 12
"""Fewer characters than this in common are chance ("The ", "- "), not a repetition."""


def kept_of(text: str) -> str:
    """``text`` up to the end of its last complete sentence or line, "" if there is none."""
    ends = [match.end() for match in re.finditer(r"\n+", text)]
    ends += [match.end() for match in _SENTENCE_END.finditer(text) if _ends_sentence(text, match)]
    whole = text.rstrip()
    if _LAST_SENTENCE.search(whole) and not _ABBREVIATION.search(whole):
        ends.append(len(whole))
    for end in sorted(ends, reverse=True):
        if text[:end].strip() and _is_balanced(text[:end]):
            return text[:end]
    return ""


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if match.group()[0] != ".":
        return True
    before = text[: match.start()]
    following = text[match.end() :].lstrip()
    # "3. Oktober" and the mark of a list item are no ends; nor is what goes on in lower case.
    return not (before[-1:].isdigit() or following[:1].islower() or _ABBREVIATION.search(before))


def _is_balanced(text: str) -> bool:
    """Whether no emphasis, code or link is open at the end of the text's last paragraph."""
    if text.count("```") % 2:
        return False
    line = text.rstrip("\n").rsplit("\n", 1)[-1]
    is_open = line.count("[") > line.count("]") or line.count("(") > line.count(")")
    return not (is_open or line.count("**") % 2 or line.count("`") % 2)


class Continuation:
    """Takes the pieces of the text that follows ``kept`` and gives what is to be shown of them.

    Pieces are held back only while they could still be a repetition of ``kept``.
    """

    def __init__(self, kept: str) -> None:
        self._kept = kept
        self._words = _plain(kept)[0].rstrip()
        # Where a repetition may begin: at the start of the text, of a line, of a sentence.
        starts = {0} | {m.end() for m in _SEGMENT_START.finditer(kept)}
        self._starts = [len(_plain(kept[:at])[0]) for at in sorted(starts) if at < len(kept)]
        self._held = ""
        self._is_decided = not self._words
        self._is_joined = not kept
        self._has_cut = False

    def feed(self, piece: str) -> str:
        """What to show now that ``piece`` has come."""
        if self._is_decided:
            return self._join(piece)
        self._held += piece
        repeated = self._repeated(final=False)
        if repeated is None:
            return ""
        return self._decide(repeated)

    def finish(self) -> str:
        """What is left to show when no more pieces come."""
        if self._is_decided:
            return self._join("", final=True)
        return self._decide(self._repeated(final=True) or 0, final=True)

    def _decide(self, cut: int, *, final: bool = False) -> str:
        self._is_decided = True
        self._has_cut = cut > 0
        rest, self._held = self._held[cut:], ""
        return self._join(rest, final=final)

    def _repeated(self, *, final: bool) -> int | None:
        """How many characters of what is held repeat ``kept``; None while that can't be said."""
        said, raw_ends = _plain(self._held)
        best = 0
        for start in self._starts:
            there = self._words[start:].lstrip()
            common = _common_length(there, said)
            if common == len(said) and not final and common < len(there):
                return None  # all of it is a repetition so far, and there is more to repeat
            if common >= len(there) >= _MIN_WHOLE:
                best = max(best, common)
            elif common >= _MIN_PART:
                best = max(best, common if common == len(said) else _last_segment(there, common))
        if not best:
            return 0
        return raw_ends[best - 1]

    def _join(self, text: str, *, final: bool = False) -> str:
        """``text`` with the white space that belongs between it and what is kept, once that can be told."""
        if self._is_joined:
            return text
        self._held += text
        body = self._held.lstrip()
        if not body or not (final or _TELLING.match(body)):
            return ""
        lead = self._held[: len(self._held) - len(body)].count("\n")
        self._held = ""
        self._is_joined = True
        have = len(self._kept) - len(self._kept.rstrip("\n"))
        # Behind a repetition the line breaks repeat the kept ones, else they come on top of them.
        want = min(2, max(have, lead) if self._has_cut else have + lead)
        if _BLOCK.match(body):
            last_line = self._kept.rstrip().rsplit("\n", 1)[-1].lstrip()
            # Items of one list stay together; a list after a sentence begins on a line of its own.
            want = max(have, 1) if _BLOCK.match(last_line) else max(want, 1)
        if want > have:
            return "\n" * (want - have) + body
        if have or self._kept[-1:].isspace() or not _needs_space(self._kept, body):
            return body
        return " " + body


def _needs_space(kept: str, body: str) -> bool:
    return kept[-1:] not in _CJK_STOPS + _CJK_CLOSERS and body[:1] not in ".,;:!?)"


def _plain(text: str) -> tuple[str, list[int]]:
    """The text's words without emphasis, in lower case, single-spaced; and where each character ends in ``text``."""
    characters: list[str] = []
    ends: list[int] = []
    for at, character in enumerate(text):
        if character in _IGNORED:
            continue
        plain = " " if character.isspace() else character.lower()[:1]
        if plain == " " and (not characters or characters[-1] == " "):
            continue
        characters.append(plain)
        ends.append(at + 1)
    return "".join(characters), ends


def _common_length(one: str, other: str) -> int:
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))


def _last_segment(text: str, length: int) -> int:
    """The end of the last whole sentence or list item within the first ``length`` characters, 0 if there is none."""
    ends = [m.end() for m in _SEGMENT_END.finditer(text[: length + 1])]
    return max((end for end in ends if _MIN_PART <= end <= length), default=0)

"""Answers that tell on themselves: which call wrote each part, and whether a part is missing or there twice."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["POINTS", "Writing", "answer_text", "read_answer", "says_missing", "tag_of", "with_orders_done"]

POINTS = 14
"""Sentences of an ordinary answer: about 110 tokens, 1.9 s at 60 tokens/s."""

_TAG = re.compile(r"\bq\d+q\b")
_BEGIN = re.compile(r"^Here is (q\d+q) from call (\d+) then\.")
_POINT = re.compile(r"Point (\d+) about (q\d+q) stands as said\.")
_MISSING = re.compile(r"I could not look up .+? just now\.")
_END = re.compile(r"That was (q\d+q) from call (\d+) indeed\.\s*$")


@dataclass(frozen=True, slots=True)
class Writing:
    """What an answer's text tells: ``tag`` of the question it belongs to, ``calls`` that wrote its two ends.

    ``is_straight``: its points count up from 1 without a gap or a repetition. ``is_whole``: begun, straight, ended.
    """

    tag: str | None
    calls: tuple[str, ...]
    is_straight: bool
    is_whole: bool

    @property
    def is_of_one_call(self) -> bool:
        """Whether one model call wrote all of it."""
        return self.is_whole and len(set(self.calls)) == 1


def tag_of(text: str) -> str | None:
    """The last tag in a text: in a burst, that of the newest question."""
    found: list[str] = _TAG.findall(text)
    return found[-1] if found else None


def says_missing(text: str) -> bool:
    """Whether an answer tells its visitor that something could not be looked up."""
    return _MISSING.search(text) is not None


def answer_text(tag: str, call: int, *, points: int = POINTS, written: str = "", missing: str = "") -> str:
    """What call number ``call`` writes for a question, going on behind ``written`` where there is something.

    ``missing`` is what could not be looked up, as the call was told.
    """
    done = max((int(number) for number, its in _POINT.findall(written) if its == tag), default=0)
    begin = [] if f"Here is {tag}" in written else [f"Here is {tag} from call {call} then."]
    if begin and missing:
        begin.append(f"I could not look up {missing} just now.")
    middle = [f"Point {number} about {tag} stands as said." for number in range(done + 1, points + 1)]
    text = " ".join([*begin, *middle, f"That was {tag} from call {call} indeed."])
    return f" {text}" if written else text


def with_orders_done(text: str, done: str) -> str:
    """An answer with what an obedient call wrote in its middle; no part of an answer that this repeats is one of it."""
    begin, end = text.split(". ", 1)
    return f"{begin}.\n\n{done.replace('Point', 'Pt.')}\n\n{end}"


def read_answer(text: str) -> Writing:
    """What an answer's text tells of how it came about."""
    begin, end = _BEGIN.search(text), _END.search(text)
    points = _POINT.findall(text)
    tags = {its for _, its in points} | {match.group(1) for match in (begin, end) if match}
    straight = [int(number) for number, _ in points] == list(range(1, len(points) + 1)) and len(tags) <= 1
    return Writing(
        tag=next(iter(tags)) if len(tags) == 1 else None,
        calls=tuple(match.group(2) for match in (begin, end) if match),
        is_straight=straight,
        is_whole=bool(begin and end and straight),
    )

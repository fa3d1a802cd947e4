"""Plain text and sentences out of what editors type: Markdown, HTML of a WYSIWYG field, or both."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import cache

import nh3
from markdown_it import MarkdownIt

__all__ = ["SOURCE_LIMIT", "Sentence", "clip", "plain_text", "sentences"]

SOURCE_LIMIT = 20_000
"""Characters of one field that are read. The longest text of the sample conference has 1,900; a
field beyond this is a paste, and its beginning says what it is about."""

_ITEM = "\u2022"
_HEADING = "\u00a7"
_MARKS = f"{_ITEM}{_HEADING} "

_BLOCK_ENDS = re.compile(
    r"</(?:p|div|li|ul|ol|h[1-6]|blockquote|pre|tr|table|section)>|<br\s*/?>|<hr\s*/?>", re.IGNORECASE
)
_ITEM_BEGINS = re.compile(r"<li\b[^>]*>\s*(?:<p>)?", re.IGNORECASE)
_HEADING_BEGINS = re.compile(r"<h[1-6]\b[^>]*>", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\b[\w.+-]+@[\w-]+\.[\w.-]+\b")
_SPACES = re.compile(r"[^\S\n]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")

_SENTENCE_ENDS = re.compile(r"(?<=[.!?\u2026])[\"')\]\u201d\u2019]*\s+(?=[^\sa-z])|(?<=[\u3002\uff01\uff1f])\s*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|incl|no|dr|mr|mrs|ms|prof|st|z\.b|bzw|ca|usw|p\.ej)\.|\b[A-Z]\.)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence or list item; ``lead`` is the heading or the "... :" line it stands under."""

    text: str
    lead: str = ""

    @property
    def with_lead(self) -> str:
        """What the sentence says together with what introduces it."""
        return f"{self.lead} {self.text}".strip()


def plain_text(source: str | None) -> str:
    """The words alone, one line for each paragraph, heading or list item; no markup, no addresses."""
    return "\n".join(line.lstrip(_MARKS) for line in _lines(source))


def sentences(source: str | None) -> tuple[Sentence, ...]:
    """The sentences in order; a list's items and the text under a heading know what leads them."""
    found: list[Sentence] = []
    heading = lead = ""
    lines = _lines(source)
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        words = line.lstrip(_MARKS)
        if line.startswith(_HEADING):
            heading, lead = words, ""
        elif line.startswith(_ITEM):
            found.append(Sentence(words, lead or heading))
        else:
            *parts, last = _split(words)
            lead = last.rstrip(":") if words.endswith(":") else ""
            if not (lead and following.startswith(_ITEM)):
                parts.append(last)
            found.extend(Sentence(part, heading) for part in parts)
    return tuple(found)


def clip(text: str, limit: int) -> str:
    """At most ``limit`` characters, cut between words where that costs less than a fifth."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit * 0.8 else cut).rstrip() + "\u2026"


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark")


def _lines(source: str | None) -> list[str]:
    if not source:
        return []
    markup = _markdown().render(_CONTROLS.sub("", source[:SOURCE_LIMIT]))
    markup = _ITEM_BEGINS.sub(f"\n{_ITEM} ", markup)
    markup = _HEADING_BEGINS.sub(f"\n{_HEADING} ", markup)
    markup = _BLOCK_ENDS.sub("\n", markup)
    text = html.unescape(nh3.clean(markup, tags=set()))
    text = _CONTROLS.sub("", _ADDRESS.sub("", text))
    lines: list[str] = []
    for raw in text.split("\n"):
        line = _SPACES.sub(" ", raw).strip()
        if not line.strip(_MARKS):
            continue
        # A text wrapped by hand goes on in lower case; a new line in a form's field begins a sentence.
        if lines and line[0].islower() and not lines[-1].endswith((".", "!", "?", ":")):
            lines[-1] = f"{lines[-1]} {line}"
        else:
            lines.append(line)
    return lines


def _split(line: str) -> list[str]:
    parts: list[str] = []
    for piece in _SENTENCE_ENDS.split(line):
        if parts and _ABBREVIATION.search(parts[-1]):
            parts[-1] = f"{parts[-1]} {piece}"
        elif piece.strip():
            parts.append(piece.strip())
    return parts

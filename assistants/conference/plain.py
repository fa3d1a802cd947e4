"""Text from outside, made harmless for markdown: it may say anything and look like nothing but text."""

from __future__ import annotations

import re

__all__ = ["escaped", "first_sentence", "plain"]

_TAG = re.compile(r"<[^<>]{0,500}>")
_IMAGE = re.compile(r"!\[([^\]\n]{0,300})\]\([^)\n]{0,1000}\)")
_LINK = re.compile(r"\[([^\]\n]{0,300})\]\([^)\n]{0,1000}\)")
_MARKS = re.compile(r"(?m)^\s*(?:#{1,6}\s+|>\s?|[-*+]\s+|\d+[.)]\s+)|(\*\*|~~|`+)")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]{1,300})(?<=\S)\*(?![\w*])")
_RULE = re.compile(r"(?m)^\s*(?:-{3,}|\*{3,}|_{3,})\s*$|(?<=\s)-{3,}(?=\s)")
_BULLET = re.compile(r"(?<=\s)[*•]\s")
_BARE_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>`]+|[\w.+-]+@[\w-]+\.[\w.-]+", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\`*_\[\]<>~|#])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+(?=[\"“„«(]?[A-ZÀ-Þ0-9])")
_SHORT_SENTENCE = 30
_ADDRESS_CHARS = 60
"""Longer ones nobody types off; their host tells where they lead."""


def plain(text: str) -> str:
    """One line of words: no tags, links, images, markdown or control characters; addresses stay as words."""
    text = _IMAGE.sub(r"\1", text)
    text = _LINK.sub(r"\1", text)
    text = _TAG.sub(" ", text)
    text = _MARKS.sub(" ", _RULE.sub(" ", text))
    text = _BULLET.sub("", _EMPHASIS.sub(r"\1", text))
    return " ".join(_CONTROL.sub(" ", text).split())


def escaped(text: str) -> str:
    """``plain`` text that markdown renders as it stands: no character works, no address becomes a link."""
    text = plain(text)
    pieces: list[str] = []
    end = 0
    for match in _BARE_ADDRESS.finditer(text):
        address = match[0].rstrip(".,;:!?)")
        shown = address if len(address) <= _ADDRESS_CHARS else "/".join(address.split("/")[:3]) + "/…"
        pieces += [_SPECIAL.sub(r"\\\1", text[end : match.start()]), f"`{shown}`"]
        end = match.start() + len(address)
    return "".join([*pieces, _SPECIAL.sub(r"\\\1", text[end:])])


def first_sentence(text: str, most: int = 180) -> str:
    """The beginning of a text as one plain sentence of at most ``most`` characters."""
    sentences = _SENTENCE.split(plain(text))
    sentence = sentences[0] if sentences else ""
    if len(sentence) < _SHORT_SENTENCE and len(sentences) > 1:
        sentence = f"{sentence} {sentences[1]}"
    if len(sentence) <= most:
        return sentence
    return sentence[:most].rsplit(" ", 1)[0].rstrip(" ,;:.") + " …"

"""A visitor's question, made fit to be kept: normal form, no control characters, not empty."""

from __future__ import annotations

import unicodedata
from typing import Final

from services.errors import InvalidInputError

__all__ = ["MAX_QUESTION_CHARS", "clean_question"]

MAX_QUESTION_CHARS: Final = 8000
"""Two or three pages; a conference question is a line or two."""

_KEPT_CONTROLS: Final = frozenset("\n\t")

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
"""Unicode categories that alone make no question: control, format (zero width), separators."""


def clean_question(text: str) -> str:
    """The text in NFC, its control characters removed, every line end a line feed, its ends trimmed.

    Format characters stay: emoji families and several scripts are joined by them. Raises
    InvalidInputError when nothing visible is left, or more than MAX_QUESTION_CHARS characters.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    visible = "".join(char for char in lines if char in _KEPT_CONTROLS or unicodedata.category(char) != "Cc")
    cleaned = unicodedata.normalize("NFC", visible).strip()
    if all(unicodedata.category(char) in _INVISIBLE for char in cleaned):
        message = "text: is empty; please write a question"
        raise InvalidInputError(message)
    if len(cleaned) > MAX_QUESTION_CHARS:
        message = f"text: has {len(cleaned)} characters; at most {MAX_QUESTION_CHARS} can be asked at once"
        raise InvalidInputError(message)
    return cleaned

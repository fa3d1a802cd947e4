"""Texts on their way to an embedder: never empty, never longer than a model can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["bounded_text", "by_length", "estimated_tokens", "token_batches"]

_BLANK = "."
"""Stands for a text with nothing in it: models refuse the empty string or answer a zero vector."""

_ASCII_CHARS_PER_TOKEN = 3.0
_OTHER_TOKENS_PER_CHAR = 1.5
"""Tokens by characters, on the safe side: English runs at 4 characters a token; CJK and emoji at 1 to 2 tokens each."""


def bounded_text(text: str, max_chars: int) -> str:
    """The text without NULs and outer blanks, cut to ``max_chars``; a placeholder for a blank one."""
    return text[: max_chars * 2].replace("\x00", " ").strip()[:max_chars] or _BLANK


def estimated_tokens(text: str) -> int:
    """An upper guess at the tokens of a text, by its characters; no tokenizer is downloaded for it."""
    other = sum(not char.isascii() for char in text)
    return int((len(text) - other) / _ASCII_CHARS_PER_TOKEN + other * _OTHER_TOKENS_PER_CHAR) + 1


def token_batches(texts: Sequence[str], *, max_texts: int, max_tokens: int) -> Iterator[list[str]]:
    """Batches in order, of at most ``max_texts`` texts and ``max_tokens`` guessed tokens (one text may have more)."""
    batch: list[str] = []
    tokens = 0
    for text in texts:
        cost = estimated_tokens(text)
        if batch and (len(batch) >= max_texts or tokens + cost > max_tokens):
            yield batch
            batch, tokens = [], 0
        batch.append(text)
        tokens += cost
    if batch:
        yield batch


def by_length(texts: Sequence[str]) -> list[int]:
    """Positions from the shortest text to the longest: batches pad to their longest, so likes go together."""
    return sorted(range(len(texts)), key=lambda position: len(texts[position]))

"""Links in answers: only to hosts that an assistant trusts, and never a picture.

A model that was talked into it can write a link or a picture whose address carries what it read away, or leads a
visitor to someone else's page. What it was told not to do is made impossible here, in code and on a growing text:
an address is held back until it is whole, so that nothing appears which would be taken away again.

Only addresses are looked at, from left to right, not markdown's whole grammar: the target of ``](…)``, what begins
with a scheme or ``www.``, and what stands in ``<…>``. A picture loses its mark and is a link like any other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["host_of", "without_foreign_links"]

REMOVED = "…"
"""What stands where a bare address stood."""

_LONGEST_TARGET = 2000
"""What is not closed within so many characters is no link's target (browsers' addresses end about there)."""

_DEEPEST = 4
"""Brackets within brackets in a target; more are no address of anyone's."""

_MARKS = ("![", "](", "https:/", "http:/", "ftp:/", "file:/", "wss:/", "ws:/", "www.", "//")
_AUTOLINK = re.compile(r"<[a-z][a-z0-9+.\-]{1,31}:", re.IGNORECASE)
_AUTOLINK_BEGUN = re.compile(r"<(?:[a-z][a-z0-9+.\-]{0,31})?\Z", re.IGNORECASE)
_START = re.compile(r"!\[|\]\(|(?:https?|ftp|file|wss?):/|www\.|//|<", re.IGNORECASE)
_BARE = re.compile(r"[^\s<>]*")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def host_of(address: str) -> str | None:
    """The host of an http address, in lower case; None for anything else, and for what readers disagree on."""
    plain = _ESCAPED.sub(r"\1", address.strip().strip("<>"))
    if "\\" in plain or any(character.isspace() or not character.isprintable() for character in plain):
        return None  # browsers read a backslash as a slash and pass over line breaks, others don't
    if plain.lower().startswith("www."):
        plain = f"https://{plain}"
    try:
        parts = urlsplit(plain)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc or not host or not host.isascii():
        return None
    return host.rstrip(".")


def without_foreign_links(text: str, hosts: Collection[str], *, whole: bool) -> str:
    """The text with links to ``hosts`` and their subdomains alone; of other links the label stays.

    ``whole`` is False while the text still grows: then its end is held back as far as it may be part of an address.
    What is given for a text's beginning is a beginning of what is given for all of it.
    """
    kept: list[str] = []
    at = 0
    while at < len(text):
        found = _START.search(text, at)
        if found is None:
            break
        kept.append(text[at : found.start()])
        at = found.start()
        step = _step(text, at, hosts, whole=whole)
        if step is None:
            return "".join(kept)
        shown, at = step
        kept.append(shown)
    rest = text[at:]
    return "".join(kept) + (rest if whole else rest[: len(rest) - _may_go_on(rest)])


def _step(text: str, at: int, hosts: Collection[str], *, whole: bool) -> tuple[str, int] | None:
    """What is shown of what begins at ``at``, and where to go on; None while that can't be told."""
    if text.startswith("![", at):
        return "", at + 1
    if text.startswith("](", at):
        return _target(text, at, hosts, whole=whole)
    if text[at] == "<" and not _AUTOLINK.match(text, at):
        may_become_one = not whole and _AUTOLINK_BEGUN.match(text, at)
        return None if may_become_one else ("<", at + 1)
    return _bare(text, at, hosts, whole=whole)


def _bare(text: str, at: int, hosts: Collection[str], *, whole: bool) -> tuple[str, int] | None:
    """An address that stands for itself, or in ``<…>``."""
    in_brackets = text[at] == "<"
    address = _BARE.match(text, at + in_brackets)
    end = address.end() if address else at
    if end == len(text) and not whole:
        return None
    if text[at:end] == "//":
        return "//", end  # as in a line of code
    if in_brackets and text.startswith(">", end):
        end += 1
    return (text[at:end] if _is_trusted(_trimmed(text[at:end]), hosts) else REMOVED), end


def _target(text: str, at: int, hosts: Collection[str], *, whole: bool) -> tuple[str, int] | None:
    """A link's target, from its ``](`` on."""
    depth = 0
    is_open = len(text) < at + 1 + _LONGEST_TARGET
    for end in range(at + 1, min(len(text), at + 1 + _LONGEST_TARGET)):
        if text[end - 1] == "\\":
            continue
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth == 0:
            words = text[at + 2 : end].split(maxsplit=1)
            return (text[at : end + 1] if words and _is_trusted(words[0], hosts) else "]"), end + 1
        if depth > _DEEPEST:
            is_open = False
            break
    # Never closed: text like any other, and what is in it is looked at for itself.
    return None if is_open and not whole else ("](", at + 2)


def _is_trusted(address: str, hosts: Collection[str]) -> bool:
    host = host_of(address)
    return host is not None and any(host == trusted or host.endswith(f".{trusted}") for trusted in hosts)


def _trimmed(bare: str) -> str:
    return bare.strip("<>").rstrip(".,;:!?*_~'\")]")


def _may_go_on(rest: str) -> int:
    """How many of the last characters may be the beginning of a mark."""
    end = rest[-max(map(len, _MARKS)) :].lower()
    return next((n for n in range(len(end), 0, -1) if any(mark.startswith(end[-n:]) for mark in _MARKS)), 0)

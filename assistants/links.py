"""Links in answers: only to hosts that an assistant trusts, and never a picture.

A model that was talked into it can write a link or a picture whose address carries what it read away, or leads a
visitor to someone else's page. What it was told not to do is made impossible here, in code and on a growing text:
an address is held back until it is whole, so that nothing appears which would be taken away again.

Only addresses are looked at, from left to right, not markdown's whole grammar: the target of ``](…)``, what begins
with a scheme or ``www.``, and what stands in ``<…>``, each after its spelling was made plain. Every ``](`` that is
left leads to a trusted host, whatever it turns out to be part of. A picture loses its mark and is a link like any
other; ``[label]: …``, to which links elsewhere could refer, is text. So is an address of mail.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assistants.addresses import host_of, is_host_alone, plainly_spelt

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["without_foreign_links"]

REMOVED = "…"
"""What stands where a bare address stood."""

_LONGEST_TARGET = 2000
"""What is not closed within so many characters is no link's target (browsers' addresses end about there)."""

_DEEPEST = 4
"""Brackets within brackets in a target; more are no address of anyone's."""

_MARKS = ("](", "https:/", "http:/", "ftp:/", "file:/", "wss:/", "ws:/", "mailto:", "xmpp:", "www.", "//")
_SCHEME = r"(?:https?|ftp|file|wss?):/|(?:mailto|xmpp):(?=\S)|www\."
_START = re.compile(rf"(?=[!\]hfwmx/<])(?:(?<!!)!++\[|\][(:]|{_SCHEME}|//|<)", re.IGNORECASE)
"""The first letters by themselves, which makes looking through a text four times as fast (2 KB: 0.13 ms to 0.03)."""
_ANOTHER = re.compile(_SCHEME, re.IGNORECASE)
_HEAD = re.compile(r"(?:https?://)?(?:www\.)?", re.IGNORECASE)
_AUTOLINK = re.compile(r"<[a-z][a-z0-9+.\-]{1,31}:", re.IGNORECASE)
_MAIL = re.compile(r"<[a-z0-9.!#$%&'*+/=?^_`{|}~\-]+@", re.IGNORECASE)
_AUTOLINK_BEGUN = re.compile(r"<[a-z0-9.!#$%&'*+/=?^_`{|}~\-]*\Z", re.IGNORECASE)
_BARE = re.compile(r"(?:[^\s<>\[\]!]|!++(?!\[))*+")
"""Up to where a link or picture may begin or end: ``https://good.org/](https://evil.example)`` is two."""
_TARGET = re.compile(r"\s*<?([^\s<>]*)")
_NOT_OF_ADDRESSES = re.compile(r"[\s<>\[\]]")


def without_foreign_links(text: str, hosts: Collection[str], *, whole: bool) -> str:
    """The text with links to ``hosts`` and their subdomains alone; of other links the label stays.

    ``whole`` is False while the text still grows: then its end is held back as far as it may be part of an address.
    What is given for a text's beginning is a beginning of what is given for all of it.
    """
    text = plainly_spelt(text, whole=whole)
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
        if shown == "]" and text.startswith(("(", ":"), at):
            kept.append("\\")  # what followed a target that was taken out does not take its place
    rest = text[at:]
    return "".join(kept) + (rest if whole else rest[: len(rest) - _may_go_on(rest)])


def _step(text: str, at: int, hosts: Collection[str], *, whole: bool) -> tuple[str, int] | None:
    """What is shown of what begins at ``at``, and where to go on; None while that can't be told."""
    if text[at] == "!":
        return "", text.index("[", at)
    if text.startswith("](", at):
        return _target(text, at, hosts, whole=whole)
    if text.startswith("]:", at):
        return "]\\:", at + 2
    if text[at] == "<" and not _AUTOLINK.match(text, at):
        if _MAIL.match(text, at):
            return "\\<", at + 1
        may_become_one = not whole and _AUTOLINK_BEGUN.match(text, at)
        return None if may_become_one else ("<", at + 1)
    return _bare(text, at, hosts, whole=whole)


def _bare(text: str, at: int, hosts: Collection[str], *, whole: bool) -> tuple[str, int] | None:
    """An address that stands for itself, or in ``<…>``."""
    in_brackets = text[at] == "<"
    begin = at + in_brackets
    address = _BARE.match(text, begin)
    end = address.end() if address else begin
    if end == len(text) and not whole:
        return None
    if text[at:end] == "//":
        return "//", end  # as in a line of code
    is_closed = in_brackets and text.startswith(">", end)
    # What trails behind it may be read as another one: ``**https://good.org/**https://evil.example``.
    other = _another(text, begin, end)
    own_end = end if other is None else other
    own = _trimmed(text[begin:own_end])
    goes_on = other is not None or (in_brackets and not is_closed)
    if _is_trusted(own, hosts) and not (goes_on and is_host_alone(own)):
        own_end += is_closed and other is None
        return text[at:own_end], own_end
    return REMOVED, end + is_closed


def _target(text: str, at: int, hosts: Collection[str], *, whole: bool) -> tuple[str, int] | None:
    """A link's target, from its ``](`` on: its address if that is trusted, so that what follows is looked at too."""
    depth = 0
    is_open = len(text) < at + 1 + _LONGEST_TARGET
    for end in range(at + 1, min(len(text), at + 1 + _LONGEST_TARGET)):
        if text[end - 1] == "\\":
            continue
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth == 0:
            found = _TARGET.match(text, at + 2, end)
            if found and _is_trusted(found[1], hosts):
                # A host ends with a slash, or what follows may become part of it: \[x](https://good.org).evil.example
                return text[at : found.end()] + "/" * is_host_alone(found[1]), found.end()
            return "]", end + 1
        if depth > _DEEPEST:
            is_open = False
            break
    # Never closed, or too far off: text like any other, and what is in it is looked at for itself.
    return None if is_open and not whole else ("]\\(", at + 2)


def _is_trusted(address: str, hosts: Collection[str]) -> bool:
    """Whether it leads to a trusted host, and is one address in whatever way it is read."""
    host = host_of(address)
    if host is None or not any(host == trusted or host.endswith(f".{trusted}") for trusted in hosts):
        return False
    return not _NOT_OF_ADDRESSES.search(address) and _another(address, 0, len(address)) is None


def _another(text: str, begin: int, end: int) -> int | None:
    """Where within an address another one begins."""
    head = _HEAD.match(text, begin, end)
    found = _ANOTHER.search(text, head.end() if head else begin, end)
    return found.start() if found else None


def _trimmed(bare: str) -> str:
    return bare.rstrip(".,;:!?*_~'\")`|}")


def _may_go_on(rest: str) -> int:
    """How many of the last characters may be the beginning of a mark."""
    if rest.endswith("!"):
        return len(rest) - len(rest.rstrip("!"))
    end = rest[-max(map(len, _MARKS)) :].lower()
    return next((n for n in range(len(end), 0, -1) if any(mark.startswith(end[-n:]) for mark in _MARKS)), 0)

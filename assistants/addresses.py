r"""Addresses as every reader of markdown takes them: the host of one, and texts whose addresses are spelt plainly.

Markdown lets the same address be written with backslashes and entities (``https\:&sol;/…``). Whoever judges
addresses has to undo that first, or judge another address than the one that is opened.
"""

from __future__ import annotations

import html
import re

__all__ = ["host_of", "is_host_alone", "plainly_spelt"]

_ADDRESS = re.compile(r"(?:https?://|(?=www\.))(?P<host>[a-z0-9._\-]+)(?::\d{1,5})?(?=[/?#]|\Z)", re.IGNORECASE)
"""Stricter than any browser: what readers may disagree on (users, backslashes, entities, other letters) is none."""

_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});\Z", re.IGNORECASE)
_LONGEST_ENTITY = 34
_ADDRESS_SIGNS = ":/.@"
_ESCAPES = re.compile(r"(?<!\\)\\++(?=[:/@])|(?<=www)\\++(?=\.)", re.IGNORECASE)
_ASCII = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SPELLING_BEGINS = re.compile(r"[\\&]")


def host_of(address: str) -> str | None:
    """The host of an http address, in lower case; None for anything else, and for what readers disagree on."""
    plain = address.strip()
    found = _ADDRESS.match(plain)
    if found is None or any(character.isspace() or not character.isprintable() for character in plain):
        return None
    return found["host"].lower().removesuffix(".")


def is_host_alone(address: str) -> bool:
    """Whether nothing follows the host and its port, so that a letter more would be another host."""
    found = _ADDRESS.match(address)
    return found is not None and found.end() == len(address)


def plainly_spelt(text: str, *, whole: bool) -> str:
    """The text with the letters and signs of addresses as themselves, where they were entities or had backslashes.

    ``whole`` is False while the text still grows: then a spelling that may go on is held back. Other entities and
    escapes stay, so nothing becomes markup that was none.
    """
    if "&" in text:
        text = _without_entities(text)
    if not whole:
        rest = text.rstrip(f"{_ASCII}\\&#")
        begun = _SPELLING_BEGINS.search(text, len(rest))
        text = text[: begun.start()] if begun else text
    return _ESCAPES.sub("", text) if "\\" in text else text


def _without_entities(text: str) -> str:
    """One pass from the left, in which what was decoded counts for the next: ``&#10&#52;;`` is an ``h`` too."""
    *pieces, last = text.split(";")
    done: list[str] = []
    end = ""  # of what is done, as far back as an entity may begin
    for piece in pieces:
        end += piece + ";"
        if (found := _ENTITY.search(end, max(0, len(end) - _LONGEST_ENTITY))) and _is_of_addresses(found[0]):
            end = end[: found.start()] + html.unescape(found[0])
        done.append(end[:-_LONGEST_ENTITY])
        end = end[-_LONGEST_ENTITY:]
    return "".join([*done, end, last])


def _is_of_addresses(entity: str) -> bool:
    character = html.unescape(entity)
    return len(character) == 1 and character in _ASCII + _ADDRESS_SIGNS

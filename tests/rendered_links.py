"""Where a text leads once it is rendered: by a parser of markdown, not by looking for addresses in its source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

__all__ = ["rendered_links", "rendered_pictures"]

_BARE = re.compile(r"(?:(?:https?|ftp)://|www\.|(?:mailto|xmpp):)[^\s<>\[\]…]+", re.IGNORECASE)
"""What GitHub's markdown makes links of in running text, but for addresses of mail; without what no host can hold."""
_TRAILING = ".,;:!?*_~'\")]`|}"


class _Credulous(MarkdownIt):
    """Takes any scheme, for other renderers may be less careful than this one."""

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - markdown-it's own name
        return True


_parser = _Credulous("commonmark")


def rendered_links(text: str) -> list[str]:
    """The addresses of all links and pictures, decoded as markdown decodes them, and the bare ones."""
    found: list[str] = []
    for token in _inline(text):
        if token.type in {"link_open", "image"}:
            found.append(str(token.attrs.get("href") or token.attrs.get("src") or ""))
        elif token.type == "text":
            found += [address.rstrip(_TRAILING) for address in _BARE.findall(token.content)]
    return found


def rendered_pictures(text: str) -> list[str]:
    """The addresses of all pictures."""
    return [str(token.attrs.get("src")) for token in _inline(text) if token.type == "image"]


def _inline(text: str) -> Iterator[Token]:
    for block in _parser.parse(text):
        yield from block.children or ()

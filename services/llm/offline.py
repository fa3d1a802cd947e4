"""The provider that needs no model and cannot fail: it streams a text that was written without one."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from services.errors import ProviderRejectedError
from services.llm.calls import AnswerEnd, Parsed, Prompt, TextDelta

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.llm.calls import SchemaT

__all__ = ["OFFLINE", "READING_PACE_S", "OfflineProvider"]

OFFLINE = "offline"

READING_PACE_S = 0.01
"""Between words shown to people: an answer of 200 words grows for two seconds, about as a fast model writes it."""

_PIECE = re.compile(r"\S+\s*|\s+")


class OfflineProvider:
    """Streams ``text`` word by word, ``pace_s`` seconds apart (0: as fast as it is read)."""

    name = OFFLINE

    def __init__(self, text: str = "", *, pace_s: float = 0.0) -> None:
        self._text = text
        self._pace_s = pace_s

    def saying(self, text: str) -> OfflineProvider:
        """A provider of the same pace with something to say."""
        return OfflineProvider(text, pace_s=self._pace_s)

    async def parse(self, prompt: Prompt, schema: type[SchemaT]) -> Parsed[SchemaT]:
        """There is no model to understand anything: always ProviderRejectedError."""
        del prompt
        raise ProviderRejectedError(self.name, f"no model is there to give a {schema.__name__}")

    async def stream(self, prompt: Prompt) -> AsyncIterator[TextDelta | AnswerEnd]:
        """The text, then a degraded end."""
        del prompt
        for piece in _PIECE.findall(self._text):
            # Also without a pace others get their turn: a long text must not hold up the loop.
            await asyncio.sleep(self._pace_s)
            yield TextDelta(piece)
        yield AnswerEnd(provider=self.name, model=self.name, degraded=True)

    async def aclose(self) -> None:
        """Nothing is open."""

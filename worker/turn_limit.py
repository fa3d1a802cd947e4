"""``TurnLimit``: how many turns one conversation may begin in a minute, whoever wrote its questions.

The receiver holds visitors to the same figure; this is for rows that a client writes into Directus by
itself, and it counts what Directus says, never what a hook's payload claims.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from assistants.language import DEFAULT_LANGUAGE, LanguageGuesser
from services.errors import RateLimitedError
from services.logging import get_logger
from worker.answer_row import blocked_fields, question_marks

if TYPE_CHECKING:
    from services.rate_limits import RateLimits
    from worker.turn import Turn
    from worker.turn_watch import LiveTurn

__all__ = ["TurnLimit"]

log = get_logger(__name__)

_TOLD = {
    "en": "You have asked a great deal within a minute, so I have not looked this up. "
    "Please ask again in {wait} seconds.",
    "de": "Das waren sehr viele Fragen in einer Minute, darum habe ich hier nicht nachgesehen. "
    "Bitte fragen Sie in {wait} Sekunden noch einmal.",
    "fr": "Vous avez posé beaucoup de questions en une minute, je n'ai donc pas cherché de réponse à celle-ci. "
    "Merci de la poser à nouveau dans {wait} secondes.",
    "es": "Ha hecho muchas preguntas en un minuto, así que no he buscado una respuesta a esta. "
    "Por favor, pregunte de nuevo dentro de {wait} segundos.",
}


class TurnLimit:
    """Counts the turns of conversations, and answers those beyond the limit without any model."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._guesser: LanguageGuesser | None = None

    async def turns_away(self, live: LiveTurn) -> bool:
        """Count a turn that begins; past the limit, say so in its answer, with the seconds to wait, and give True."""
        turn = live.turn
        try:
            await self._limits.spend("turn:conversation", turn.conversation_id)
        except RateLimitedError as error:
            language = await self._language_of(turn)
            text = _TOLD[language].format(wait=math.ceil(error.retry_after_s))
            log.info("turn.over_limit", conversation_id=turn.conversation_id, retry_after_s=error.retry_after_s)
        else:
            return False
        await live.answer.finish(text, blocked_fields(turn, language), question_marks(turn))
        return True

    async def _language_of(self, turn: Turn) -> str:
        """The question's language, or that of what the visitor said before; English where we have no sentence in it."""
        if self._guesser is None:  # half a second, and only where somebody is over the limit
            self._guesser = await asyncio.to_thread(LanguageGuesser)
        earlier = [said.text for said in turn.history if said.role == "user"]
        guessed = self._guesser.guess(turn.question, earlier)
        return guessed if guessed in _TOLD else DEFAULT_LANGUAGE

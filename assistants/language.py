"""Which language a question is in, guessed on the spot: py3langid, held to the languages of visitors."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from py3langid.langid import MODEL_FILE, LanguageIdentifier

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_LANGUAGE", "LANGUAGES", "LANGUAGE_NAMES", "LanguageGuesser"]

DEFAULT_LANGUAGE = "en"

LANGUAGE_NAMES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "nl": "Dutch",
    "pt": "Portuguese",
    "pl": "Polish",
    "cs": "Czech",
    "ru": "Russian",
    "uk": "Ukrainian",
    "ja": "Japanese",
    "zh": "Chinese",
    "ko": "Korean",
    "ar": "Arabic",
}
LANGUAGES = tuple(LANGUAGE_NAMES)
"""The fewer languages, the fewer short questions go astray: of 97 the model takes "RAG" for Maltese."""

_MIN_WORDS = 3
"""Below this a Latin text is mostly names ("Łukasz Langa" is no question in Polish)."""

_MIN_PROBABILITY = 0.75
"""On the 60 questions of the sample conference and 30 short ones in four languages, every wrong guess
of three words or more lay below this and every right one but two above."""

_GUESS_CHARS = 500
"""More text makes the guess no better."""

_TELLING_WORDS = {
    "de": "hallo danke vielen dank bitte guten tag moin wo wer wann was welche vorträge aussteller morgen heute hilfe",
    "fr": "bonjour salut merci beaucoup où qui quand quels quelles exposants conférences demain aujourd'hui aide",
    "es": "hola gracias muchas buenos días dónde quién cuándo qué cuáles charlas expositores mañana hoy ayuda",
}
"""For one or two words: only words that are of one of these languages and no English."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")


class LanguageGuesser:
    """Guesses ISO 639-1 codes out of ``LANGUAGES``; 0.05 ms a question, 0.5 s to load the first."""

    def __init__(self) -> None:
        self._model = _model()
        self._telling = {word: code for code, words in _TELLING_WORDS.items() for word in words.split()}

    def guess(self, text: str, earlier: Sequence[str] = ()) -> str:
        """The language of ``text``; when it does not tell, that of ``earlier`` (newest last), else English."""
        for candidate in (text, *reversed(earlier)):
            code = self._tell(candidate)
            if code is not None:
                return code
        return DEFAULT_LANGUAGE

    def _tell(self, text: str) -> str | None:
        text = text[:_GUESS_CHARS]
        words = _WORD.findall(text.lower())
        if not words:
            return None
        latin = bool(_LATIN.search(text))
        if latin and len(words) < _MIN_WORDS:
            hints = {self._telling[word] for word in words if word in self._telling}
            return hints.pop() if len(hints) == 1 else None
        code, probability = self._model.rank(text)[0]
        return str(code) if probability >= _MIN_PROBABILITY else None


@cache
def _model() -> LanguageIdentifier:
    """The process's one model: it is only read, and every guesser's is the same."""
    everything = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    everything.set_languages(list(LANGUAGES))
    # Made anew of the languages left, since the model keeps the table of all 142: 25 MB, measured.
    return LanguageIdentifier(
        everything.nb_ptc,
        everything.nb_pc,
        everything.nb_classes,
        everything.tk_nextmove,
        everything.tk_output,
        norm_probs=True,
        tk_row=everything.tk_row,
    )

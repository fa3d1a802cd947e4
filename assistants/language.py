"""Which language a question is in, guessed on the spot: py3langid, held to the languages of visitors."""

from __future__ import annotations

import re
from array import array
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from py3langid.langid import MODEL_FILE, LanguageIdentifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["DEFAULT_LANGUAGE", "LANGUAGES", "LANGUAGE_NAMES", "InBlocks", "LanguageGuesser"]

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


_BLOCK_BITS = 4
"""Blocks of 16: 6.0 MB for the whole table; with 8 it is 7.0, with 32 it is 7.5."""


class InBlocks:
    """A table of numbers, each block of it kept once: 6 MB of 39 for the model's next states (py3langid 0.4).

    A state's 256 followers are nearly all those of the state that it falls back to: of 613,536 blocks 55,779
    differ. It is read by place as the whole table is; a question takes 0.028 ms where it took 0.023.
    """

    __slots__ = ("_blocks", "_which")

    def __init__(self, table: array[int]) -> None:
        size = 1 << _BLOCK_BITS
        rows: NDArray[np.uint32] = np.asarray(table, dtype=np.uint32).reshape(-1, size)
        blocks, which = np.unique(rows.view(f"V{rows.itemsize * size}").ravel(), return_inverse=True)
        # Arrays give Python's own numbers; numpy's would slow down each step of the walk.
        self._blocks = array("I", blocks.tobytes())
        self._which = array("I", which.astype(np.uint32).tobytes())

    @property
    def nbytes(self) -> int:
        """What it holds."""
        return len(self._blocks) * self._blocks.itemsize + len(self._which) * self._which.itemsize

    def __getitem__(self, place: int) -> int:
        return self._blocks[self._which[place >> _BLOCK_BITS] << _BLOCK_BITS | place & (1 << _BLOCK_BITS) - 1]


@cache
def _model() -> Any:  # noqa: ANN401 - py3langid ships no types
    """The model of the languages of visitors, once in a process: 13 MB, where as it comes it holds 54 (measured)."""
    everything = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    everything.set_languages(list(LANGUAGES))
    # Made anew of the languages left, since the model keeps the table of all 142: 25 MB.
    model = LanguageIdentifier(
        everything.nb_ptc,
        everything.nb_pc,
        everything.nb_classes,
        InBlocks(everything.tk_nextmove),
        array("i", everything.tk_output),  # 0.4 MB; as the list that it comes as, 4 MB
        norm_probs=True,
        tk_row=everything.tk_row,
    )
    model._rowbase = array("I", model._rowbase)  # noqa: SLF001 - made as a list: 4 MB as well
    return model


class LanguageGuesser:
    """Guesses ISO 639-1 codes out of ``LANGUAGES``; 0.05 ms a question, a second to load the first one."""

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

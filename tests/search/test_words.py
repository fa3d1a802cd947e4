"""Words as they are compared: without accents, whatever keyboard they come from."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import pytest

from evals.conference import SAMPLE
from search.lexicon import Lexicon
from search.words import folded, sparse_text, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPED = """Adam Zika; Anna Pristoupilova; Bernat Gabor; Bilge Yucel; Cristian Maureira-Fredes; Helena Gomez Pozo;
Honza Kral; Ivett Ordog; Jakub Beranek; Jan Musilek; Juan Luis Cano Rodriguez; Kacper Lukawski; Lukas Puhringer;
Lumir Balhar; Mai Gimenez; Marc-Andre Lemburg; Marian Spilka; Marin Aglic Cuvic; Marina Moro Lopez; Michal Karzynski;
Michal Rokita; Mike Muller; Mikulas Poul; Pavel Kral; Rodrigo Girao Serrao; Sviatoslav Sydorenko;
Vinicius Gubiani Ferreira; Cagil Ulusahin Sonmez; Lukasz Langa; Stepan Sindelar"""
"""The packaged conference's speakers whose names have accents, as an ASCII keyboard types them."""

words_of = cache(sparse_text)
"""The same texts are counted for every name."""

NAMES = [" ".join(name.split()) for name in TYPED.split(";")]


@pytest.fixture(scope="module")
def speakers() -> dict[str, str]:
    """Each speaker's own text, by the name as it is written."""
    rows = json.loads((SAMPLE / "speakers.json").read_text(encoding="utf-8"))
    return {row["name"]: f"{row['name']}\n{row.get('bio') or ''}" for row in rows}


@pytest.fixture(scope="module")
def lexicon(speakers: Mapping[str, str]) -> Lexicon:
    return Lexicon(speakers.values())


def test_all_names_with_accents_are_tried(speakers: Mapping[str, str]) -> None:
    """Thirty in the data, thirty above."""
    assert len(NAMES) == sum(not name.isascii() for name in speakers) == 30


@pytest.mark.parametrize("name", NAMES)
def test_a_name_typed_without_its_accents_is_found_whole(
    name: str, speakers: Mapping[str, str], lexicon: Lexicon
) -> None:
    """And by its own bearer best, without a correction."""
    wording = lexicon.wording(f"Who is {name}?")
    score = {
        bearer: sum(weight * words_of(text).get(number, 0.0) for number, weight in wording.weights.items())
        for bearer, text in speakers.items()
    }
    best = max(score, key=score.__getitem__)
    assert folded(best).startswith(folded(name))
    assert score[best] == pytest.approx(1.0)
    assert (wording.unknown_names, wording.corrected) == ((), {})


@pytest.mark.parametrize(
    ("written", "plain"),
    [("Łukasz", "lukasz"), ("STRASSE", "strasse"), ("Straße", "strasse"), ("Ærø", "aero"), ("İstanbul", "istanbul"),
     ("Йога", "иога"), ("東京", "東京"), ("हिन्दी", "हिन्दी"), ("한국", "한국")],
)  # fmt: skip
def test_marks_are_folded_and_other_scripts_left_whole(written: str, plain: str) -> None:
    """A mark on a letter goes; a vowel sign of Devanagari or a Korean syllable is no mark on a letter."""
    assert folded(written) == plain


def test_a_letter_and_its_mark_apart_are_one_word() -> None:
    """As macOS gives file names and some keyboards type."""
    (token,) = tokens(unicodedata.normalize("NFD", "Šindelář"))
    assert token.parts == ("sindelar",)

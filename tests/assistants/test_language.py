"""Which language a question is in; short ones take the conversation's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from assistants.language import InBlocks, LanguageGuesser


@pytest.fixture(scope="module")
def languages() -> LanguageGuesser:
    return LanguageGuesser()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Which talks are about testing?", "en"),
        ("What is Łukasz Langa doing at the conference?", "en"),
        ("and on Friday?", "en"),
        ("Welche Vorträge gibt es über Datenbanken?", "de"),
        ("Und am Freitag?", "de"),
        ("Quelles conférences parlent de tests ?", "fr"),
        ("et vendredi ?", "en"),
        ("¿Qué charlas hay sobre seguridad?", "es"),
        ("Quali talk ci sono sulla sicurezza?", "it"),
        ("テストについての講演は?", "ja"),
        ("Danke", "de"),
        ("merci", "fr"),
        ("gracias", "es"),
        ("RAG", "en"),
        ("Łukasz Langa", "en"),
        ("pgvector PostgreSQL", "en"),
        ("🙂", "en"),
        ("", "en"),
    ],
)
def test_a_question_tells_its_language(languages: LanguageGuesser, text: str, code: str) -> None:
    """Names and keywords alone are no other language; two words tell only if they are unmistakable."""
    assert languages.guess(text) == code


def test_a_short_question_takes_the_conversations_language(languages: LanguageGuesser) -> None:
    """The newest earlier question that tells decides."""
    earlier = ["Which talks are about testing?", "Welche Vorträge gibt es über Datenbanken?", "RAG"]
    assert languages.guess("Django?", earlier) == "de"


def test_the_question_outweighs_the_conversation(languages: LanguageGuesser) -> None:
    """Who changes language is answered in the new one."""
    assert languages.guess("Which talks are about testing?", ["Welche Vorträge gibt es?"]) == "en"


def test_every_question_of_the_sample_is_english(languages: LanguageGuesser) -> None:
    """None of the 60 judged questions goes astray."""
    lines = (Path(__file__).parents[2] / "cli" / "demo_data" / "queries.jsonl").read_text(encoding="utf-8")
    questions = [json.loads(line)["query"] for line in lines.splitlines()]
    assert {languages.guess(question) for question in questions} == {"en"}


def test_the_table_in_blocks_is_the_table() -> None:
    """A hundred thousand of its ten million places, spread over all, and in a fifth of the memory."""
    table = LanguageIdentifier.from_model_file(MODEL_FILE).tk_nextmove
    kept = InBlocks(table)
    in_order = np.fromiter((kept[place] for place in range(0, len(table), 97)), dtype=np.uint32)
    assert np.array_equal(in_order, np.asarray(table)[::97])
    assert kept.nbytes * 5 < len(table) * table.itemsize

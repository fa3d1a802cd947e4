"""What all questions share is taken out of a question, and what it is about stays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from search.filler import FILLER, Filler, has_subject, leaning_to, subject_words
from search.query import EntityType

if TYPE_CHECKING:
    from collections.abc import Sequence


class Axis:
    """Every text lies on the first axis."""

    family = "test"
    identity = "test-axis-2"
    dimensions = 2

    def __init__(self) -> None:
        self.calls = 0

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.calls += 1
        return [[1.0, 0.0] for _ in texts]

    async def aclose(self) -> None:
        """Nothing is open."""


async def test_the_filler_is_taken_out_and_the_rest_is_a_unit_vector() -> None:
    """Of a question half filler, half subject, mostly the subject is left."""
    vector = await Filler(Axis()).taken_out([math.sqrt(0.5), math.sqrt(0.5)], EntityType.SESSIONS)
    assert math.hypot(*vector) == pytest.approx(1.0)
    assert vector[1] > 0.99


async def test_a_question_of_nothing_but_filler_stays_as_it_is() -> None:
    """Its rest would be noise."""

    class Near(Axis):
        async def embed(self, texts: Sequence[str]) -> list[list[float]]:
            return [[1.4, 0.0] for _ in texts]  # 0.7 of it is the whole of the question

    assert await Filler(Near()).taken_out([1.0, 0.0], EntityType.SESSIONS) == [1.0, 0.0]


async def test_filler_is_embedded_once_for_each_type() -> None:
    """However many questions come."""
    embedder = Axis()
    filler = Filler(embedder)
    for _ in range(3):
        await filler.taken_out([0.6, 0.8], EntityType.SESSIONS)
        await filler.taken_out([0.6, 0.8], EntityType.SPEAKERS)
    assert embedder.calls == 2


@pytest.mark.parametrize("question", [one for said in FILLER.values() for one in said])
def test_ways_of_asking_name_no_subject(question: str) -> None:
    assert not has_subject(question)


@pytest.mark.parametrize("question", ["Which talks are about testing?", "databases", "Wer spricht über Kafka?"])
def test_a_question_about_something_names_it(question: str) -> None:
    assert has_subject(question)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Where can I learn what the interpreter does with RAM?", "interpreter RAM"),
        ("Which talk do you recommend?", ""),
        ("Ada Lovelace", "Ada Lovelace"),
        ("", ""),
    ],
)
def test_the_subject_is_what_is_left_without_ways_of_asking(question: str, words: str) -> None:
    assert subject_words(question) == words


def test_a_question_is_drawn_towards_its_subject_and_stays_of_length_one() -> None:
    """Nearer to the subject than before, and nearer to itself than to it."""
    drawn = leaning_to([1.0, 0.0], [0.0, 1.0])
    assert math.hypot(*drawn) == pytest.approx(1.0)
    assert 0 < drawn[1] < drawn[0]

"""What speaks for an answer: whole names and nearness; what speaks against it."""

from __future__ import annotations

import json
from functools import cache

import pytest

from evals.conference import SAMPLE
from search.evidence import evidence
from search.lexicon import Lexicon, Wording
from search.query import EntityType, Found
from search.words import sparse_text
from services.vectors import Hit

NEAR = 0.2
"""How near everything is in these tests."""

Profiles = dict[str, str]

words_of = cache(sparse_text)
"""The same profiles are counted for every question."""


@pytest.fixture(scope="module")
def profiles() -> Profiles:
    """The packaged conference's sessions and speakers: text by title or name."""
    found: Profiles = {}
    for kind, title, text in (("sessions", "title", "description"), ("speakers", "name", "bio")):
        for row in json.loads((SAMPLE / f"{kind}.json").read_text(encoding="utf-8")):
            found[row[title]] = f"{row[title]}\n{row.get(text) or ''}"
    return found


@pytest.fixture(scope="module")
def lexicon(profiles: Profiles) -> Lexicon:
    return Lexicon(profiles.values())


def found(*meanings: float) -> list[Found]:
    return [
        Found(str(at), EntityType.SPEAKERS, "", 0.0, 0, {}, {}, {"meaning": one}) for at, one in enumerate(meanings)
    ]


def hits(profiles: Profiles, wording: Wording) -> list[Hit]:
    """The profiles that share words with the question, best first, as the index finds them."""
    scored = []
    for name, text in profiles.items():
        score = sum(weight * words_of(text).get(number, 0.0) for number, weight in wording.weights.items())
        if score:
            scored.append(Hit(name, score, {"text": text, "name": name, "entity_type": "speakers"}))
    return sorted(scored, key=lambda hit: -hit.score)[:30]


def strength(question: str, profiles: Profiles, lexicon: Lexicon, *, filtered: bool = False) -> float:
    wording = lexicon.wording(question)
    return evidence(question, found(*[NEAR] * 3), wording, hits(profiles, wording), filtered=filtered).strength


@pytest.mark.parametrize(
    "question",
    [
        "What's the weather?",
        "Where is the guitar?",
        "Any coffee?",
        "Is there hiking?",
        "a cat",
        "wine?",
        "Is there chess?",
        "Who likes climbing?",
        "dinner",
        "the garden",
    ],
)
def test_one_word_that_a_text_mentions_by_the_way_is_no_match_word_for_word(
    question: str, profiles: Profiles, lexicon: Lexicon
) -> None:
    """Each of these words stands in somebody's text, and in no title or name."""
    wording = lexicon.wording(question)
    assert max(hit.score for hit in hits(profiles, wording)) >= 0.6
    assert strength(question, profiles, lexicon) == pytest.approx(NEAR)


@pytest.mark.parametrize("question", ["pytest", "Any Kubernetes?", "prague", "Who is Langa?", "mutation testing"])
def test_a_name_or_a_title_or_two_words_are_a_match(question: str, profiles: Profiles, lexicon: Lexicon) -> None:
    """In a title; written as a name here, or in the texts; two words that somebody's text has both."""
    assert strength(question, profiles, lexicon) == 1.0


@pytest.mark.parametrize(
    "question", ["Any penguins?", "Are there zeppelins or penguins?", "Who knows Beyoncé Knowles?"]
)
def test_what_nobody_here_speaks_of_counts_against_an_answer(
    question: str, profiles: Profiles, lexicon: Lexicon
) -> None:
    """A subject of one or two words that no text has; names that nobody bears."""
    assert strength(question, profiles, lexicon) == pytest.approx(NEAR - 0.12)


@pytest.mark.parametrize(
    "question", ["Gibt es einen Vortrag über Pinguine und Zeppeline?", "My penguins annoy zeppelins and walruses daily"]
)
def test_another_language_and_longer_questions_are_left_to_their_meaning(
    question: str, profiles: Profiles, lexicon: Lexicon
) -> None:
    """Who says it in his own words need not use the texts'."""
    assert strength(question, profiles, lexicon) == pytest.approx(NEAR)


def test_a_fact_that_no_row_has_counts_against_an_answer(profiles: Profiles, lexicon: Lexicon) -> None:
    """And its kind is told."""
    wording = lexicon.wording("How much does a training cost?")
    weighed = evidence("How much does a training cost?", found(NEAR), wording, [], filtered=False)
    assert weighed.strength == pytest.approx(NEAR - 0.12)
    assert weighed.unkept == "a price"
    assert strength("Is there training?", profiles, lexicon) == pytest.approx(NEAR)


def test_a_name_that_came_since_the_words_were_counted_is_not_unknown(profiles: Profiles, lexicon: Lexicon) -> None:
    """The index has it already: no text is read again to know."""
    question = "What does Xiomara Quispe say?"
    assert strength(question, profiles, lexicon) < NEAR
    assert strength(question, {**profiles, "Xiomara Quispe": "Xiomara Quispe"}, lexicon) == 1.0


def test_the_best_three_decide_and_the_best_alone_where_filters_narrow() -> None:
    near = found(0.9, 0.3, 0.3, 0.3)
    assert evidence("?", near, Wording(), [], filtered=False).strength == pytest.approx(0.5)
    assert evidence("?", near, Wording(), [], filtered=True).strength == pytest.approx(0.9)
    assert evidence("?", [], Wording(), [], filtered=True).strength == 0.0

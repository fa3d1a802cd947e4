"""What speaks for an answer: whole names and nearness; what speaks against it."""

from __future__ import annotations

import json
from functools import cache

import pytest

from evals.conference import SAMPLE
from search.evidence import Evidence, evidence, narrowed
from search.lexicon import Lexicon, Wording
from search.naming import less_chance
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


def hits(profiles: Profiles, wording: Wording) -> list[Hit]:
    """The profiles that share words with the question, best first, as the index finds them."""
    scored = []
    for name, text in profiles.items():
        score = sum(weight * words_of(text).get(number, 0.0) for number, weight in wording.weights.items())
        if score:
            scored.append(Hit(name, score, {"text": text, "name": name, "entity_type": "speakers"}))
    return sorted(scored, key=lambda hit: -hit.score)[:30]


def strength(question: str, profiles: Profiles, lexicon: Lexicon) -> float:
    wording = lexicon.wording(question)
    by_words = less_chance(hits(profiles, wording), wording)
    return evidence(question, [NEAR] * 3, wording, by_words).strength


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
    ("question", "against"),
    [
        ("Any penguins?", 0.16),
        ("Are there zeppelins or penguins?", 0.16),
        ("Who knows Beyoncé Knowles?", 0.16),
        ("Is there a zeppelin among the coffee machines?", 0.16 / 3),
        ("Does Beyoncé Knowles sing about coffee and about the garden?", 0.12),
    ],
)
def test_what_nobody_here_speaks_of_counts_against_an_answer(
    question: str, against: float, profiles: Profiles, lexicon: Lexicon
) -> None:
    """The share of a subject of up to three words that no text has; names that nobody bears, however long it is."""
    assert strength(question, profiles, lexicon) == pytest.approx(NEAR - against)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Are there zeppelins or penguins?", ("zeppelins", "penguins")),
        ("Penguins! Are there penguins?", ("Penguins", "penguins")),
        ("Is there a zeppelin among the coffee machines?", ("zeppelin",)),
        ("Any coffee?", ()),
        ("Is there a talk on pytest?", ()),
        ("My penguins annoy zeppelins and walruses daily", ()),
    ],
)
def test_the_words_that_count_against_an_answer_are_told_as_they_are_written(
    question: str, words: tuple[str, ...], profiles: Profiles, lexicon: Lexicon
) -> None:
    """None where nothing is counted: each has been heard of, or the question is too long to say."""
    wording = lexicon.wording(question)
    by_words = less_chance(hits(profiles, wording), wording)
    assert evidence(question, [NEAR] * 3, wording, by_words).unheard == words
    assert evidence(question, [], wording, by_words).unheard == words


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
    question = "How much does a week of mutation training in Prague cost?"
    weighed = evidence(question, [NEAR], lexicon.wording(question), [])
    assert weighed.strength == pytest.approx(NEAR - 0.12)
    assert weighed.unkept == "a price"
    assert strength("Is there training?", profiles, lexicon) == pytest.approx(NEAR)


def test_a_name_that_came_since_the_words_were_counted_is_not_unknown(profiles: Profiles, lexicon: Lexicon) -> None:
    """The index has it already: no text is read again to know."""
    question = "What does Xiomara Quispe say?"
    assert strength(question, profiles, lexicon) < NEAR
    assert strength(question, {**profiles, "Xiomara Quispe": "Xiomara Quispe"}, lexicon) == 1.0


def test_the_best_three_decide() -> None:
    assert evidence("?", [0.9, 0.3, 0.3, 0.3], Wording(), []).strength == pytest.approx(0.5)
    assert evidence("?", [], Wording(), []).strength == 0.0


def test_where_filters_narrow_the_whole_conference_and_the_best_one_left_decide() -> None:
    """Off topic is off topic on Friday too; and a subject of which nothing is left that day has no answer there."""
    named = Hit("1", 1.0, {"name": "Rust", "entity_type": "speakers"})
    wording = Wording(subjects=frozenset(sparse_text("Rust")))
    subject_here, off_topic = Evidence(0.5), Evidence(0.1)
    assert narrowed(subject_here, [0.9, 0.3, 0.3], wording, []).strength == 0.5
    assert narrowed(subject_here, [0.2, 0.1], wording, []).strength == 0.2
    assert narrowed(off_topic, [0.9], wording, []).strength == 0.1
    assert narrowed(Evidence(1.0), [0.2], wording, [named]).strength == 1.0
    assert narrowed(Evidence(1.0), [], wording, []).strength == 0.0


@pytest.mark.parametrize("question", ["I want to leave my job", "how to get promoted", "make money"])
def test_two_common_words_of_a_long_text_are_no_match(question: str, profiles: Profiles, lexicon: Lexicon) -> None:
    """Somebody's text has both, far apart: they count half, so neither evidence nor order is made by them alone."""
    wording = lexicon.wording(question)
    by_words = hits(profiles, wording)
    assert by_words[0].score >= 0.6
    assert less_chance(by_words, wording)[0].score < 0.6
    assert strength(question, profiles, lexicon) == pytest.approx(NEAR)

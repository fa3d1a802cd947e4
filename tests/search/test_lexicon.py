"""A question's words: weighed in the conference's own, corrected where a name is mistyped, names told from words."""

from __future__ import annotations

import pytest

from search.lexicon import Lexicon
from search.words import number_of, sparse_text, stem, tokens

TEXTS = [
    "Async in practice\nArmin Ronacher (Sentry)\nHow the talk on FastAPI services began. It uses Kubernetes a lot.",
    "Testing for everyone\nAda Lovelace\nA talk for people who test with pytest and the patent office.",
    "Keynote\nGrace Hopper\nThe talk of compilers. We thank Ronacher for the room at Kiwi.com this year.",
]


@pytest.fixture
def lexicon() -> Lexicon:
    return Lexicon(TEXTS)


def shared(lexicon: Lexicon, question: str, text: str) -> float:
    """What the index scores: the dot product of the question's weights and the text's words."""
    words = sparse_text(text)
    return sum(weight * words.get(number, 0.0) for number, weight in lexicon.wording(question).weights.items())


def test_a_text_with_all_the_words_of_a_question_scores_one(lexicon: Lexicon) -> None:
    """The score is the share of the question's content words, whatever its function words."""
    assert shared(lexicon, "Who is Armin Ronacher of Sentry?", TEXTS[0]) == pytest.approx(1.0)
    assert shared(lexicon, "Who is Armin Ronacher of Sentry?", TEXTS[1]) == 0.0


def test_words_that_nobody_uses_count_against_every_text(lexicon: Lexicon) -> None:
    """A question of which half is unknown can't be matched in whole."""
    assert 0.2 < shared(lexicon, "FastAPI zeppelins", TEXTS[0]) < 0.8


def test_rare_words_weigh_more_than_common_ones(lexicon: Lexicon) -> None:
    """All texts have ``talk``, one has ``compilers``."""
    assert shared(lexicon, "talk compilers", TEXTS[2]) - shared(lexicon, "talk compilers", TEXTS[0]) > 0.7


def test_a_way_of_asking_weighs_half() -> None:
    """As rare as the subject, and still less: one text recommends, one is about compilers."""
    weights = Lexicon(["We recommend", "compilers"]).wording("Do you recommend compilers?").weights
    recommend, compilers = (weights[number_of(stem(word))] for word in ("recommend", "compilers"))
    assert recommend == pytest.approx(compilers / 2)


def test_a_word_that_came_after_the_counting_is_still_found(lexicon: Lexicon) -> None:
    """Freshness does not wait for the counts."""
    assert shared(lexicon, "zeppelins", "A new session on zeppelins") == pytest.approx(1.0)


def test_a_mistyped_name_finds_the_name_and_a_well_spelt_word_is_left_alone(lexicon: Lexicon) -> None:
    """``patient`` is one letter from ``patent``, which is no name."""
    wording = lexicon.wording("When does Armin Ronaccher speak to a patient?")
    assert wording.corrected == {"ronaccher": "ronacher"}
    assert wording.unknown_names == ()
    assert shared(lexicon, "Ronaccher", TEXTS[2]) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("question", "unknown"),
    [
        ("When does Guido van Rossum speak?", ("Guido", "Rossum")),
        ("Is there a talk on COBOL?", ("COBOL",)),
        ("Is there a talk on Kubernetes?", ()),
        ("Who is from Kiwi.com?", ()),
        ("Guido is not a name at a sentence's beginning", ()),
        ("IS THERE A TALK ON COBOL AND FORTRAN", ()),  # shouted
        ("Gibt es einen Vortrag über Datenbanken und Zeppeline?", ()),  # another language: nothing is known
    ],
)
def test_names_that_nobody_bears_are_told(lexicon: Lexicon, question: str, unknown: tuple[str, ...]) -> None:
    """Only what is written as a name, in the language of the texts."""
    assert lexicon.wording(question).unknown_names == unknown


def test_a_language_that_writes_nouns_with_capitals_tells_no_names() -> None:
    """German texts: every noun would be one."""
    german = Lexicon(
        ["Der Vortrag über Datenbanken zeigt, wie Teams im Betrieb ihre Arbeit und den Schlaf retten."] * 3
    )
    assert german.wording("Der Vortrag zeigt wie Arbeit im Zeppelin").unknown_names == ()


@pytest.mark.parametrize("question", ["", "?!", "is there a", "🙂🙂", "x" * 5_000])
def test_questions_without_words_ask_for_none(lexicon: Lexicon, question: str) -> None:
    assert lexicon.wording(question).weights == {}


def test_joined_words_are_found_whole_and_by_their_pieces() -> None:
    """``Kiwi.com's`` is asked for as ``kiwi``, too; a genitive is no part of the name."""
    (token,) = tokens("Kiwi.com's")
    assert token.parts == ("kiwi.com", "kiwi", "com")
    assert {number_of(stem(part)) for part in token.parts} <= set(sparse_text("We are Kiwi.com"))


def test_an_empty_lexicon_weighs_all_alike() -> None:
    """A conference whose index was just made: every word is as rare as any."""
    weights = Lexicon([]).wording("testing databases").weights
    assert list(weights.values()) == [pytest.approx(0.5), pytest.approx(0.5)]

"""Facts that no row has are told by how they are asked for; subjects that sound like them are not."""

from __future__ import annotations

import pytest

from assistants.conference.intents import Intent
from evals.conference import SAMPLE, judged
from evals.router import read_intents
from search.unkept import unkept_fact

SEARCHED = {Intent.SESSION_SEARCH, Intent.EXHIBITOR_SEARCH, Intent.SPEAKER_SEARCH, Intent.RECOMMENDATION}


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How much does a day ticket cost?", "a price"),
        ("What will the dinner cost us?", "a price"),
        ("how much is the conference dinner?", "a price"),
        ("Was kostet ein Kaffee?", "a price"),
        ("¿Cuánto cuesta el taller?", "a price"),
        ("Combien coûte l'entrée ?", "a price"),
        ("Can I have Ada's e-mail address?", "a private detail"),
        ("What's the speaker's phone number", "a private detail"),
        ("How old is Grace Hopper?", "a private detail"),
        ("Handynummer von Ada Lovelace?", "a private detail"),
        ("wifi password?", "a password"),
        ("Password for the WLAN please", "a password"),
        ("Which was the highest rated tutorial?", "a rating"),
        ("Which workshop received the most votes?", "a rating"),
        ("Who gave last year's keynote?", "another year"),
        ("Which speakers come next year?", "another year"),
        ("Could you write an essay about owls", "a piece of work"),
        ("Please book me a table for four", "a piece of work"),
    ],
)
def test_what_no_row_can_hold_is_named(question: str, kind: str) -> None:
    assert unkept_fact(question) == kind


@pytest.mark.parametrize(
    "question",
    [
        "Which talks are about password storage?",
        "How much memory does a list need?",
        "Is there a talk on cutting the cost of a cloud?",
        "Who speaks about price forecasts?",
        "How do I validate phone numbers?",
        "What has changed in Python since last year, and who explains it?",
        "How do I write a parser?",
        "Which companies rate code reviews?",
        "Where do I book a stand-up comedy workshop?",
        "What is the best way to write tests?",
        "Which talk covers password storage and email address validation?",
        "I need email address validation in Django",
        "Please write me a list of talks about testing",
        "",
    ],
)
def test_a_subject_that_sounds_like_one_is_searched_for(question: str) -> None:
    assert unkept_fact(question) is None


def test_no_judged_question_with_an_answer_is_taken_for_one_without() -> None:
    """Neither the conference's own, nor what the router is judged by where something is to be searched."""
    asked = {one.text for one in judged(SAMPLE) if one.relevant}
    asked |= {one.text for one in read_intents() if one.intent in SEARCHED}
    assert [text for text in sorted(asked) if unkept_fact(text)] == []

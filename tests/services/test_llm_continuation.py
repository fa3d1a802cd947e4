"""What is kept of a broken answer, and how the rest is joined to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.llm.continuation import Continuation, kept_of


def joined(kept: str, *pieces: str) -> str:
    continuation = Continuation(kept)
    return kept + "".join(continuation.feed(piece) for piece in pieces) + continuation.finish()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("No end yet", ""),
        ("One. Two. Thr", "One. Two."),
        ("Really? Yes! And so", "Really? Yes!"),
        ("Complete at the end.", "Complete at the end."),
        ("It costs 3", ""),
        ("Done. It costs 3.", "Done."),
        ("Done. It starts at 10.30 in", "Done."),
        ("Ask Dr. Miller ab", ""),
        ("Fine. Ask Dr. Miller ab", "Fine."),
        ("Fine. Tools, e.g. pytest and", "Fine."),
        ("Fine. Am 3. Oktober spr", "Fine."),
        ("Fine. Visit www.acme.", "Fine."),
        ("Two talks:\n- **One** at 10:00\n- **Tw", "Two talks:\n- **One** at 10:00\n"),
        ("Two talks:\n\n1. One\n2.", "Two talks:\n\n1. One\n"),
        ("Good. **Bold one. Bold tw", "Good."),
        ("Good. See [the talk. Now](http", "Good."),
        ("Good.\n```\ncode.\nmore", "Good.\n"),
        ("\u8fd9\u662f\u4e00\u3002\u8fd9\u662f", "\u8fd9\u662f\u4e00\u3002"),
        ('He said "yes." Then', 'He said "yes."'),
        ("First line\nsecond li", "First line\n"),
    ],
)
def test_kept_is_all_up_to_the_last_whole_sentence_or_line(text: str, kept: str) -> None:
    assert kept_of(text) == kept


@given(st.text(alphabet="ab .!?\n-*[]()1,"))
def test_kept_is_always_a_beginning_of_the_text(text: str) -> None:
    assert text.startswith(kept_of(text))


@pytest.mark.parametrize(
    ("kept", "pieces", "whole"),
    [
        ("One.", ("Two.",), "One. Two."),
        ("One.", (" Two.",), "One. Two."),
        ("One.", ("\n\n", "Two."), "One.\n\nTwo."),
        ("One.\n", ("\n", "Two."), "One.\n\nTwo."),
        ("One.\n\n", ("\n\nTwo.",), "One.\n\nTwo."),
        ("A:\n- one\n", ("\n- two\n",), "A:\n- one\n- two\n"),
        ("A:\n- one\n", ("- two\n",), "A:\n- one\n- two\n"),
        ("A list follows.", ("- two\n",), "A list follows.\n- two\n"),
        ("\u4e00\u3002", ("\u4e8c\u3002",), "\u4e00\u3002\u4e8c\u3002"),
        ("", ("  Anything.",), "  Anything."),
    ],
)
def test_the_rest_is_joined_with_the_space_that_belongs_there(kept: str, pieces: tuple[str, ...], whole: str) -> None:
    assert joined(kept, *pieces) == whole


KEPT = "Two talks fit. The first is **Testing at scale** in Hall A.\n- 10:00 Testing at scale\n"


@pytest.mark.parametrize(
    "repeated",
    [
        KEPT,
        "- 10:00 Testing at scale\n",
        "The first is **Testing at scale** in Hall A.\n- 10:00 Testing at scale\n",
        "The first is Testing at scale in Hall A. \n\n- 10:00 testing at scale\n",
    ],
    ids=["all of it", "the last line", "the last sentences", "in other layout"],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_repeated_beginning_is_cut_however_it_is_cut_into_pieces(repeated: str, size: int) -> None:
    text = repeated + "- 11:00 Mutants\n"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert joined(KEPT, *pieces) == KEPT + "- 11:00 Mutants\n"


def test_a_repetition_that_parts_from_the_original_is_cut_as_far_as_it_is_one() -> None:
    """The other model writes the answer anew and differs from the second item on."""
    kept = "Here are two talks for you:\n- Testing at scale\n"
    assert joined(kept, "Here are two talks for you:\n- ", "Mutants") == kept + "- Mutants"


def test_an_answer_that_only_repeats_adds_nothing() -> None:
    assert joined(KEPT, KEPT.rstrip()) == KEPT
    assert joined(KEPT, "The first is **Testing at sc") == KEPT


def test_what_merely_begins_alike_is_not_cut() -> None:
    """A few characters in common are chance."""
    assert joined("The hall is big. The ", "The room is small.") == "The hall is big. The The room is small."
    assert joined("- one\n", "- other\n") == "- one\n- other\n"


@given(st.text(alphabet="abc. \n", min_size=1), st.lists(st.text(alphabet="xyz. \n", min_size=1), min_size=1))
def test_text_that_repeats_nothing_comes_through_whole(kept: str, pieces: list[str]) -> None:
    """Whatever the pieces, no character but white space at the joint is added or lost."""
    wanted = "".join(pieces)
    shown = joined(kept, *pieces)[len(kept) :]
    if any(letter in wanted for letter in "xyz") or not kept.strip():
        assert shown.split() == wanted.split()

"""Rooms in questions: whole names anywhere, parts of names where a place is meant."""

from __future__ import annotations

import pytest

from assistants.conference.where import parse_rooms

ROOMS = ("Forum Hall", "South Hall 2A", "South Hall 2B", "Terrace 2A", "Terrace 2B", "Club A", "Club H")


@pytest.mark.parametrize(
    ("question", "rooms", "rest"),
    [
        ("What is on in Forum Hall?", ("Forum Hall",), "What is on?"),
        ("What is on in the forum hall on Friday?", ("Forum Hall",), "What is on on Friday?"),
        ("FORUM HALL programme", ("Forum Hall",), "programme"),
        ("Terrace 2A tomorrow", ("Terrace 2A",), "tomorrow"),
        ("talks in Terrace2A", ("Terrace 2A",), "talks"),
        ("talks in south-hall 2b about Rust", ("South Hall 2B",), "talks about Rust"),
        ("What is in the Terrace?", ("Terrace 2A", "Terrace 2B"), "What is?"),
        ("talks in South Hall", ("South Hall 2A", "South Hall 2B"), "talks"),
        ("Was läuft im Forum Hall?", ("Forum Hall",), "Was läuft?"),
        ("in Forum Hall or in Club H", ("Forum Hall", "Club H"), "or"),
        ("What is on in Hall 3 tomorrow?", ("Hall 3",), "What is on tomorrow?"),
        ("Is there a book club?", (), "Is there a book club?"),
        ("What is in the hall?", (), "What is in the hall?"),
        ("talks about Club Alpha", (), "talks about Club Alpha"),
    ],
)
def test_rooms_are_found_and_taken_out(question: str, rooms: tuple[str, ...], rest: str) -> None:
    """The rooms as the conference spells them, and the question without them."""
    places = parse_rooms(question, ROOMS)
    assert places.rooms == rooms
    assert places.rest == rest


def test_a_room_name_is_text_and_no_pattern() -> None:
    """Names with brackets and stars match themselves alone."""
    assert parse_rooms("in Room (A+)*", ["Room (A+)*"]).rooms == ("Room (A+)*",)

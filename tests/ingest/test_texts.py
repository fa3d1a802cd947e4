"""Plain texts, sentences and master texts: what is left of what an editor typed."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.rows import SessionRow, read_row
from ingest.sentences import SOURCE_LIMIT, clip, plain_text, sentences
from ingest.texts import MASTER_LIMIT, master_text
from search.query import EntityType
from services.errors import InvalidInputError


def session(**fields: Any) -> SessionRow:  # noqa: ANN401 - any field
    row = read_row(EntityType.SESSIONS, {"id": "s1", "conference_id": "c1", "title": "Pointers"} | fields)
    assert isinstance(row, SessionRow)
    return row


def test_markdown_leaves_its_words_alone() -> None:
    """Emphasis, headings, lists and links become words in lines; addresses go."""
    text = "## Who\n\nFor **all** with a [link](https://x.example).\n\n- one\n- `two`\n\nSee https://y.example now."
    assert plain_text(text) == "Who\nFor all with a link.\none\ntwo\nSee now."


def test_html_of_a_rich_text_field_leaves_its_words_alone() -> None:
    """Paragraphs stay apart, entities become characters, scripts and styles are gone with what is in them."""
    text = (
        "<p>Fish &amp; <b>chips</b></p><p>Second</p><script>x()</script><style>p{}</style><ul><li>a</li><li>b</li></ul>"
    )
    assert plain_text(text) == "Fish & chips\nSecond\na\nb"


def test_control_and_invisible_characters_are_dropped() -> None:
    """Zero-width and direction marks, which would hide or turn words, are not indexed."""
    assert plain_text("a\x00b\u200bc \u202eright\u202c d") == "abc right d"


def test_a_wrapped_sentence_is_one_and_two_lines_are_two() -> None:
    """A line that goes on in lower case belongs to the one before."""
    assert [one.text for one in sentences("A long line\ngoes on here.\nAnother begins")] == [
        "A long line goes on here.",
        "Another begins",
    ]


def test_abbreviations_end_no_sentence() -> None:
    """A sentence is not cut after e.g., a title or an initial."""
    found = [one.text for one in sentences("Tools, e.g. Pytest, help. Dr. J. Doe agrees! Is it so? Yes.")]
    assert found == ["Tools, e.g. Pytest, help.", "Dr. J. Doe agrees!", "Is it so?", "Yes."]


def test_list_items_know_what_leads_them() -> None:
    """Items stand under their "…:" line or heading, which is no sentence of its own then."""
    found = sentences("Intro.\n\nYou will learn:\n\n- parsing\n- typing\n\n# Audience\n\nBeginners.")
    assert [(one.lead, one.text) for one in found] == [
        ("", "Intro."),
        ("You will learn", "parsing"),
        ("You will learn", "typing"),
        ("Audience", "Beginners."),
    ]


@pytest.mark.parametrize("nothing", [None, "", "  \n ", "<p></p>", "https://only.example/address", "***"])
def test_nothing_gives_nothing(nothing: str | None) -> None:
    """A field without words has no sentences."""
    assert sentences(nothing) == ()


def test_a_pasted_book_is_read_in_part() -> None:
    """However long a field is, only its first 20,000 characters are read."""
    assert len(plain_text("word " * 1_000_000)) <= SOURCE_LIMIT


def test_clip_cuts_between_words() -> None:
    """A cut text ends with a whole word and a mark, and is never longer than asked."""
    assert clip("one two three", 20) == "one two three"
    assert clip("one two three four", 15) == "one two three\u2026"
    assert clip("x" * 50, 10) == "x" * 9 + "\u2026"


def test_the_master_text_is_the_whole_profile_title_first() -> None:
    """A session's master text has its title, people, kind, tags, room and description, in this order."""
    row = session(
        description="All about *memory*.",
        track="Internals",
        session_type="Talk",
        level="advanced",
        tags=["c", "gc"],
        room="Hall A",
        speakers=[{"id": 1, "speakers_id": {"id": "p1", "name": "Ada", "company": "Engines"}}],
    )
    assert master_text(row) == "Pointers\nAda (Engines)\nInternals, Talk, advanced\nc, gc\nHall A\nAll about memory."


def test_the_master_text_fits_every_embedder() -> None:
    """A long profile is cut to what the tightest embedder takes."""
    assert len(master_text(session(description="word " * 5_000))) <= MASTER_LIMIT


def test_rows_are_read_for_what_they_can_be() -> None:
    """Nulls, tags typed as one string, numbers and broken links do not keep a row out of the index."""
    row = session(
        id=7,
        description=None,
        tags="web, api,web",
        level=3,
        room={"odd": True},
        speakers=[{"id": 1, "speakers_id": None}, {"id": 2, "speakers_id": {"id": "p", "name": " "}}, "x"],
    )
    assert (row.id, row.description, row.tags, row.level, row.room) == ("7", "", ("web", "api"), "3", "")
    assert row.speakers == ()
    assert row.link_ids == ("1", "2")


@pytest.mark.parametrize("title", [None, "", "   "])
def test_a_row_without_a_title_is_refused_by_name(title: str | None) -> None:
    """The error says which row it is and what it lacks."""
    with pytest.raises(InvalidInputError, match=r"sessions 's1': has no title"):
        session(title=title)

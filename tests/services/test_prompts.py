"""Prompts as files: what is missing is found at the start, and values are data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.errors import ConfigurationError
from services.prompts import PromptFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "prompts" / "v1"
    folder.mkdir(parents=True)
    (folder / "system.j2").write_text("{% include 'tone.j2' %}\nYou serve {{ conference }}.\n", encoding="utf-8")
    (folder / "tone.j2").write_text("Be {{ tone }}.\n", encoding="utf-8")
    return folder.parent


def test_a_prompt_is_rendered_with_its_includes(root: Path) -> None:
    rendered = PromptFiles(root, "v1").render("system", conference="PyCon", tone="brief")
    assert rendered == "Be brief.\nYou serve PyCon."


def test_what_is_complete_passes(root: Path) -> None:
    PromptFiles(root, "v1").check({"system": frozenset({"conference", "tone", "unused"})})


@pytest.mark.parametrize(
    ("version", "required", "names"),
    [
        ("v2", {"system": frozenset[str]()}, ["PROMPT_VERSION v2", "there are: v1"]),
        ("v1", {"answer": frozenset[str]()}, ["v1/answer.j2", "missing"]),
        ("v1", {"system": frozenset({"conference"})}, ["v1/system.j2", "tone"]),
        ("v1", {"answer": frozenset[str](), "system": frozenset[str]()}, ["answer.j2", "conference, tone"]),
    ],
)
def test_what_is_missing_stops_the_start_and_is_named(
    root: Path, version: str, required: dict[str, frozenset[str]], names: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PromptFiles(root, version).check(required)
    for name in names:
        assert name in str(caught.value)


@pytest.mark.parametrize("source", ["{{ conference", "{{ conference | no_such_filter }}", "{% include 'gone.j2' %}"])
def test_a_template_that_cannot_work_stops_the_start(root: Path, source: str) -> None:
    """Also what shows only when a template is compiled or its includes are looked up."""
    (root / "v1" / "broken.j2").write_text(source, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"broken\.j2|gone\.j2"):
        PromptFiles(root, "v1").check({"broken": frozenset({"conference"})})


def test_a_missing_variable_is_an_error_and_not_an_empty_word(root: Path) -> None:
    with pytest.raises(ConfigurationError, match="tone"):
        PromptFiles(root, "v1").render("system", conference="PyCon")


def test_values_are_data_and_never_templates(root: Path) -> None:
    """Neither read as a template nor escaped for a page."""
    value = "{{ 7 * 7 }} {% include 'system.j2' %} <b>&"
    assert value in PromptFiles(root, "v1").render("tone", tone=value)


def test_a_template_cannot_reach_into_python(root: Path) -> None:
    (root / "v1" / "evil.j2").write_text("{{ tone.__class__.__mro__ }}", encoding="utf-8")
    with pytest.raises(ConfigurationError):
        PromptFiles(root, "v1").render("evil", tone="x")


def test_a_prompt_outside_the_folder_is_not_read(root: Path) -> None:
    (root / "secret.j2").write_text("secret", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="missing"):
        PromptFiles(root, "v1").render("../secret")

"""What ``erleah bootstrap`` says of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.bootstrap import tell
from provision.access import ERLEAH_PERMISSIONS, VISITOR_PERMISSIONS
from provision.flows import FLOWS
from provision.report import Report
from provision.schema import COLLECTIONS

if TYPE_CHECKING:
    import pytest

ONE_GLANCE = 14


def whole_report() -> Report:
    """That of an installation that has everything."""
    found = [f"collection {collection.name}" for collection in COLLECTIONS]
    found += [f"field {collection.name}.{field.name}" for collection in COLLECTIONS for field in collection.fields]
    found += [
        f"relation {collection.name}.{field.name}"
        for collection in COLLECTIONS
        for field in collection.fields
        if field.links_to
    ]
    found += ["role Erleah", "policy Erleah", "role Erleah visitor", "policy Erleah visitor", "user Erleah"]
    found += [f"permission of Erleah: {action} {collection}" for collection, action in ERLEAH_PERMISSIONS]
    found += [f"permission of Erleah visitor: {action} {collection}" for collection, action in VISITOR_PERMISSIONS]
    return Report(found=found + [f"flow {flow.name}" for flow in FLOWS])


def test_what_was_there_is_named_in_one_glance(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind has its line, names in it; what there is much of is counted, and no line is wider than the terminal."""
    monkeypatch.setenv("COLUMNS", "100")
    tell(whole_report())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= ONE_GLANCE, lines
    assert max(map(len, lines)) <= 100
    said = " ".join(" ".join(lines).split())
    assert "there collections conferences, sessions, " in said
    assert "there fields conferences 11, sessions 12, " in said
    assert "messages.conversation_id" in said
    assert "there roles Erleah, Erleah visitor there policies Erleah, Erleah visitor there users Erleah" in said
    assert f"there permissions Erleah {len(ERLEAH_PERMISSIONS)}, Erleah visitor {len(VISITOR_PERMISSIONS)}" in said
    assert "there flows Erleah: message created, Erleah: content changed" in said
    assert lines[-1] == f"Directus has all {len(whole_report().found)} things Erleah needs; nothing changed."


def test_what_was_made_comes_first_and_nothing_is_said_of_what_was_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An empty Directus has no line of what was there; notes and problems stand before the sum."""
    tell(Report(made=["collection messages"], notes=["a note"], problems=["a problem"]))
    assert capsys.readouterr().err.splitlines() == [
        "  made     collection messages",
        "  note     a note",
        "  look at  a problem",
        "Made 1, changed 0, found 0.",
        "Next: erleah load DIR, then erleah reindex --wait",
    ]

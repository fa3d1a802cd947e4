"""What the table and the file say of a figure."""

from __future__ import annotations

from bench.figure import Better, Entry, Figure, markdown, merged, table


def test_a_goal_is_reached_on_its_own_side() -> None:
    """A time wants to be at most its goal, a rate at least."""
    assert Figure("late", 1.05, "times", 1.05).ok
    assert not Figure("late", 1.06, "times", 1.05).ok
    assert Figure("moves", 6.0, "1/s", 6, Better.MORE).ok
    assert not Figure("moves", 5.9, "1/s", 6, Better.MORE).ok


def test_what_could_not_be_measured_is_never_ok() -> None:
    """A benchmark that failed can't pass for one that reached its goal."""
    assert not Figure("late", None, "times", 1.05).ok
    assert not Figure("told only", None, "s").ok


def test_an_entry_has_the_fields_of_the_contract() -> None:
    """bench/results/latest.json is a list of {name, value, unit, goal, ok}."""
    entry = {"name": "late", "value": 1.019, "unit": "times", "goal": 1.05, "ok": True}
    assert Figure("late", 1.01949, "times", 1.05).as_json() == entry


def test_a_rounded_value_does_not_hide_a_missed_goal() -> None:
    """The verdict is of the value as measured, whatever is printed."""
    assert not Figure("late", 1.0501, "times", 1.05).as_json()["ok"]


def names(entries: list[Entry]) -> list[tuple[str, float | None]]:
    return [(entry["name"], entry["value"]) for entry in entries]


def test_measuring_some_again_keeps_the_others_and_the_order() -> None:
    """``--only`` replaces the entries of the benchmarks it ran and leaves the rest of the file."""
    before = merged([], {"y": [Figure("b", 2, "s")], "x": [Figure("a", 1, "s")]}, order="xyz")
    after = merged(before, {"z": [Figure("d", 4, "s")], "x": [Figure("a", 3, "s")]}, order="xyz")
    assert names(after) == [("a", 3), ("b", 2), ("d", 4)]


def test_what_could_not_be_measured_leaves_when_it_could() -> None:
    """And the other way round: a benchmark that fails takes its old figures with it; so does one that is no more."""
    failed, figures = [Figure("x: could not be measured", None, "")], [Figure("a", 1, "s"), Figure("b", 2, "s")]
    after = merged(merged([], {"x": failed}, order="x"), {"x": figures}, order="x")
    assert names(after) == [("a", 1), ("b", 2)]
    assert names(merged(after, {"x": failed}, order="x")) == [("x: could not be measured", None)]
    assert merged(after, {}, order="y") == []
    assert merged([{"name": "of an older version", "value": 1}], {}, order="x") == []


def test_the_page_says_what_was_missed() -> None:
    """One row a figure, with the sign of its goal and the verdict."""
    figures = [
        Figure("a", 2, "s", 1),
        Figure("b", 2, "1/s", 1, Better.MORE),
        Figure("c", None, ""),
        Figure("d", 9, "s"),
    ]
    rows = markdown(merged([], {"x": figures}, order="x")).splitlines()[2:]
    assert rows[0] == "| x | a | 2 s | ≤ 1 | **missed** |"
    assert rows[1] == "| x | b | 2 1/s | ≥ 1 | ✓ |"
    assert rows[2] == "| x | c | could not be measured |  | **missed** |"
    assert rows[3] == "| x | d | 9 s |  |  |"


def test_the_table_says_what_was_missed() -> None:
    """Each goal stands beside its value with the verdict; a figure without one has none."""
    lines = table([Figure("a", 2, "s", 1), Figure("b", 2, "s", 3), Figure("c", None, "s", 3), Figure("d", 9, "s")])
    missed, reached, unknown, told = lines.splitlines()
    assert missed.endswith("≤ 1  MISSED")
    assert reached.endswith("≤ 3  ok")
    assert unknown.endswith("≤ 3  MISSED")
    assert told.endswith("9.00 s")

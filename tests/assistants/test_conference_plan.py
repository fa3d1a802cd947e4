"""The plan table, and what is given up, in which order, when nothing was found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from assistants.conference.entities import Entities, Span
from assistants.conference.intents import Intent
from assistants.conference.plan import make_plan
from assistants.conference.relax import relax
from assistants.interface import ToolCall, ToolOutcome, TurnView, Understanding

MORNING = Span(
    start=datetime(2024, 7, 12, 9, 0, tzinfo=UTC),
    end=datetime(2024, 7, 12, 12, 0, tzinfo=UTC),
)


def view(intent: str, search_type: str | None = "specific", **entities: Any) -> TurnView:  # noqa: ANN401 - each entity is of its own type
    said = Entities(**({"topic": "databases"} | entities))
    understanding = Understanding(intent=intent, query="databases?", search_type=search_type, entities=said.dump())
    now = datetime(2024, 7, 10, 12, 0, tzinfo=UTC)
    return TurnView(question="databases?", scope_id="mine", now=now, understanding=understanding)


def with_outcomes(before: TurnView, calls: list[ToolCall], **outcome: Any) -> TurnView:  # noqa: ANN401 - as above
    return replace(before, outcomes=(*before.outcomes, *(ToolOutcome(call=call, **outcome) for call in calls)))


@pytest.mark.parametrize(
    ("intent", "tools"),
    [
        (Intent.SESSION_SEARCH, ["search_sessions"]),
        (Intent.EXHIBITOR_SEARCH, ["search_exhibitors"]),
        (Intent.SPEAKER_SEARCH, ["search_speakers"]),
        (Intent.GENERAL_INFO, ["get_conference_info"]),
        (Intent.RECOMMENDATION, ["search_sessions", "search_exhibitors"]),
        (Intent.CLARIFICATION, []),
        ("something a model made up", []),
    ],
)
def test_each_intent_has_its_tools(intent: str, tools: list[str]) -> None:
    """The table of the specification."""
    assert [call.tool for call in make_plan(view(intent))] == tools


def test_arguments_say_what_to_search_for_and_where() -> None:
    """The topic, the turn's own conference, facets for vague questions, the filters, ten results."""
    (call,) = make_plan(view(Intent.SESSION_SEARCH, "vague", times=[MORNING], rooms=["Forum Hall"]))
    assert call.arguments == {
        "query": "databases",
        "conference_id": "mine",
        "use_faceted": True,
        "mode": "auto",
        "time_filter": [{"start": "2024-07-12T09:00:00Z", "end": "2024-07-12T12:00:00Z"}],
        "location_filter": ["Forum Hall"],
        "limit": 10,
    }


def test_a_specific_question_asks_for_whole_profiles() -> None:
    """``use_faceted`` comes from the search type."""
    (call,) = make_plan(view(Intent.SPEAKER_SEARCH, "specific"))
    assert call.arguments["use_faceted"] is False


def test_exhibitors_are_not_filtered_by_time_or_room() -> None:
    """A stand is there all day."""
    (call,) = make_plan(view(Intent.EXHIBITOR_SEARCH, times=[MORNING], rooms=["Forum Hall"]))
    assert call.arguments["time_filter"] is None
    assert call.arguments["location_filter"] is None


def relaxed_in_turn(first: TurnView) -> list[tuple[list[str], tuple[str, ...]]]:
    """Tools and what was given up, loop after loop, as long as nothing is found."""
    seen, calls = first, make_plan(first)
    asked: list[str] = []
    steps = []
    while True:
        asked += [call.tool + repr(sorted(call.arguments.items())) for call in calls]
        seen = with_outcomes(seen, calls)
        calls = relax(seen)
        if not calls:
            break
        steps.append(([call.tool for call in calls], calls[0].relaxed))
    assert len(asked) == len(set(asked)), "the same search was made twice"
    return steps


def test_one_thing_more_is_given_up_in_each_loop() -> None:
    """Time, place, neighbouring kinds; then there is nothing left."""
    first = view(Intent.SESSION_SEARCH, "specific", times=[MORNING], rooms=["Forum Hall"])
    assert relaxed_in_turn(first) == [
        (["search_sessions"], ("time",)),
        (["search_sessions"], ("time", "place")),
        (["search_speakers", "search_exhibitors"], ("time", "place", "types")),
    ]


def test_what_was_not_asked_for_is_not_given_up() -> None:
    """Without a time and a place only the kind is left."""
    assert relaxed_in_turn(view(Intent.EXHIBITOR_SEARCH)) == [(["search_sessions", "search_speakers"], ("types",))]


def test_general_information_is_looked_for_in_the_programme() -> None:
    """What the FAQ does not know may be a session (the registration, say)."""
    assert relaxed_in_turn(view(Intent.GENERAL_INFO))[0] == (["search_sessions"], ("types",))


def test_a_programme_without_a_topic_widens_to_its_day_and_no_further() -> None:
    """Nothing on Friday morning: Friday; but never a list of everything."""
    first = view(Intent.SESSION_SEARCH, topic="", times=[MORNING])
    seen = with_outcomes(first, make_plan(first))
    (call,) = relax(seen)
    assert call.arguments["time_filter"] == [{"start": "2024-07-12T00:00:00Z", "end": "2024-07-13T00:00:00Z"}]
    assert relax(with_outcomes(seen, [call])) == []


def test_something_found_is_enough() -> None:
    """One result of one tool ends the search."""
    first = view(Intent.RECOMMENDATION)
    sessions, exhibitors = make_plan(first)
    seen = with_outcomes(first, [sessions], results=[{"type": "sessions", "id": "1", "title": "A"}])
    assert relax(with_outcomes(seen, [exhibitors])) == []


def test_a_tool_that_failed_has_not_found_nothing() -> None:
    """All failed: nothing to relax. One failed: it is left out, the others go on."""
    first = view(Intent.RECOMMENDATION, times=[MORNING])
    sessions, exhibitors = make_plan(first)
    assert relax(with_outcomes(first, [sessions, exhibitors], error="away")) == []
    seen = with_outcomes(with_outcomes(first, [exhibitors], error="away"), [sessions])
    assert [call.tool for call in relax(seen)] == ["search_sessions"]


def test_what_the_index_refused_is_not_asked_for_in_a_mode_that_refuses_less() -> None:
    """Every search of every loop is made in ``auto``, which looks in all ways there are."""
    seen = view(Intent.SESSION_SEARCH, times=[MORNING], rooms=["Forum Hall"])
    calls = make_plan(seen)
    while calls:
        assert {call.arguments["mode"] for call in calls} == {"auto"}
        seen = with_outcomes(seen, calls, results=[{"type": "sessions", "id": "1", "title": "A", "answers": False}])
        calls = relax(seen)
    assert len(seen.outcomes) == 5

"""What is gathered of a conference: days, lunch, rooms, and what bad rows do to it."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from assistants.conference.facts import ConferenceFacts, gather_facts

DATA = Path(__file__).parents[2] / "cli" / "demo_data"


def sample() -> ConferenceFacts:
    row = json.loads((DATA / "conference.json").read_text(encoding="utf-8"))
    return gather_facts(row, json.loads((DATA / "sessions.json").read_text(encoding="utf-8")))


def test_days_are_those_with_a_programme() -> None:
    """The sample conference lasts until Sunday, its programme until Friday."""
    assert [day.day for day in sample().days] == [date(2024, 7, number) for number in (8, 9, 10, 11, 12)]


def test_lunch_is_read_from_the_programme() -> None:
    """The quiet time around noon, posters notwithstanding."""
    assert sample().on(date(2024, 7, 8)).lunch == (time(11, 0), time(13, 45))
    assert sample().on(date(2024, 7, 11)).lunch == (time(13, 0), time(14, 0))


def test_rooms_are_each_named_once() -> None:
    """All rooms of the sample, sorted."""
    assert len(sample().rooms) == 13
    assert "Forum Hall" in sample().rooms


def test_facts_survive_the_cache() -> None:
    """What goes into Redis as JSON comes out the same."""
    facts = sample()
    assert ConferenceFacts.model_validate_json(facts.model_dump_json()) == facts


def test_a_row_full_of_mistakes_still_gives_facts() -> None:
    """An unknown zone, broken dates, a faq that is none, sessions without times."""
    row = {"id": "c", "timezone": "Mars/Olympus", "start_date": "soon", "faq": "none", "name": None}
    facts = gather_facts(row, [{"start_time": "x", "room": None}, {}])
    assert facts.zone == ZoneInfo("UTC")
    assert facts.days == ()
    assert facts.faq == ()
    assert facts.local_now(datetime(2024, 1, 1, 12, 0, tzinfo=ZoneInfo("UTC"))).hour == 12


def test_dates_serve_where_there_are_no_sessions() -> None:
    """The calendar's days, bounded: an end in the next century is a slip."""
    facts = gather_facts({"id": "c", "start_date": "2024-07-08", "end_date": "2124-07-10"}, [])
    assert facts.days[0].day == date(2024, 7, 8)
    assert len(facts.days) == 61

"""Times in questions: what each phrase means at the sample conference, at lunch on its third day."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from assistants.conference.facts import ConferenceFacts, gather_facts
from assistants.conference.when import parse_times

DATA = Path(__file__).parents[2] / "cli" / "demo_data"
PRAGUE = ZoneInfo("Europe/Prague")
WEDNESDAY_LUNCH = datetime(2024, 7, 10, 13, 20, tzinfo=PRAGUE)


@pytest.fixture(scope="module")
def facts() -> ConferenceFacts:
    row = json.loads((DATA / "conference.json").read_text(encoding="utf-8"))
    return gather_facts(row, json.loads((DATA / "sessions.json").read_text(encoding="utf-8")))


def said(facts: ConferenceFacts, text: str, language: str, now: datetime = WEDNESDAY_LUNCH) -> list[str]:
    """Ranges as "Thu 14:45-16:00"; a whole day as "Thu"."""
    found = []
    for span in parse_times(text, facts, now, language).ranges:
        assert span.start is not None
        assert span.end is not None
        hours = f" {span.start:%H:%M}-{span.end:%H:%M}"
        found.append(f"{span.start:%a}" + ("" if hours == " 00:00-00:00" else hours))
    return found


ENGLISH = [
    ("What is on on Friday?", ["Fri"]),
    ("talks next Friday", ["Fri"]),
    ("What's on tomorrow at 3?", ["Thu 14:45-16:00"]),
    ("tomorrow at 3pm", ["Thu 14:45-16:00"]),
    ("What can I see today?", ["Wed"]),
    ("the day after tomorrow", ["Fri"]),
    ("What was on yesterday?", ["Tue"]),
    ("Day 2 morning", ["Tue 00:00-12:00"]),
    ("on day two", ["Tue"]),
    ("the second day", ["Tue"]),
    ("2nd day", ["Tue"]),
    ("conference day 3", ["Wed"]),
    ("on the first day", ["Mon"]),
    ("on the last day", ["Fri"]),
    ("the final day", ["Fri"]),
    ("the last two days", ["Thu", "Fri"]),
    ("the first two days", ["Mon", "Tue"]),
    ("at the weekend", ["Sat", "Sun"]),
    ("on 11 July", ["Thu"]),
    ("July 11th at 10:30", ["Thu 10:15-11:30"]),
    ("on July 12, 2024", ["Fri"]),
    ("the 12th", ["Fri"]),
    ("on 12.07.", ["Fri"]),
    ("12/7", ["Fri"]),
    ("7/12", ["Fri"]),
    ("2024-07-11", ["Thu"]),
    ("Wednesday to Friday", ["Wed", "Thu", "Fri"]),
    ("from Thursday through Friday", ["Thu", "Fri"]),
    ("Mon and Tue tutorials", ["Mon", "Tue"]),
    ("Thursday or Friday morning", ["Thu 00:00-12:00", "Fri 00:00-12:00"]),
    ("Thursday morning or Friday afternoon", ["Thu 00:00-12:00", "Fri 12:00-18:00"]),
    ("in the morning on Thursday", ["Thu 00:00-12:00"]),
    ("Friday afternoon at 3", ["Fri 14:45-16:00"]),
    ("at 9 in the evening", ["Wed 20:45-22:00"]),
    ("first thing on Friday", ["Fri 00:00-09:30"]),
    ("late afternoon on day 4", ["Thu 16:00-19:00"]),
    ("Friday evening", ["Fri 17:30-00:00"]),
    ("tonight", ["Wed 17:30-00:00"]),
    ("this afternoon", ["Wed 12:00-18:00"]),
    ("in the afternoon", ["Wed 12:00-18:00"]),
    ("in the morning", ["Thu 00:00-12:00"]),
    ("after lunch", ["Wed 14:00-18:00"]),
    ("right after lunch tomorrow", ["Thu 14:00-18:00"]),
    ("after the lunch break on Tuesday", ["Tue 13:45-18:00"]),
    ("before lunch on Thursday", ["Thu 00:00-13:00"]),
    ("over lunch tomorrow", ["Thu 13:00-14:00"]),
    ("today before noon", ["Wed 00:00-12:00"]),
    ("at noon on Friday", ["Fri 11:45-13:00"]),
    ("between 10 and 11:30 on Thursday", ["Thu 10:00-11:30"]),
    ("from 2 to 4 pm tomorrow", ["Thu 14:00-16:00"]),
    ("Friday 11am - 1pm", ["Fri 11:00-13:00"]),
    ("12 July 14:00-16:00", ["Fri 14:00-16:00"]),
    ("after 3pm on Friday", ["Fri 15:00-00:00"]),
    ("until 11 tomorrow", ["Thu 00:00-11:00"]),
    ("Which talk is at 11?", ["Thu 10:45-12:00"]),
    ("Friday at 15:30", ["Fri 15:15-16:30"]),
    ("in the next hour", ["Wed 13:20-14:20"]),
    ("within the next two hours", ["Wed 13:20-15:20"]),
    ("in 30 minutes", ["Wed 13:35-14:35"]),
    ("What is happening right now?", ["Wed 12:35-13:35"]),
    ("what's next?", ["Wed 13:20-14:50"]),
    ("later today", ["Wed 13:20-00:00"]),
]

GERMAN = [
    ("Was läuft am Freitag?", ["Fri"]),
    ("am Freitagvormittag", ["Fri 00:00-12:00"]),
    ("morgen um 15 Uhr", ["Thu 14:45-16:00"]),
    ("morgen früh", ["Thu 00:00-12:00"]),
    ("übermorgen", ["Fri"]),
    ("heute Abend", ["Wed 17:30-00:00"]),
    ("nach dem Mittagessen", ["Wed 14:00-18:00"]),
    ("am letzten Tag", ["Fri"]),
    ("am zweiten Tag", ["Tue"]),
    ("Tag 2 morgens", ["Tue 00:00-12:00"]),
    ("am 11. Juli um 10:30 Uhr", ["Thu 10:15-11:30"]),
    ("am 12.07.", ["Fri"]),
    ("zwischen 10 und 12 Uhr am Donnerstag", ["Thu 10:00-12:00"]),
    ("von Mittwoch bis Freitag", ["Wed", "Thu", "Fri"]),
    ("in der nächsten Stunde", ["Wed 13:20-14:20"]),
    ("in den nächsten zwei Stunden", ["Wed 13:20-15:20"]),
    ("Was läuft jetzt?", ["Wed 12:35-13:35"]),
    ("ab 14 Uhr", ["Wed 14:00-00:00"]),
]

FRENCH = [
    ("demain à 15h", ["Thu 14:45-16:00"]),
    ("vendredi matin", ["Fri 00:00-12:00"]),
    ("après-demain", ["Fri"]),
    ("ce soir", ["Wed 17:30-00:00"]),
    ("cet après-midi", ["Wed 12:00-18:00"]),
    ("après le déjeuner", ["Wed 14:00-18:00"]),
    ("le dernier jour", ["Fri"]),
    ("le deuxième jour", ["Tue"]),
    ("jour 2", ["Tue"]),
    ("le 11 juillet à 10h30", ["Thu 10:15-11:30"]),
    ("entre 10h et 12h jeudi", ["Thu 10:00-12:00"]),
    ("de mercredi à vendredi", ["Wed", "Thu", "Fri"]),
    ("dans la prochaine heure", ["Wed 13:20-14:20"]),
    ("maintenant", ["Wed 12:35-13:35"]),
]

SPANISH = [
    ("mañana a las 3", ["Thu 14:45-16:00"]),
    ("mañana por la mañana", ["Thu 00:00-12:00"]),
    ("el viernes por la mañana", ["Fri 00:00-12:00"]),
    ("pasado mañana", ["Fri"]),
    ("esta noche", ["Wed 17:30-00:00"]),
    ("esta tarde", ["Wed 12:00-18:00"]),
    ("después de la comida", ["Wed 14:00-18:00"]),
    ("el último día", ["Fri"]),
    ("el segundo día", ["Tue"]),
    ("el 11 de julio a las 10:30", ["Thu 10:15-11:30"]),
    ("entre las 10 y las 12 el jueves", ["Thu 10:00-12:00"]),
    ("del miércoles al viernes", ["Wed", "Thu", "Fri"]),
    ("en la próxima hora", ["Wed 13:20-14:20"]),
    ("ahora", ["Wed 12:35-13:35"]),
]

TABLE = [
    (language, text, meant)
    for language, rows in (("en", ENGLISH), ("de", GERMAN), ("fr", FRENCH), ("es", SPANISH))
    for text, meant in rows
]


@pytest.mark.parametrize(("language", "text", "meant"), TABLE, ids=[f"{row[0]}: {row[1]}" for row in TABLE])
def test_a_phrase_means_these_hours(facts: ConferenceFacts, language: str, text: str, meant: list[str]) -> None:
    """Each phrase becomes the ranges a visitor would expect on that day."""
    assert said(facts, text, language) == meant


@pytest.mark.parametrize(
    "text",
    [
        "GeoPandas 1.0 talk",
        "What is new in Python 3.12?",
        "PEP 639",
        "talks on 3D printing",
        "Good morning!",
        "I may use 3 databases",
        "today's AI challenges",
        "Is lunch included?",
        "the 5th edition of the book",
        "Which speakers work at 20tab?",
    ],
)
def test_what_only_looks_like_a_time_is_left_alone(facts: ConferenceFacts, text: str) -> None:
    """Versions, numbers and greetings filter nothing and stay in the question."""
    times = parse_times(text, facts, WEDNESDAY_LUNCH)
    assert times.ranges == ()
    assert times.rest == text.strip(" ,;")


def test_words_for_a_time_are_taken_out_of_the_question(facts: ConferenceFacts) -> None:
    """What is left is what to search for."""
    times = parse_times("Is there a talk about Rust on Friday morning?", facts, WEDNESDAY_LUNCH)
    assert times.rest == "Is there a talk about Rust?"
    assert times.phrases == ("Friday", "morning")


def test_outside_the_conference_today_is_its_first_day(facts: ConferenceFacts) -> None:
    """In March, and years later, "tomorrow" means the second day and "next hour" the first hour."""
    for now in (datetime(2024, 3, 1, 15, 0, tzinfo=PRAGUE), datetime(2026, 11, 20, 3, 0, tzinfo=PRAGUE)):
        assert said(facts, "today", "en", now) == ["Mon"]
        assert said(facts, "tomorrow", "en", now) == ["Tue"]
        assert said(facts, "in the next hour", "en", now) == ["Mon 08:30-09:30"]
        every = [f"{day} 00:00-12:00" for day in ("Mon", "Tue", "Wed", "Thu", "Fri")]
        assert said(facts, "in the morning", "en", now) == every


def test_now_is_read_in_the_conferences_zone(facts: ConferenceFacts) -> None:
    """At 23:30 UTC on Wednesday it is Thursday in Prague."""
    assert said(facts, "today", "en", datetime(2024, 7, 10, 23, 30, tzinfo=ZoneInfo("UTC"))) == ["Thu"]


def test_without_any_known_day_weekdays_are_the_next_ones() -> None:
    """A conference without dates or sessions still gives a sensible Friday."""
    facts = ConferenceFacts(conference_id="c")
    assert said(facts, "on Friday", "en", datetime(2024, 7, 10, 9, 0, tzinfo=ZoneInfo("UTC"))) == ["Fri"]


def test_ranges_keep_wall_clock_time_over_a_change_of_summer_time() -> None:
    """The day the clocks change has 23 hours, and its end is still midnight."""
    row = {"id": "c", "start_date": "2024-03-30", "end_date": "2024-03-31", "timezone": "Europe/Prague"}
    times = parse_times("on Sunday", gather_facts(row, []), datetime(2024, 3, 30, 12, 0, tzinfo=PRAGUE))
    (span,) = times.ranges
    assert span.start is not None
    assert span.end is not None
    assert (span.end.astimezone(ZoneInfo("UTC")) - span.start.astimezone(ZoneInfo("UTC"))).total_seconds() == 23 * 3600


def test_a_very_long_question_is_read_quickly(facts: ConferenceFacts) -> None:
    """100,000 characters of near-misses end at once: patterns are not run over all of it."""
    assert parse_times("on the next the next at 3 to " * 4000, facts, WEDNESDAY_LUNCH).rest

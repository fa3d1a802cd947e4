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
        runs = f" not over at {span.runs_at:%H:%M}" if span.runs_at else ""
        found.append(f"{span.start:%a}" + ("" if hours == " 00:00-00:00" else hours) + runs)
    return found


ENGLISH = [
    ("post-lunch sessions on Thursday", ["Thu 14:00-18:00"]),
    ("by 3 tomorrow", ["Thu 00:00-15:00"]),
    ("on the second to last day", ["Thu"]),
    ("the day before the last day", ["Thu"]),
    ("the penultimate day", ["Thu"]),
    ("in the next hour and a half", ["Wed 13:20-14:50"]),
    ("in an hour and a half", ["Wed 14:35-15:35"]),
    ("in the next 2 and a half hours", ["Wed 13:20-15:50"]),
    ("What is on Thu afternoon?", ["Thu 12:00-18:00"]),
    ("talks on mon", ["Mon"]),
    ("WED 14:00", ["Wed 13:45-15:00"]),
    ("weds morning", ["Wed 00:00-12:00"]),
    ("at 3 on Thu", ["Thu 14:45-16:00"]),
    ("Talks on Friday, but not in the morning", ["Fri 12:00-00:00"]),
    ("not on Friday", ["Wed", "Thu"]),
    ("not on Thursday or Friday", ["Wed"]),
    ("any day except Friday", ["Mon", "Tue", "Wed", "Thu"]),
    ("anything on Kubernetes except Friday", ["Wed", "Thu"]),
    ("tomorrow, but not over lunch", ["Thu 00:00-13:00", "Thu 14:00-00:00"]),
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
    ("What is happening right now?", ["Wed 00:00-13:35 not over at 13:20"]),
    ("what's next?", ["Wed 13:20-14:50"]),
    ("later today", ["Wed 13:20-00:00"]),
    ("tomorrow after lunch", ["Thu 14:00-18:00"]),
    ("next hour", ["Wed 13:20-14:20"]),
    ("between 2 and 4 pm", ["Wed 14:00-16:00"]),
    ("after the keynote", ["Wed 17:25-00:00"]),
    ("after the opening keynote", ["Thu 10:00-13:00"]),
    ("right after Friday's keynote", ["Fri 10:15-13:00"]),
    ("before the keynote on Friday", ["Fri 00:00-09:30"]),
    ("during the closing keynote", ["Wed 16:40-17:25"]),
    ("after the last keynote tomorrow", ["Thu 17:40-00:00"]),
    ("after the coffee break", ["Wed 15:30-00:00"]),
    ("in the morning coffee break on Friday", ["Fri 10:15-10:45"]),
    ("before the afternoon break", ["Wed 14:00-15:05"]),
    ("at half past three", ["Wed 15:15-16:30"]),
    ("quarter to four tomorrow", ["Thu 15:30-16:45"]),
    ("at a quarter past ten on Friday", ["Fri 10:00-11:15"]),
    ("at ten thirty tomorrow", ["Thu 10:15-11:30"]),
    ("at three o'clock", ["Wed 14:45-16:00"]),
    ("Is anything on at three?", ["Wed 14:45-16:00"]),
    ("between two and four", ["Wed 14:00-16:00"]),
    ("from nine to eleven on Thursday", ["Thu 09:00-11:00"]),
    ("at 1530", ["Wed 15:15-16:30"]),
    ("around noonish", ["Thu 11:45-13:00"]),
    ("Thursday noon", ["Thu 11:45-13:00"]),
    ("Friday am", ["Fri 00:00-12:00"]),
    ("Thurs pm", ["Thu 12:00-18:00"]),
    ("no later than 11 on Friday", ["Fri 00:00-11:00"]),
    ("half an hour from now", ["Wed 13:35-14:35"]),
    ("in a couple of hours", ["Wed 15:05-16:05"]),
    ("in the next few hours", ["Wed 13:20-16:20"]),
    ("in the next half hour", ["Wed 13:20-13:50"]),
    ("shortly", ["Wed 13:20-14:50"]),
    ("from Thursday on", ["Thu", "Fri"]),
    ("Thursday onwards", ["Thu", "Fri"]),
    ("What is on after Wednesday?", ["Thu", "Fri"]),
    ("before Wednesday", ["Mon", "Tue"]),
    ("until Tuesday", ["Mon", "Tue"]),
    ("for the rest of the week", ["Wed", "Thu", "Fri"]),
    ("on any day", ["Mon", "Tue", "Wed", "Thu", "Fri"]),
    ("every morning", ["Mon 00:00-12:00", "Tue 00:00-12:00", "Wed 00:00-12:00", "Thu 00:00-12:00", "Fri 00:00-12:00"]),
    ("the day before yesterday", ["Mon"]),
    ("in two days", ["Fri"]),
    ("the next day", ["Thu"]),
    ("at the end of the conference", ["Fri"]),
    ("at the very start of the conference", ["Mon"]),
    ("on the closing day", ["Fri"]),
    ("days 2 and 3", ["Tue", "Wed"]),
    ("day 2-4", ["Tue", "Wed", "Thu"]),
    ("on the first or second day", ["Mon", "Tue"]),
    ("Friday the 12th", ["Fri"]),
    ("all day Friday", ["Fri"]),
    ("early on Thursday", ["Thu 00:00-09:30"]),
    ("late on Thursday", ["Thu 16:00-19:00"]),
    ("this morning", ["Wed 00:00-12:00"]),
    ("yesterday afternoon", ["Tue 12:00-18:00"]),
    ("tommorow mornign", ["Thu 00:00-12:00"]),
    ("thursday evening after 6", ["Thu 18:00-00:00"]),
    ("from 9 to noon", ["Thu 09:00-12:00"]),
    ("Friday from 9 until noon", ["Fri 09:00-12:00"]),
    ("from noon to 3", ["Wed 12:00-15:00"]),
    ("noon to 3 on Friday", ["Fri 12:00-15:00"]),
    ("between lunch and 4pm", ["Wed 14:00-16:00"]),
    ("from lunch to 4 tomorrow", ["Thu 14:00-16:00"]),
    ("until lunch", ["Thu 00:00-13:00"]),
    ("9 till lunch", ["Thu 09:00-13:00"]),
    ("between the keynote and lunch on Friday", ["Fri 10:15-13:00"]),
    ("between the coffee breaks on Friday", ["Fri 10:45-15:05"]),
    ("Thursday 9-11", ["Thu 09:00-11:00"]),
    ("Thursday: 9 to 11", ["Thu 09:00-11:00"]),
    ("Friday afternoon 2-4", ["Fri 14:00-16:00"]),
    ("Friday 10-15 minute talks", ["Fri"]),
    ("Thursday 2 to 4 pm", ["Thu 14:00-16:00"]),
    ("on Friday 14:00-16:00", ["Fri 14:00-16:00"]),
    ("Friday 12", ["Fri"]),
    ("Friday at 12", ["Fri 11:45-13:00"]),
    ("Friday 12 to 2", ["Fri 12:00-14:00"]),
    ("Friday 12 pm", ["Fri 11:45-13:00"]),
    ("starting at 2 pm", ["Wed 14:00-00:00"]),
    ("from 2 pm on", ["Wed 14:00-00:00"]),
    ("2pm onwards on Friday", ["Fri 14:00-00:00"]),
    ("from now until 5", ["Wed 13:20-17:00"]),
    ("now till 5", ["Wed 13:20-17:00"]),
    ("from now to 5 pm", ["Wed 13:20-17:00"]),
    ("from now on", ["Wed 13:20-00:00"]),
    ("from now until Thursday", ["Wed 13:20-00:00", "Thu"]),
    ("later on Friday", ["Fri"]),
    ("later this afternoon", ["Wed 13:20-18:00"]),
    ("earlier today", ["Wed 00:00-13:20"]),
    ("on the eleventh", ["Thu"]),
    ("Friday the twelfth at 3", ["Fri 14:45-16:00"]),
    ("the 11th", ["Thu"]),
    ("after the second coffee break", ["Wed 15:30-00:00"]),
    ("D2 morning", ["Tue 00:00-12:00"]),
    ("day two afternoon", ["Tue 12:00-18:00"]),
    ("not Friday morning", ["Wed", "Thu", "Fri 12:00-00:00"]),
    ("not on Thursday or Friday morning", ["Wed", "Thu 12:00-00:00", "Fri 12:00-00:00"]),
    ("not Friday morning or afternoon", ["Wed", "Thu", "Fri 18:00-00:00"]),
    ("on Thursday or Friday, but not Friday morning", ["Thu", "Fri 12:00-00:00"]),
    ("today's talks", ["Wed"]),
    ("tomorrow's first talk", ["Thu"]),
    ("machine learning in two hours", ["Wed 15:05-16:05"]),
    ("in twenty minutes", ["Wed 13:25-14:25"]),
    ("within the next forty-five minutes", ["Wed 13:20-14:05"]),
    ("the last morning", ["Fri 00:00-12:00"]),
    ("on the second afternoon", ["Tue 12:00-18:00"]),
    ("tomorrow pm", ["Thu 12:00-18:00"]),
    ("Weds am", ["Wed 00:00-12:00"]),
    ("Day 2 pm", ["Tue 12:00-18:00"]),
    ("between lunch and the coffee break", ["Wed 14:00-15:05"]),
    ("after the second keynote on Thursday", ["Thu 17:40-00:00"]),
]

GERMAN = [
    ("am vorletzten Tag", ["Thu"]),
    ("in der nächsten halben Stunde", ["Wed 13:20-13:50"]),
    ("in anderthalb Stunden", ["Wed 14:35-15:35"]),
    ("am Do um 15 Uhr", ["Thu 14:45-16:00"]),
    ("nicht am Freitag", ["Wed", "Thu"]),
    ("alles außer Freitag", ["Wed", "Thu"]),
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
    ("Was läuft jetzt?", ["Wed 00:00-13:35 not over at 13:20"]),
    ("ab 14 Uhr", ["Wed 14:00-00:00"]),
    ("nach der Keynote", ["Wed 17:25-00:00"]),
    ("vor der Keynote am Freitag", ["Fri 00:00-09:30"]),
    ("in der Kaffeepause", ["Wed 15:05-15:30"]),
    ("um halb drei", ["Wed 14:15-15:30"]),
    ("um Viertel nach zwei", ["Wed 14:00-15:15"]),
    ("um drei Uhr", ["Wed 14:45-16:00"]),
    ("in einer halben Stunde", ["Wed 13:35-14:35"]),
    ("ab Donnerstag", ["Thu", "Fri"]),
    ("bis Dienstag", ["Mon", "Tue"]),
    ("jeden Morgen", ["Mon 00:00-12:00", "Tue 00:00-12:00", "Wed 00:00-12:00", "Thu 00:00-12:00", "Fri 00:00-12:00"]),
    ("vorgestern", ["Mon"]),
    ("am Ende der Konferenz", ["Fri"]),
    ("den ganzen Freitag", ["Fri"]),
    ("Do nachmittag", ["Thu 12:00-18:00"]),
    ("in zehn Minuten", ["Wed 13:15-14:15"]),
    ("am letzten Vormittag", ["Fri 00:00-12:00"]),
    ("am Do Nachmittag", ["Thu 12:00-18:00"]),
    ("am Do. Nachmittag", ["Thu 12:00-18:00"]),
    ("Fr. früh", ["Fri 00:00-12:00"]),
    ("Do 9-11", ["Thu 09:00-11:00"]),
    ("Freitag, den 12. um 15 Uhr", ["Fri 14:45-16:00"]),
    ("Freitag um 12", ["Fri 11:45-13:00"]),
    ("Fr um 15 Uhr", ["Fri 14:45-16:00"]),
    ("bis zum Mittagessen", ["Thu 00:00-13:00"]),
    ("von 9 bis Mittag", ["Thu 09:00-12:00"]),
    ("zwischen Mittagessen und 16 Uhr", ["Wed 14:00-16:00"]),
    ("vom Mittagessen bis 16 Uhr", ["Wed 14:00-16:00"]),
    ("ab jetzt", ["Wed 13:20-00:00"]),
    ("von jetzt bis 17 Uhr", ["Wed 13:20-17:00"]),
    ("nicht Freitag früh", ["Wed", "Thu", "Fri 12:00-00:00"]),
]

FRENCH = [
    ("l'avant-dernier jour", ["Thu"]),
    ("dans les 90 prochaines minutes", ["Wed 13:20-14:50"]),
    ("pas vendredi", ["Wed", "Thu"]),
    ("demain sauf le matin", ["Thu 12:00-00:00"]),
    ("demain à 15h", ["Thu 14:45-16:00"]),
    ("vendredi matin", ["Fri 00:00-12:00"]),
    ("après-demain", ["Fri"]),
    ("ce soir", ["Wed 17:30-00:00"]),
    ("cet après-midi", ["Wed 12:00-18:00"]),
    ("l'après-midi", ["Wed 12:00-18:00"]),
    ("dans l'après-midi de vendredi", ["Fri 12:00-18:00"]),
    ("l'après-midi du 11 juillet", ["Thu 12:00-18:00"]),
    ("dans dix minutes", ["Wed 13:15-14:15"]),
    ("le dernier matin", ["Fri 00:00-12:00"]),
    ("après le déjeuner", ["Wed 14:00-18:00"]),
    ("le dernier jour", ["Fri"]),
    ("le deuxième jour", ["Tue"]),
    ("jour 2", ["Tue"]),
    ("le 11 juillet à 10h30", ["Thu 10:15-11:30"]),
    ("entre 10h et 12h jeudi", ["Thu 10:00-12:00"]),
    ("de mercredi à vendredi", ["Wed", "Thu", "Fri"]),
    ("dans la prochaine heure", ["Wed 13:20-14:20"]),
    ("maintenant", ["Wed 00:00-13:35 not over at 13:20"]),
    ("après la keynote", ["Wed 17:25-00:00"]),
    ("pendant la pause café", ["Wed 15:05-15:30"]),
    ("à trois heures et demie", ["Wed 15:15-16:30"]),
    ("à quinze heures", ["Wed 14:45-16:00"]),
    ("dans une demi-heure", ["Wed 13:35-14:35"]),
    ("dans les deux prochaines heures", ["Wed 13:20-15:20"]),
    ("à partir de jeudi", ["Thu", "Fri"]),
    ("avant-hier", ["Mon"]),
    ("à la fin de la conférence", ["Fri"]),
    ("jeudi et vendredi après-midi", ["Thu 12:00-18:00", "Fri 12:00-18:00"]),
    ("ce matin", ["Wed 00:00-12:00"]),
    ("vendredi à 12h", ["Fri 11:45-13:00"]),
    ("le vendredi 12 à 15h", ["Fri 14:45-16:00"]),
    ("d'ici une heure", ["Wed 13:20-14:20"]),
    ("à partir de 14h", ["Wed 14:00-00:00"]),
    ("jusqu'au déjeuner", ["Thu 00:00-13:00"]),
    ("entre le déjeuner et 16h", ["Wed 14:00-16:00"]),
    ("du déjeuner à 16h", ["Wed 14:00-16:00"]),
    ("de 9h à midi", ["Thu 09:00-12:00"]),
    ("à partir de maintenant", ["Wed 13:20-00:00"]),
]

SPANISH = [
    ("en diez minutos", ["Wed 13:15-14:15"]),
    ("en la última mañana", ["Fri 00:00-12:00"]),
    ("el penúltimo día", ["Thu"]),
    ("excepto el viernes", ["Wed", "Thu"]),
    ("no el viernes", ["Wed", "Thu"]),
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
    ("ahora", ["Wed 00:00-13:35 not over at 13:20"]),
    ("después de la keynote", ["Wed 17:25-00:00"]),
    ("durante la pausa del café", ["Wed 15:05-15:30"]),
    ("a las tres y media", ["Wed 15:15-16:30"]),
    ("en media hora", ["Wed 13:35-14:35"]),
    ("a partir del jueves", ["Thu", "Fri"]),
    ("anteayer", ["Mon"]),
    ("al final de la conferencia", ["Fri"]),
    ("a las 3 de la tarde", ["Wed 14:45-16:00"]),
    ("durante la pausa de la comida", ["Wed 12:55-14:00"]),
    (
        "todas las mañanas",
        ["Mon 00:00-12:00", "Tue 00:00-12:00", "Wed 00:00-12:00", "Thu 00:00-12:00", "Fri 00:00-12:00"],
    ),
    ("el jueves al mediodía", ["Thu 11:45-13:00"]),
    ("a partir de las 14", ["Wed 14:00-00:00"]),
    ("hasta la comida", ["Thu 00:00-13:00"]),
    ("entre la comida y las 4", ["Wed 14:00-16:00"]),
    ("desde la comida hasta las 4", ["Wed 14:00-16:00"]),
    ("hasta el mediodía", ["Thu 00:00-12:00"]),
    ("el día 11", ["Thu"]),
    ("el viernes 12 a las 15", ["Fri 14:45-16:00"]),
    ("desde ahora hasta las 5", ["Wed 13:20-17:00"]),
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
        "Who gives the opening keynote?",
        "What is said in the keynote?",
        "half of the talks",
        "a quarter of all Python users",
        "between two databases",
        "software at one company",
        "What is new in coffee roasting?",
        "breaking changes after the fork",
        "the last hour of code",
        "Do you like Thunderbird?",
        "The sun also rises, not for me",
        "night owls",
        "the Monday effect",
        "tomorrow's demand forecasting",
        "today\u2019s AI challenges",
        "learn Django in two hours",
        "Friday deploys",
        "never deploy on Fridays",
        "24/7 operations",
        "the 12th edition",
        "real-time",
        "day 2 operations",
        "Python 3 - keynote",
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
    times = parse_times("Talks on testing, but not on Friday?", facts, WEDNESDAY_LUNCH)
    assert times.rest == "Talks on testing?"
    assert times.days == ("but not on Friday",)
    assert parse_times("today's talks on testing", facts, WEDNESDAY_LUNCH).rest == "talks on testing"
    assert times.phrases == ("not on Friday",)


def test_what_the_programme_has_not_is_no_time(facts: ConferenceFacts) -> None:
    """Without a keynote "after the keynote" filters nothing; on a day without one it is that day."""
    bare = ConferenceFacts.model_validate(
        facts.model_dump() | {"days": [day.model_dump() | {"keynotes": (), "breaks": ()} for day in facts.days]}
    )
    assert said(bare, "after the keynote", "en") == []
    assert parse_times("after the keynote", bare, WEDNESDAY_LUNCH).rest == "after the keynote"
    assert said(facts, "after the keynote on Monday", "en") == ["Mon"]


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

"""Answers without a model: on the sample conference, in four languages, with hostile data, when things fail."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

import pytest

from assistants.conference.assistant import ConferenceAssistant
from assistants.conference.entities import Entities
from assistants.interface import Outcome, ToolCall, ToolOutcome, TurnView, Understanding
from tests.assistants.sample_chat import PRAGUE

if TYPE_CHECKING:
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASSISTANT = ConferenceAssistant()

TALK = {
    "type": "sessions", "id": "1", "title": "Testing with Care", "score": 0.8, "facet_scores": {"why_attend": 0.8},
    "start_time": "2024-07-11T08:30:00+00:00", "end_time": "2024-07-11T09:15:00+00:00", "room": "Forum Hall",
    "speakers": ["Ada Lovelace"], "description": "Learn how to test. It is fun, and more than that.",
}  # fmt: skip
STAND = {
    "type": "exhibitors", "id": "2", "title": "Acme", "score": 0.7, "booth_number": "B4", "category": "Testing tools",
    "description": "Acme tests everything you have ever written.",
}  # fmt: skip
PERSON = {
    "type": "speakers", "id": "3", "title": "Ada Lovelace", "position": "Engineer", "company": "Acme", "score": 0.6,
    "sessions": [
        {"id": "1", "title": "Testing with Care", "start_time": "2024-07-11T08:30:00+00:00", "room": "Forum Hall"}
    ],
}  # fmt: skip


def view(
    intent: str = "session_search",
    language: str = "en",
    outcomes: tuple[ToolOutcome, ...] = (),
    **entities: Any,  # noqa: ANN401 - each entity is of its own type
) -> TurnView:
    said = Entities(**({"topic": "testing", "timezone": "Europe/Prague"} | entities))
    understanding = Understanding(
        intent=intent, query="testing?", search_type="specific", entities=said.dump(), language=language,
        decided_by="router",
    )  # fmt: skip
    now = datetime(2024, 7, 10, 12, 0, tzinfo=UTC)
    return TurnView(question="testing?", scope_id="c", now=now, understanding=understanding, outcomes=outcomes)


def outcome(
    tool: str, *results: dict[str, Any], relaxed: tuple[str, ...] = (), error: str | None = None
) -> ToolOutcome:
    return ToolOutcome(call=ToolCall(tool=tool, relaxed=relaxed), results=list(results), error=error)


BREAK = "  \n  "
"""Markdown's line break within a list item."""
DASH = "\u2013"

RECOMMENDED = {
    "en": ("These sessions fit best:", "Thursday 11 July", "At the exhibition:", "booth"),
    "de": ("Diese Programmpunkte passen am besten:", "Donnerstag, 11. Juli", "In der Ausstellung:", "Stand"),
    "fr": ("Voici les sessions qui correspondent le mieux :", "jeudi 11 juillet", "À l'exposition :", "stand"),
    "es": ("Estas sesiones son las que mejor encajan:", "jueves 11 de julio", "En la exposición:", "stand"),
}


@pytest.mark.parametrize("language", list(RECOMMENDED))
async def test_a_recommendation_reads_well_in_each_language(language: str) -> None:
    """Sessions with people, day, time in the conference's zone and room; stands with their booth."""
    seen = view("recommendation", language, (outcome("search_sessions", TALK), outcome("search_exhibitors", STAND)))
    sessions, day, exhibition, booth = RECOMMENDED[language]
    assert ASSISTANT.offline_answer(seen) == (
        f"{sessions}\n\n"
        f"- **Testing with Care** · Ada Lovelace · {day}, 10:30{DASH}11:15 · Forum Hall{BREAK}"
        "Learn how to test. It is fun, and more than that.\n\n"
        f"{exhibition}\n\n"
        f"- **Acme** · {booth} B4 · Testing tools{BREAK}"
        "Acme tests everything you have ever written."
    )


async def test_other_languages_are_answered_in_english() -> None:
    """Until somebody writes the sentences."""
    assert "These sessions fit best:" in ASSISTANT.offline_answer(
        view("recommendation", "cs", (outcome("search_sessions", TALK, STAND),))
    )


async def test_a_person_is_shown_with_work_and_talk() -> None:
    """Name, position, company, and when to hear them."""
    answer = ASSISTANT.offline_answer(view("speaker_search", outcomes=(outcome("search_speakers", PERSON),)))
    assert "- **Ada Lovelace** · Engineer, Acme" in answer
    assert "Speaks at “Testing with Care” · Thursday 11 July, 10:30 · Forum Hall" in answer


async def test_what_was_given_up_is_said() -> None:
    """In the visitor's own words; and another kind is called another kind."""
    seen = view(outcomes=(outcome("search_sessions", TALK, relaxed=("time",)),), time="Friday morning")
    assert ASSISTANT.offline_answer(seen).startswith("I found nothing for “Friday morning”, but these are near:")
    seen = view("exhibitor_search", outcomes=(outcome("search_sessions", TALK, relaxed=("types",)),))
    assert ASSISTANT.offline_answer(seen).startswith("I found no exhibitors for that, but this may help:")


async def test_a_name_that_nothing_has_is_not_pretended() -> None:
    """What is near is called near."""
    seen = view(outcomes=(outcome("search_sessions", TALK),), names=["COBOL"])
    assert ASSISTANT.offline_answer(seen).startswith("There is no exact match")


async def test_a_name_that_one_row_has_shows_that_row() -> None:
    """Not the ten nearest."""
    other = TALK | {"id": "9", "title": "Something Else", "speakers": ["Alan Turing"]}
    seen = view(outcomes=(outcome("search_sessions", other, TALK),), names=["Ada Lovelace"])
    answer = ASSISTANT.offline_answer(seen)
    assert "Testing with Care" in answer
    assert "Something Else" not in answer
    assert [source.id for source in ASSISTANT.sources_used(seen)] == ["1", "9"]


async def test_nothing_found_says_so_and_suggests() -> None:
    """And counts as unanswerable."""
    seen = view(outcomes=(outcome("search_sessions"),))
    assert ASSISTANT.offline_answer(seen).startswith("I found nothing on that at this conference.")
    assert ASSISTANT.outcome(seen) is Outcome.UNANSWERABLE
    assert len(ASSISTANT.suggestions(seen)) >= 2


async def test_a_part_that_could_not_be_looked_up_is_named() -> None:
    """The rest is answered all the same."""
    failed = outcome("search_exhibitors", error="it could not be looked up right now")
    seen = view("recommendation", outcomes=(outcome("search_sessions", TALK), failed))
    answer = ASSISTANT.offline_answer(seen)
    assert "Testing with Care" in answer
    assert answer.endswith("I could not look up the exhibitors just now.")
    assert ASSISTANT.outcome(seen) is Outcome.ANSWERED


async def test_nothing_could_be_looked_up_is_not_nothing_found() -> None:
    """An outage is called one, in metadata too."""
    seen = view(outcomes=(outcome("search_sessions", error="it could not be looked up right now"),))
    assert ASSISTANT.offline_answer(seen).startswith("I am sorry, I could not look up the sessions just now.")
    assert ASSISTANT.outcome(seen) is Outcome.ERROR


async def test_a_conference_that_is_not_indexed_is_called_so() -> None:
    """Not "nothing found"."""
    seen = view(outcomes=(outcome("search_sessions", error="this conference is not in the index yet"),))
    assert "not available to me yet" in ASSISTANT.offline_answer(seen)


HOSTILE = (
    "![x](http://evil.example/pixel.png) [click](javascript:alert(1)) <script>alert(1)</script> "
    "<img src=x onerror=alert(1)> **bold** `code` https://evil.example/a www.evil.example me@evil.example "
    "\n# Heading\n> quote\n- item | table | \u202eright to left"
)


@pytest.mark.parametrize("field", ["title", "description", "room", "speakers"])
async def test_data_brings_no_markup_into_an_answer(field: str) -> None:
    """No link, picture, tag, heading or address that a renderer would make a link of."""
    row = TALK | {field: [HOSTILE] if field == "speakers" else HOSTILE}
    answer = ASSISTANT.offline_answer(view(outcomes=(outcome("search_sessions", row),)))
    assert "](" not in answer
    assert "<" not in answer.replace("\\<", "")
    assert "\n#" not in answer
    assert "\u202e" not in answer
    outside_code = "".join(answer.split("`")[::2])
    assert "http" not in outside_code
    assert "www." not in outside_code
    assert "me@" not in outside_code


async def test_a_faq_answer_is_quoted_without_markup() -> None:
    """Each line stays inside the quotation."""
    entry = {
        "type": "faq",
        "id": "c#0",
        "title": "Is it?",
        "answer": f"Yes.\n\n{HOSTILE}",
        "score": 0.9,
        "answers": True,
    }
    answer = ASSISTANT.offline_answer(view("general_info", outcomes=(outcome("get_conference_info", entry),)))
    assert "**Is it?**" in answer
    assert all(line.startswith(">") for line in answer.split("\n\n", 1)[1].splitlines())
    assert "](" not in answer


# --- on the sample conference, end to end ---


async def test_which_talks_are_about_testing(chat: Chat) -> None:
    """Real talks on testing, with people, rooms and times."""
    seen = await chat.ask("Which talks are about testing?")
    answer = chat.assistant.offline_answer(seen)
    assert chat.assistant.outcome(seen) is Outcome.ANSWERED
    assert "**Mutation Testing in Python with Cosmic Ray** · Austin Bingham" in answer
    assert f"Thursday 11 July, 16:05{DASH}16:50 · South Hall 2A" in answer
    assert "pytest" in answer.lower()


async def test_who_can_help_me_with_scaling_my_database(chat: Chat) -> None:
    """Real people with their sessions, and real companies with their booths."""
    seen = await chat.ask("who can help me with scaling my database?")
    answer = chat.assistant.offline_answer(seen)
    assert seen.understanding is not None
    assert seen.understanding.intent == "recommendation"
    assert "These people speak about it:" in answer
    assert "**Redis** · booth A15" in answer
    assert len(chat.assistant.sources_used(seen)) == 10


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Which speakers work at Bloomberg?", ["Pablo Galindo Salgado", "Bernát Gábor", "Bloomberg"]),
        ("When and where is Armin Ronacher's keynote?", ["The Catch in Rye", "Thursday 11 July, 16:55", "Forum Hall"]),
        ("Where is the CodSpeed booth?", ["**CodSpeed** · booth C4"]),
        ("What is on on Friday morning in Forum Hall?", ["Move the Python ecosystem", "Friday 12 July, 11:20"]),
        ("Who are the keynote speakers?", ["Carol Willing", "Łukasz Langa", "Armin Ronacher"]),
        ("When does the Django Girls workshop start?", ["Monday 8 July, 09:30", "Club C"]),
        ("Where is the venue?", ["Prague Congress Centre", "Monday 8 July to Sunday 14 July"]),
        ("Is lunch included?", ["light lunch"]),
        ("Which tutorials are on Tuesday?", ["Profiling Python Code", "Pavel Filonov"]),
        ("What should I not miss?", ["Tereza Iofciu"]),
        ("Welche Vorträge gibt es am Freitag in Forum Hall?", ["Das steht auf dem Programm", "Freitag, 12. Juli"]),
        ("Quelles sessions y a-t-il vendredi matin ?", ["Voici le programme", "vendredi 12 juillet"]),
        ("¿Qué hay el viernes por la mañana en Forum Hall?", ["Este es el programa", "viernes 12 de julio"]),
    ],
)
async def test_sample_questions_are_answered_from_the_data(chat: Chat, question: str, parts: list[str]) -> None:
    """The facts a visitor wants stand in the answer."""
    answer = chat.assistant.offline_answer(await chat.ask(question))
    assert [part for part in parts if part not in answer] == []


@pytest.mark.parametrize(
    "question", ["What is the Wi-Fi password?", "What is on on Sunday?", "Who is Guido van Rossum?"]
)
async def test_what_is_not_in_the_data_is_not_made_up(chat: Chat, question: str) -> None:
    """Nothing found is an answer too."""
    seen = await chat.ask(question)
    assert chat.assistant.outcome(seen) is Outcome.UNANSWERABLE


@pytest.mark.parametrize(
    "question",
    [
        "Which talks are about testing?",
        "Where is the CodSpeed booth?",
        "Which speakers work at Bloomberg?",
        "What are the ticket prices?",
        "What is the Wi-Fi password?",
        "Hello",
        "Was läuft am Freitag?",
        "Quelles conférences parlent de Django ?",
        "¿Qué charlas hay sobre Django?",
    ],
)
async def test_suggestions_can_be_answered(chat: Chat, question: str) -> None:
    """Each of them, put as a question of its own, finds something."""
    suggested = chat.assistant.suggestions(await chat.ask(question))
    assert 1 <= len(suggested) <= 3
    for suggestion in suggested:
        seen = await chat.ask(suggestion)
        assert chat.assistant.outcome(seen) is Outcome.ANSWERED, suggestion


async def test_hello_and_thanks_cost_nothing(chat: Chat) -> None:
    """Fixed, in the visitor's language, counted as asking back."""
    for question, part in (("Hello", "I can help you"), ("Danke!", "Gern geschehen"), ("merci", "Avec plaisir")):
        seen = await chat.ask(question)
        assert part in (chat.assistant.fixed_answer(seen) or "")
        assert seen.outcomes == ()
        assert chat.assistant.outcome(seen) is Outcome.CLARIFICATION


@pytest.mark.parametrize("question", ["What is on right now?", "Which tutorial on FastAPI is running right now?"])
async def test_what_runs_now_is_on_until_it_ends(chat: Chat, question: str) -> None:
    """An hour after it began as well, listed or searched for; not when it is over."""
    title = "Migrating a Web Application from Flask to FastAPI: Avoiding Pitfalls"
    for clock, is_on in ((time(13, 40), True), (time(14, 55), True), (time(15, 20), False)):
        now = datetime.combine(date(2024, 7, 9), clock, PRAGUE)
        seen = await chat.ask(question, now=now)
        first = [row["title"] for row in seen.outcomes[0].results if row.get("answers", True)]
        assert (title in first) is is_on, clock

"""What the index takes for no answer, no turn passes off as one: the judged questions as whole turns, and the words.

Without a model, with the local embedder. The search's own figures are in docs/search.md; these are the turn's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from assistants.conference.found import offers
from assistants.interface import Outcome
from tests.assistants.conftest import DATA

if TYPE_CHECKING:
    from assistants.interface import TurnView
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

JUDGED: list[dict[str, Any]] = [json.loads(line) for line in (DATA / "queries.jsonl").read_text("utf-8").splitlines()]
UNANSWERABLE = [row["query"] for row in JUDGED if row["kind"] == "unanswerable"]
ANSWERABLE = [row["query"] for row in JUDGED if row["kind"] != "unanswerable"]

SILENT_OF_TEN = 8
"""Measured: seven are unanswerable, one is asked back. One of the others is asked in the conference's own words
(Kubernetes), one is taken for a question on its quiet room."""
REFUSED = [
    "Is there a session about migrating COBOL from a mainframe?",
    "Which exhibitor sells 3D printers?",
    "At what time does Guido van Rossum speak?",
]
"""What the index keeps silent on."""


async def outcomes(chat: Chat, questions: list[str]) -> list[Outcome]:
    return [chat.assistant.outcome(await chat.ask(question)) for question in questions]


async def test_questions_that_nothing_answers_are_not_answered(chat: Chat) -> None:
    """As many turns as measured stay silent or ask back; not one of the answerable ones is lost for it."""
    silent = [outcome is not Outcome.ANSWERED for outcome in await outcomes(chat, UNANSWERABLE)]
    assert sum(silent) >= SILENT_OF_TEN
    assert set(await outcomes(chat, ANSWERABLE)) == {Outcome.ANSWERED}


@pytest.mark.parametrize("question", REFUSED)
async def test_what_the_index_refuses_is_refused(chat: Chat, question: str) -> None:
    """Unanswerable, without sources; what is near is called near, and there are three of it at most."""
    view = await chat.ask(question)
    assert chat.assistant.outcome(view) is Outcome.UNANSWERABLE
    assert chat.assistant.sources_used(view) == []
    answer = chat.assistant.offline_answer(view)
    assert answer.startswith(("I found nothing on that", "I found no "))
    assert 1 <= answer.count("- **") <= 3


async def test_the_model_is_told_what_is_only_near(chat: Chat) -> None:
    """Under a heading of its own, after a note that nothing answers; the marks themselves stay out."""
    view = await chat.ask(REFUSED[0])
    context = chat.assistant.prompt(view).context
    found, _, near = context.partition("Only near")
    assert "Nothing was found that answers the question." in found
    assert "(nothing was found)" in found
    assert [row["title"] for row in offers(view) if json.dumps(row["title"], ensure_ascii=False) not in near] == []
    assert '"answers"' not in context


async def test_an_answer_and_what_is_near_are_told_apart_for_the_model(chat: Chat) -> None:
    """What was found elsewhere in time answers; what was near at the time asked for does not."""
    view = await chat.ask("Which talks about Cosmic Ray are there on Friday?")
    found, _, near = chat.assistant.prompt(view).context.partition("Only near")
    assert "Mutation Testing in Python with Cosmic Ray" in found
    assert "Mutation Testing in Python with Cosmic Ray" not in near
    assert near
    assert "Nothing was found that answers" not in found
    assert "Nothing was found for the time" in found


async def test_another_kind_is_an_answer_only_with_the_name_asked_for(chat: Chat) -> None:
    """Whoever a name is asked for in the wrong place is found; other sessions do not stand in for an exhibitor."""
    named = await chat.ask("Where is the booth of Armin Ronacher?")
    assert chat.assistant.outcome(named) is Outcome.ANSWERED
    assert chat.assistant.offline_answer(named).startswith("I found no exhibitors for that, but this may help:")
    assert {source.title for source in chat.assistant.sources_used(named)} >= {"Armin Ronacher"}


def first_titles(chat: Chat, view: TurnView) -> list[str]:
    return [source.title for source in chat.assistant.sources_used(view)[:2]]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Which talk does Armin Ronaccher give?", "The Catch in Rye: Seeding Change and Lessons Learned"),
        ("When does Lukasz Langa speak?", "Live coding music with PyREPL in Python 3.13"),
        ("What is MAI GIMENEZ presenting?", "Healthy code for healthy teams (or the other way around)"),
    ],
)
async def test_a_mistyped_name_is_the_name(chat: Chat, question: str, title: str) -> None:
    """What the index took it for, and letters without their accents, are no lack of a match."""
    view = await chat.ask(question)
    assert title in first_titles(chat, view)
    assert "no exact match" not in chat.assistant.offline_answer(view)

"""People are found through their sessions and sessions through their people; questions in other languages."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from search.index import SearchIndex
from search.query import EntityType, SearchQuery
from tests.assistants.sample_chat import CONFERENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assistants.interface import TurnView
    from services.embeddings.embedder import Embedder
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")


def found(view: TurnView, kind: str) -> list[dict[str, object]]:
    return [row for outcome in view.outcomes for row in outcome.results if row["type"] == kind]


@pytest.mark.parametrize(
    ("question", "titles"),
    [
        ("Which sessions does Armin Ronacher give?", {"The Catch in Rye: Seeding Change and Lessons Learned"}),
        ("What is Samuel Colvin presenting this week?", {"FastUI - panacea or pipe dream?"}),
        ("When does Petr Viktorin speak?", {"CPython Core Development Panel", "C API Summit"}),
    ],
)
async def test_a_speakers_sessions_are_found_through_him(chat: Chat, question: str, titles: set[str]) -> None:
    """As sessions, or beside the speaker: the answer names them."""
    view = await chat.ask(question)
    answer = chat.assistant.offline_answer(view).replace("\\", "")
    assert [title for title in titles if title not in answer] == []


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Who gives “Mutation Testing in Python with Cosmic Ray”?", "Austin Bingham"),
        ("Who is speaking at “The Catch in Rye”?", "Armin Ronacher"),
        ("Which speaker gives the talk “FastUI - panacea or pipe dream?”", "Samuel Colvin"),
    ],
)
async def test_a_sessions_speakers_are_found_through_it(chat: Chat, question: str, name: str) -> None:
    """The answer names who gives it."""
    view = await chat.ask(question)
    assert name in chat.assistant.offline_answer(view)


async def test_a_speaker_comes_with_where_and_when_he_speaks(chat: Chat) -> None:
    """Room and time of each of his sessions."""
    view = await chat.ask("Who is Samuel Colvin?")
    first = found(view, "speakers")[0]
    assert first["title"] == "Samuel Colvin"
    sessions = first["sessions"]
    assert isinstance(sessions, list)
    assert all(session["room"] and session["start_time"] for session in sessions)


WORDS = {
    "testen": "testing", "tests": "testing", "pruebas": "testing", "datenbanken": "databases", "datenbank": "database",
    "bases": "data", "données": "databases", "datos": "databases", "sicherheit": "security", "sécurité": "security",
    "seguridad": "security",
}  # fmt: skip
"""As little as a multilingual embedder could know, and the very words that are asked below: what is tested is that
nothing else of a question's language stands in the way, not how well any real model knows languages."""


@dataclass
class Polyglot:
    """Stands for a multilingual embedder: words of other languages lie where their English ones do."""

    english: Embedder

    def __post_init__(self) -> None:
        self.family, self.identity, self.dimensions = (
            self.english.family,
            self.english.identity,
            self.english.dimensions,
        )

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await self.english.embed([_translated(text) for text in texts])

    async def aclose(self) -> None:
        """The English one is not closed with it."""


def _translated(text: str) -> str:
    return re.sub(r"\w+", lambda word: WORDS.get(word[0].lower(), word[0]), text)


@pytest.mark.parametrize(
    ("question", "language", "word", "english"),
    [
        ("Gibt es Vorträge zum Thema Testen?", "de", "Testen", "testing"),
        ("Y a-t-il des conférences sur la sécurité ?", "fr", "sécurité", "security"),
        ("¿Hay charlas sobre seguridad?", "es", "seguridad", "security"),
        ("Welche Vorträge gibt es über Datenbanken?", "de", "Datenbanken", "databases"),
    ],
)
async def test_with_a_multilingual_embedder_the_language_of_a_question_does_not_matter(
    chat: Chat, question: str, language: str, word: str, english: str
) -> None:
    """First comes what the English word's meaning finds (no text has the word); the answer is in his language."""
    polyglot = Polyglot(chat.toolbox.embedder)
    index = SearchIndex(chat.toolbox.index._vectors, polyglot)
    there = replace(chat, toolbox=replace(chat.toolbox, index=index, embedder=polyglot))
    view = await there.ask(question)
    assert view.understanding is not None
    assert view.understanding.language == language
    meant = await chat.toolbox.index.search_with_vector(
        SearchQuery(word, CONFERENCE, EntityType.SESSIONS), await chat.toolbox.index.question_vector(english)
    )
    assert found(view, "sessions")[0]["id"] == (*meant.results, *meant.near)[0].entity_id

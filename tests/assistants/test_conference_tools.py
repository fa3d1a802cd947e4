"""The tools on the sample conference: isolation, filters, lists, failures as sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from assistants.conference.tools import make_tools
from assistants.interface import TurnView
from services import redis_keys
from services.directus_names import CONFERENCES, SESSIONS
from services.errors import ServiceUnavailableError
from tests.assistants.sample_chat import CONFERENCE, WEDNESDAY

if TYPE_CHECKING:
    from assistants.interface import ToolOutcome
    from search.query import SearchQuery, SearchResult
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOOLS = make_tools()
OTHER = "00000000-0000-4000-8000-000000000001"


async def call(chat: Chat, tool: str, *, scope_id: str | None = CONFERENCE, **arguments: Any) -> ToolOutcome:  # noqa: ANN401 - a tool takes JSON
    view = TurnView(question="?", scope_id=scope_id, now=WEDNESDAY)
    return await TOOLS[tool](arguments, view=view, toolbox=chat.toolbox)


@pytest.mark.parametrize("tool", list(TOOLS))
async def test_a_missing_conference_is_an_error_in_the_result(chat: Chat, tool: str) -> None:
    """Not an exception."""
    outcome = await call(chat, tool, scope_id=None, query="databases")
    assert outcome.error == "conference_id is missing"
    assert outcome.results == []


@pytest.mark.parametrize("tool", ["search_sessions", "search_exhibitors", "search_speakers"])
async def test_another_conference_cannot_be_asked_for(chat: Chat, tool: str) -> None:
    """Whatever the arguments say, the turn's own is searched, and an unknown one has nothing."""
    mine = await call(chat, tool, query="databases", conference_id=OTHER)
    theirs = await call(chat, tool, scope_id=OTHER, query="databases", conference_id=CONFERENCE)
    assert mine.results
    assert theirs.results == []
    assert theirs.error == "this conference is not in the index yet"


async def test_sessions_carry_what_an_answer_says(chat: Chat) -> None:
    """Speakers by name, time, room, a bounded description."""
    outcome = await call(chat, "search_sessions", query="mutation testing with Cosmic Ray")
    first = outcome.results[0]
    assert first["type"] == "sessions"
    assert first["speakers"] == ["Austin Bingham"]
    assert first["room"] == "South Hall 2A"
    assert first["start_time"].startswith("2024-07-11T1")
    assert all(len(row["description"]) <= 710 for row in outcome.results if "description" in row)


async def test_times_and_rooms_filter_sessions(chat: Chat) -> None:
    """Only sessions that begin then, and there."""
    friday = [{"start": "2024-07-12T00:00:00+02:00", "end": "2024-07-13T00:00:00+02:00"}]
    outcome = await call(
        chat, "search_sessions", query="python", time_filter=friday, location_filter=["Forum Hall"], mode="auto"
    )
    assert outcome.results
    assert {row["room"] for row in outcome.results} == {"Forum Hall"}
    assert all(row["start_time"].startswith("2024-07-12") for row in outcome.results)


async def test_speakers_are_chosen_by_their_sessions_time(chat: Chat) -> None:
    """Who speaks about testing on Friday: only people with a session on Friday, and that session."""
    friday = [{"start": "2024-07-12T00:00:00+02:00", "end": "2024-07-13T00:00:00+02:00"}]
    outcome = await call(chat, "search_speakers", query="testing", time_filter=friday, mode="auto")
    assert outcome.results
    for row in outcome.results:
        assert all(session["start_time"].startswith("2024-07-12") for session in row["sessions"])


async def test_without_a_query_the_programme_is_listed_in_order(chat: Chat) -> None:
    """Straight from Directus, by time, within the filters, with the speakers' names."""
    morning = [{"start": "2024-07-12T07:00:00Z", "end": "2024-07-12T10:00:00Z"}]
    outcome = await call(
        chat, "search_sessions", query="", time_filter=morning, location_filter=["Forum Hall"], limit=20
    )
    times = [row["start_time"] for row in outcome.results]
    assert times == sorted(times)
    assert "Move the Python ecosystem to the stable ABI" in [row["title"] for row in outcome.results]
    assert ["Victor Stinner"] in [row.get("speakers") for row in outcome.results]


async def test_a_kind_of_session_can_be_listed(chat: Chat) -> None:
    """The six keynotes of the sample."""
    outcome = await call(chat, "search_sessions", query="", kind="keynote", limit=20)
    assert len(outcome.results) == 6


@pytest.mark.parametrize(
    "arguments",
    [{"limit": 0}, {"limit": "many"}, {"limit": 5000}, {"query": "x" * 5000}, {"time_filter": [{"start": "never"}]}],
)
async def test_bad_arguments_are_an_error_in_the_result(chat: Chat, arguments: dict[str, Any]) -> None:
    """A model or a replay may send anything."""
    outcome = await call(chat, "search_sessions", **({"query": "a"} | arguments))
    assert outcome.error
    assert outcome.error.endswith("is not valid")


class AwayIndex:
    async def search(self, _query: SearchQuery) -> SearchResult:
        raise ServiceUnavailableError("qdrant", "Qdrant is not reachable at http://10.1.2.3:6333")


async def test_an_index_that_is_away_is_a_sentence_without_internals(chat: Chat) -> None:
    """The visitor's model gets no address."""
    toolbox = replace(chat.toolbox, index=AwayIndex())  # type: ignore[arg-type]  # only search is called
    view = TurnView(question="?", scope_id=CONFERENCE, now=WEDNESDAY)
    outcome = await TOOLS["search_sessions"]({"query": "databases"}, view=view, toolbox=toolbox)
    assert outcome.error == "it could not be looked up right now"


async def test_the_nearest_faq_entry_comes_first(chat: Chat) -> None:
    """Behind the conference's own row."""
    for query, title in (
        ("How much is a ticket?", "ticket prices"),
        ("Can I bring my kid?", "childcare"),
        ("When is the party?", "social event"),
        ("Do I have to wear a mask?", "COVID"),
        ("Is there vegan food?", "vegetarian"),
    ):
        outcome = await call(chat, "get_conference_info", query=query)
        assert outcome.results[0]["title"] == "EuroPython 2024"
        assert title in outcome.results[1]["title"]
        assert outcome.results[1]["answers"]


@pytest.mark.parametrize(
    "question",
    [
        "What is the Wi-Fi password?",
        "What is the Wi-Fi password at the venue?",
        "Who is the mayor of Prague?",
        "Which restaurant near the venue is the best?",
    ],
)
async def test_what_the_faq_does_not_know_is_not_near(chat: Chat, question: str) -> None:
    """The entries are still there for a model to judge; that the row knows the venue's address is no answer."""
    outcome = await call(chat, "get_conference_info", query=question)
    assert len(outcome.results) == 5
    assert not any(row["answers"] for row in outcome.results[1:])
    assert outcome.results[0]["score"] == 0.0


async def test_the_row_counts_when_it_is_what_was_asked(chat: Chat) -> None:
    """When and where."""
    outcome = await call(chat, "get_conference_info", query="Where is the venue?")
    assert outcome.results[0]["score"] == 1.0
    assert "Prague" in outcome.results[0]["venue"]


async def test_the_conference_is_read_once_and_again_when_dropped(chat: Chat) -> None:
    """Cached in Redis; whoever changes the row drops the key and the next answer is new."""
    key = redis_keys.conference(CONFERENCE)
    await call(chat, "get_conference_info", query="Where is the venue?")
    before = chat.standin.requests
    await call(chat, "get_conference_info", query="Where is the venue?")
    assert chat.standin.requests == before
    assert 0 < await chat.toolbox.redis.ttl(key) <= redis_keys.CONFERENCE_TTL_S
    old = (await chat.toolbox.directus.read_item(CONFERENCES, CONFERENCE))["venue"]
    await chat.toolbox.directus.update_item(CONFERENCES, CONFERENCE, {"venue": "Elsewhere"})
    await chat.toolbox.redis.delete(key)
    outcome = await call(chat, "get_conference_info", query="Where is the venue?")
    assert outcome.results[0]["venue"] == "Elsewhere"
    await chat.toolbox.directus.update_item(CONFERENCES, CONFERENCE, {"venue": old})
    await chat.toolbox.redis.delete(key)


class AwayRedis:
    async def mget(self, _keys: tuple[str, ...]) -> list[bytes]:
        raise ServiceUnavailableError("redis", "away")


async def test_without_redis_the_row_is_read_each_time(chat: Chat) -> None:
    """The cache is a convenience."""
    toolbox = replace(chat.toolbox, redis=AwayRedis())  # type: ignore[arg-type]  # only mget is called
    view = TurnView(question="Where is the venue?", scope_id=CONFERENCE, now=WEDNESDAY)
    outcome = await TOOLS["get_conference_info"]({}, view=view, toolbox=toolbox)
    assert outcome.error is None
    assert outcome.results


async def test_a_list_shows_the_row_as_it_is_now(chat: Chat) -> None:
    """A room changed a moment ago is in the list without any index."""
    morning = [{"start": "2024-07-12T09:20:00Z", "end": "2024-07-12T09:21:00Z"}]
    row = (await call(chat, "search_sessions", query="", time_filter=morning)).results[0]
    await chat.toolbox.directus.update_item(SESSIONS, row["id"], {"room": "Garden"})
    changed = await call(chat, "search_sessions", query="", time_filter=morning)
    assert "Garden" in [session["room"] for session in changed.results]
    await chat.toolbox.directus.update_item(SESSIONS, row["id"], {"room": row["room"]})

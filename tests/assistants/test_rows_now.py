"""An answer is true of Directus as it is now, whatever the index has not heard of."""

from __future__ import annotations

import asyncio
import copy
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from assistants.conference.tools import make_tools
from assistants.conference.tools.rows_now import PATIENCE_S
from assistants.interface import TurnView
from services.directus_names import EXHIBITORS, SESSIONS
from services.errors import ServiceUnavailableError
from tests.assistants.sample_chat import CONFERENCE, WEDNESDAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.directus.client import Directus
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

TITLE = "Mutation Testing in Python with Cosmic Ray"
FRIDAY = [{"start": "2024-07-12T00:00:00+02:00", "end": "2024-07-13T00:00:00+02:00"}]
THURSDAY = [{"start": "2024-07-11T00:00:00+02:00", "end": "2024-07-12T00:00:00+02:00"}]


async def rows(
    chat: Chat, tool: str, query: str, directus: Directus | None = None, **arguments: object
) -> list[dict[str, Any]]:
    toolbox = replace(chat.toolbox, directus=directus or chat.toolbox.directus)
    view = TurnView(question=query, scope_id=CONFERENCE, now=WEDNESDAY)
    given = {"query": query, "mode": "auto"} | arguments
    return (await make_tools()[tool](given, view=view, toolbox=toolbox)).results


@pytest.fixture
def untold(chat: Chat) -> Iterator[None]:
    """Directus as it was, after a test that changed it without telling the index."""
    kept = copy.deepcopy(chat.standin.tables.rows)
    yield
    chat.standin.tables.rows = kept


@pytest.mark.usefixtures("untold")
async def test_a_deleted_session_is_never_offered(chat: Chat) -> None:
    """Neither itself nor through who gave it."""
    (first, *_) = await rows(chat, "search_sessions", TITLE)
    assert first["title"] == TITLE
    chat.standin.tables.delete(SESSIONS, first["id"])
    assert first["id"] not in {row["id"] for row in await rows(chat, "search_sessions", TITLE)}
    (speaker, *_) = await rows(chat, "search_speakers", "Austin Bingham")
    assert TITLE not in str(speaker)


@pytest.mark.usefixtures("untold")
async def test_a_moved_session_is_where_and_when_it_is_now(chat: Chat) -> None:
    """In the row, and for the filters."""
    (first, *_) = await rows(chat, "search_sessions", TITLE)
    moved = {"room": "Garden", "start_time": "2024-07-12T08:00:00.000Z", "end_time": "2024-07-12T08:30:00.000Z"}
    await chat.toolbox.directus.update_item(SESSIONS, first["id"], moved)
    (now, *_) = await rows(chat, "search_sessions", TITLE)
    assert {key: now[key] for key in moved} == moved
    assert now["score"] == first["score"]
    assert TITLE not in {row["title"] for row in await rows(chat, "search_sessions", TITLE, time_filter=THURSDAY)}
    (speaker, *_) = await rows(chat, "search_speakers", "Austin Bingham", time_filter=FRIDAY)
    assert [session["room"] for session in speaker["sessions"]] == ["Garden"]


@pytest.mark.usefixtures("untold")
async def test_a_moved_stand_is_where_it_is_now(chat: Chat) -> None:
    """A stand that stands nowhere has no booth."""
    (first, *_) = await rows(chat, "search_exhibitors", "CodSpeed")
    for booth in ("Z9", None):
        await chat.toolbox.directus.update_item(EXHIBITORS, first["id"], {"booth_number": booth})
        (now, *_) = await rows(chat, "search_exhibitors", "CodSpeed")
        assert now.get("booth_number") == booth


@pytest.mark.usefixtures("untold")
async def test_what_went_to_another_conference_is_not_offered(chat: Chat) -> None:
    """A conference sees its own data only, whatever the index still has."""
    (first, *_) = await rows(chat, "search_sessions", TITLE)
    chat.standin.tables.rows[SESSIONS][first["id"]]["conference_id"] = "00000000-0000-4000-8000-000000000001"
    assert TITLE not in {row["title"] for row in await rows(chat, "search_sessions", TITLE)}


@dataclass
class Troubled:
    """A Directus that takes its time, or is away."""

    takes_s: float = 0.0

    async def read_items(self, *_args: object, **_options: object) -> list[dict[str, Any]]:
        if not self.takes_s:
            raise ServiceUnavailableError("directus", "away")
        await asyncio.sleep(self.takes_s)
        return []


@pytest.mark.parametrize("takes_s", [0.0, 60.0])
async def test_with_directus_away_or_slow_the_index_is_believed(chat: Chat, takes_s: float) -> None:
    """And nobody waits for longer than PATIENCE_S."""
    began = time.perf_counter()
    found = await rows(chat, "search_sessions", TITLE, Troubled(takes_s))  # type: ignore[arg-type]  # only this is called
    assert found[0]["title"] == TITLE
    assert time.perf_counter() - began < PATIENCE_S + 2


async def test_a_search_reads_directus_once(chat: Chat) -> None:
    """However many rows it found."""
    before = chat.standin.requests
    assert len(await rows(chat, "search_sessions", "python", limit=30)) == 30
    assert chat.standin.requests == before + 1

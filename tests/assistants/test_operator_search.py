"""``erleah search`` finds what a turn finds, and says why: from the job to the text an operator reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cli.search import show
from services.errors import InvalidInputError
from services.queue.jobs import SearchJob
from tests.assistants.sample_chat import CONFERENCE
from worker.searching import run_search

if TYPE_CHECKING:
    from tests.assistants.sample_chat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def searched(chat: Chat, query: str, entity_type: str = "sessions", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - the job's own fields
    job = SearchJob(request_id="r", query=query, conference_id=CONFERENCE, entity_type=entity_type, **more)
    return await run_search(job, [chat.assistant], chat.toolbox)


async def test_times_and_places_are_filters_as_in_a_turn(chat: Chat, capsys: pytest.CaptureFixture[str]) -> None:
    """They are no words to search for; the filters and the rest of the question are shown."""
    asked = "talks about testing in Forum Hall on Friday"
    found = await searched(chat, asked)
    assert found["filters"]["rooms"] == ["Forum Hall"]
    assert found["filters"]["times"] == [["2024-07-12T00:00:00+02:00", "2024-07-13T00:00:00+02:00"]]
    show(found, asked=asked)
    captured = capsys.readouterr()
    assert "from 2024-07-12T00:00:00+02:00 to 2024-07-13T00:00:00+02:00, in Forum Hall" in captured.err
    assert "searched for 'talks about testing'" in captured.err


async def test_what_was_relaxed_is_said(chat: Chat, capsys: pytest.CaptureFixture[str]) -> None:
    """Cosmic Ray is on Thursday: the time is given up, and no longer a filter."""
    asked = "Which talks about Cosmic Ray are there on Friday?"
    found = await searched(chat, asked)
    assert found["relaxed"] == ["time"]
    assert "times" not in found["filters"]
    assert found["results"][0]["title"] == "Mutation Testing in Python with Cosmic Ray"
    show(found, asked=asked)
    captured = capsys.readouterr()
    assert "nothing was found so; given up: time" in captured.err
    assert "Mutation Testing in Python with Cosmic Ray" in captured.out
    assert "words " in captured.out


async def test_a_question_that_only_browses_is_a_list(chat: Chat, capsys: pytest.CaptureFixture[str]) -> None:
    """The programme then and there, in its order."""
    asked = "What is on in Forum Hall on Friday morning?"
    found = await searched(chat, asked)
    turn = await chat.ask(asked)
    assert [row["id"] for row in found["results"]] == [row["id"] for row in turn.outcomes[0].results][:10]
    show(found, asked=asked)
    assert "no subject to search for" in capsys.readouterr().err


async def test_silence_is_shown_as_silence(chat: Chat, capsys: pytest.CaptureFixture[str]) -> None:
    """Near rows apart, and the evidence that was not enough."""
    asked = "Is there a session about migrating COBOL from a mainframe?"
    found = await searched(chat, asked)
    assert found["results"] == []
    show(found, asked=asked)
    captured = capsys.readouterr()
    assert "Nothing here on that" in captured.err
    assert "evidence" in captured.err
    assert "\n   ~ 0." in captured.out
    assert "\n  1." not in captured.out


@pytest.mark.parametrize("mode", ["auto", "faceted", "master"])
async def test_with_a_mode_the_index_alone_is_asked(chat: Chat, mode: str) -> None:
    """The words as they are, without filters of theirs."""
    found = await searched(chat, "talks about testing in Forum Hall on Friday", mode=mode)
    assert (found["mode"], found["relaxed"]) == (mode, [])
    assert found["filters"] == {"conference_id": CONFERENCE}
    assert len(found["results"]) == 10


@pytest.mark.parametrize("mode", [None, "auto"])
@pytest.mark.parametrize("entity_type", ["sessions", "exhibitors", "speakers"])
async def test_a_machine_gets_the_same_keys_in_any_way(chat: Chat, entity_type: str, mode: str | None) -> None:
    """As many rows as were asked for, each with what the contract names; another type is refused."""
    found = await searched(chat, "python in the cloud", entity_type, mode=mode, limit=60)
    assert set(found) == {"mode", "query", "filters", "relaxed", "results", "near", "explain"}
    assert found["mode"] == "auto"
    assert len(found["results"]) > 50
    assert all(set(row) >= {"id", "title", "score", "facet_scores", "parts", "type"} for row in found["results"])
    with pytest.raises(InvalidInputError, match="not an entity type"):
        await searched(chat, "python", "rooms", mode=mode)

"""Looking up ahead: begun while the model still understands, taken over when it agrees, dropped when not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from assistants.interface import Guess, ToolCall, ToolOutcome, TurnView, Understanding, Understood
from services.llm.calls import Usage
from services.redis_keys import cancel_flag
from tests.worker.conftest import Librarian

if TYPE_CHECKING:
    from collections.abc import Callable

    from assistants.interface import Toolbox
    from services.llm.chain import LanguageModel
    from tests.worker.conftest import Workshop


@dataclass
class Shelf:
    """A slow tool that remembers its calls, and those that were cancelled."""

    takes_s: float = 0.0
    asked: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    found: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
        del view, toolbox
        self.asked.append(arguments["query"])
        self.began.set()
        try:
            await asyncio.sleep(self.takes_s)
        except asyncio.CancelledError:
            self.cancelled.append(arguments["query"])
            raise
        self.found.set()
        return ToolOutcome(
            call=ToolCall(tool="look_up"), results=[{"id": "1", "title": f"A book on {arguments['query']}"}]
        )


class Guesser(Librarian):
    """Guesses at once what its slow model says later: ``says``, after ``waits_for`` has happened."""

    def __init__(self, shelf: Shelf, says: str = "whales", *, sure: bool = False) -> None:
        super().__init__()
        self.shelf = shelf
        self.tools = {"look_up": shelf}
        self.says = says
        self.sure = sure
        self.waits_for: asyncio.Event | None = shelf.found

    async def guess(self, view: TurnView, toolbox: Toolbox) -> Guess:
        del view, toolbox
        return Guess(Understanding(intent="look", query="whales"), sure=self.sure)

    async def understand(self, view: TurnView, model: LanguageModel, toolbox: Toolbox) -> Understood:
        del model, toolbox
        assert view.guess is not None
        if self.waits_for is not None:
            await self.waits_for.wait()
        return Understood(Understanding(intent="look", query=self.says), Usage(5, 1, 0, 0.0001))

    def plan(self, view: TurnView) -> list[ToolCall]:
        assert view.understanding is not None
        return [ToolCall(tool="look_up", arguments={"query": view.understanding.query})]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def with_guesser(make_workshop: Callable[..., Workshop]) -> Callable[..., Workshop]:
    def make(guesser: Guesser, **settings: Any) -> Workshop:  # noqa: ANN401 - any setting
        workshop = make_workshop(**settings)
        workshop.services = replace(workshop.services, assistants={"mini": guesser})
        return workshop

    return make


async def test_what_is_confirmed_was_found_meanwhile_and_is_looked_up_once(
    with_guesser: Callable[..., Workshop], shelf: Shelf
) -> None:
    """The model answers only after the tool has: were the tool not begun ahead, this would hang."""
    shelf.takes_s = 0.05
    workshop = with_guesser(Guesser(shelf))
    message_id = workshop.ask()
    async with asyncio.timeout(5):
        await workshop.answer(message_id)
    assert shelf.asked == ["whales"]
    row = workshop.answer_to(message_id)
    assert row is not None
    assert [source["title"] for source in row["metadata"]["sources"]] == ["A book on whales"]
    assert row["metadata"]["tools_used"] == ["look_up"]
    assert row["metadata"]["timings_ms"]["saved"] >= 40
    assert row["metadata"]["timings_ms"]["execute"] < 40


async def test_a_wrong_guess_is_dropped(with_guesser: Callable[..., Workshop], shelf: Shelf) -> None:
    """Its results are in no answer, it claims no time, and what was planned is looked up."""
    workshop = with_guesser(Guesser(shelf, says="walls"))
    message_id = workshop.ask()
    await workshop.answer(message_id)
    assert shelf.asked == ["whales", "walls"]
    row = workshop.answer_to(message_id)
    assert row is not None
    assert [source["title"] for source in row["metadata"]["sources"]] == ["A book on walls"]
    assert "saved" not in row["metadata"]["timings_ms"]


async def test_a_wrong_guess_still_under_way_is_cancelled(with_guesser: Callable[..., Workshop], shelf: Shelf) -> None:
    """Nobody waits for it."""
    guesser = Guesser(shelf, says="walls")
    guesser.waits_for = None
    shelf.takes_s = 0.05
    workshop = with_guesser(guesser)
    await workshop.answer(workshop.ask())
    assert "walls" in shelf.asked
    assert "walls" not in shelf.cancelled
    assert shelf.cancelled == [asked for asked in shelf.asked if asked == "whales"]


async def test_nothing_is_looked_up_ahead_of_a_sure_guess(with_guesser: Callable[..., Workshop], shelf: Shelf) -> None:
    """There is nothing to wait for, so nothing to save."""
    guesser = Guesser(shelf, sure=True)
    guesser.waits_for = None
    workshop = with_guesser(guesser)
    message_id = workshop.ask()
    await workshop.answer(message_id)
    assert shelf.asked == ["whales"]
    row = workshop.answer_to(message_id)
    assert row is not None
    assert "saved" not in row["metadata"]["timings_ms"]


async def test_a_stop_ends_what_was_begun_ahead(with_guesser: Callable[..., Workshop], shelf: Shelf) -> None:
    """The tool is cancelled with the turn; no task is left behind."""
    guesser = Guesser(shelf)
    guesser.waits_for = asyncio.Event()
    shelf.takes_s = 60
    workshop = with_guesser(guesser)
    message_id = workshop.ask()
    answering = asyncio.create_task(workshop.answer(message_id))
    await shelf.began.wait()
    (turn,) = workshop.services.watch.live()
    await workshop.redis.set(cancel_flag(turn.answer_id), "1")
    async with asyncio.timeout(5):
        await answering
    assert shelf.cancelled == ["whales"]
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("ahead")]


async def test_time_that_runs_out_ends_what_was_begun_ahead(
    with_guesser: Callable[..., Workshop], shelf: Shelf
) -> None:
    """A model that never answers: the turn lands, and the look-up is not waited for."""
    guesser = Guesser(shelf)
    guesser.waits_for = asyncio.Event()
    shelf.takes_s = 60
    workshop = with_guesser(guesser, turn_timeout_s=1)
    message_id = workshop.ask()
    async with asyncio.timeout(10):
        await workshop.answer(message_id)
    assert shelf.cancelled == ["whales"]
    row = workshop.answer_to(message_id)
    assert row is not None
    assert row["status"] == "completed"


async def test_a_tool_that_fails_ahead_is_recorded_as_ever(with_guesser: Callable[..., Workshop], shelf: Shelf) -> None:
    """Its failure is the call's outcome; it is not paid a second time."""

    async def broken(arguments: dict[str, Any], *, view: TurnView, toolbox: Toolbox) -> ToolOutcome:
        del view, toolbox
        shelf.asked.append(arguments["query"])
        shelf.found.set()
        raise ValueError("a defect")

    guesser = Guesser(shelf)
    guesser.tools = {"look_up": broken}
    workshop = with_guesser(guesser)
    message_id = workshop.ask()
    await workshop.answer(message_id)
    assert shelf.asked == ["whales"]
    assert workshop.status_of(message_id) == "answered"

"""Lexicons are read once, kept within bounds, and keep nobody waiting but those who need them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from search.lexicons import Lexicons
from search.query import EntityType
from services.errors import NotFoundError
from services.vectors import Match, Record, Vectors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from services.vectors import Condition

TEXT = "Compilers for everyone by Ada Lovelace"


class Texts(Vectors):
    """An index whose conferences have one text each; reading ``slow`` waits for ``gate``."""

    def __init__(self) -> None:
        super().__init__("embedded://")
        self.read: list[str] = []
        self.gate = asyncio.Event()
        self.fails = False

    async def scroll(
        self, collection: str, where: Sequence[Condition] = (), *, only: Sequence[str] | None = None
    ) -> AsyncIterator[list[Record]]:
        assert (collection, only) == ("speakers_master", ("text",))
        (conference,) = where
        assert isinstance(conference, Match)
        self.read.append(str(conference.value))
        if conference.value == "slow":
            await self.gate.wait()
        if self.fails:
            raise NotFoundError("there is no index")
        yield [Record("1", {"text": TEXT})]


@pytest.fixture
async def texts() -> AsyncIterator[Texts]:
    made = Texts()
    yield made
    await made.aclose()


async def ask(lexicons: Lexicons, conference: str, question: str = "Who knows compilers?") -> None:
    assert (await lexicons.wording(question, conference, EntityType.SPEAKERS)).weights


async def test_many_that_ask_at_once_are_served_by_one_reading(texts: Texts) -> None:
    lexicons = Lexicons(texts)
    await asyncio.gather(*(ask(lexicons, "c1") for _ in range(20)))
    assert texts.read == ["c1"]


async def test_while_one_conference_is_read_no_other_waits(texts: Texts) -> None:
    """Neither one that is known, nor one to be read."""
    lexicons = Lexicons(texts)
    await ask(lexicons, "known")
    waiting = asyncio.create_task(ask(lexicons, "slow"))
    async with asyncio.timeout(5):
        await ask(lexicons, "known")
        await ask(lexicons, "other")
        assert not waiting.done()
        texts.gate.set()
        await waiting


async def test_names_that_nobody_bears_cost_no_reading(texts: Texts) -> None:
    """However many a visitor makes up."""
    lexicons = Lexicons(texts, fresh_s=60)
    for number in range(50):
        await ask(lexicons, "c1", f"Who is Xaver{number} Yilmaz?")
    assert texts.read == ["c1"]


async def test_an_old_one_answers_while_it_is_read_again(texts: Texts) -> None:
    lexicons = Lexicons(texts, fresh_s=0)
    texts.gate.set()
    await ask(lexicons, "slow")
    texts.gate.clear()
    async with asyncio.timeout(5):
        await asyncio.gather(*(ask(lexicons, "slow") for _ in range(5)))
    await asyncio.sleep(0)
    assert texts.read == ["slow", "slow"]
    texts.gate.set()


async def test_those_used_longest_ago_make_room_and_the_last_one_always_fits(texts: Texts) -> None:
    """Six words each: two fit into thirteen, one into none at all."""
    lexicons = Lexicons(texts, max_words=13)
    for conference in ("a", "b", "a", "c", "a", "b"):
        await ask(lexicons, conference)
    assert texts.read == ["a", "b", "c", "b"]
    tight = Lexicons(texts, max_words=0)
    texts.read.clear()
    await ask(tight, "a")
    await ask(tight, "a")
    assert texts.read == ["a"]


async def test_a_failed_reading_is_told_and_tried_again(texts: Texts) -> None:
    lexicons = Lexicons(texts)
    texts.fails = True
    with pytest.raises(NotFoundError):
        await ask(lexicons, "c1")
    texts.fails = False
    await ask(lexicons, "c1")


async def test_an_asker_that_is_cancelled_takes_the_reading_from_nobody(texts: Texts) -> None:
    lexicons = Lexicons(texts)
    first, second = (asyncio.create_task(ask(lexicons, "slow")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    texts.gate.set()
    await second
    assert texts.read == ["slow"]

"""The messages that flow while a fault strikes, and the eye that sees when each is answered."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import httpx

from chaos.answers import read_answer
from chaos.tally import Asked
from services.answer_ids import answer_id_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from chaos.house import House

__all__ = ["LOOKED_UP", "Traffic"]

RATE = 2.0
"""Messages a second."""
_LOOK_S = 0.25
"""The resolution of every recovery time."""
_STILL_S = 3.0
"""So long nothing may change before the rows are counted: what comes late comes by then."""
_AGAIN_S = 0.2
_IDS_AT_ONCE = 40

LOOKED_UP = "Which talks are about testing? {tag}"
"""A question that finds something in the sample conference."""
_QUESTIONS = (
    LOOKED_UP,
    "Who speaks about databases? {tag}",
    "{tag} hm, and what would you do in my place?",  # the router is unsure of it: the model is asked
)


class Traffic:
    """Messages of one fault; an async context manager that watches them from the first on."""

    def __init__(self, house: House, numbers: list[int]) -> None:
        """``numbers`` counts questions over all faults, in place, so that no tag is used twice."""
        self._house = house
        self._numbers = numbers
        self._watching: asyncio.Task[None] | None = None
        self.asked: dict[str, Asked] = {}
        self.conversations: list[str] = []
        self.tags: dict[str, str] = {}
        """By message id."""
        self.texts: dict[str, str] = {}
        """By message id, what was asked."""
        self.last_change = time.monotonic()
        self._seen: dict[str, tuple[Any, ...]] = {}

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def conversation(self, conference_id: str | None = None) -> str:
        """Begin a conversation, about the sample conference if no other is named; its id."""
        conversation_id = str(uuid4())
        row = {"id": conversation_id, "conference_id": conference_id or self._house.conference_id}
        await self._create("conversations", row)
        self.conversations.append(conversation_id)
        return conversation_id

    async def ask(self, conversation_id: str | None = None, *, question: str | None = None) -> str:
        """Write a question as any client of Directus may, into a conversation of its own if none is named; its id.

        ``question`` has a place for its ``{tag}``; without one it is the next of several. While Directus is away it
        tries again, as a client would.
        """
        tag = self.new_tag()
        text = (question or _QUESTIONS[self._numbers[0] % len(_QUESTIONS)]).format(tag=tag)
        conversation_id = conversation_id or await self.conversation()
        message_id = str(uuid4())
        self.tags[message_id] = tag
        self.texts[message_id] = text
        row = {"id": message_id, "conversation_id": conversation_id, "role": "user", "messageText": text}
        await self._create("messages", row)
        self.note(message_id, conversation_id)
        return message_id

    def new_tag(self) -> str:
        """A tag for a question that is asked some other way."""
        self._numbers[0] += 1
        return f"q{self._numbers[0]}q"

    def note(self, message_id: str, conversation_id: str) -> None:
        """Count a message that was sent some other way."""
        if conversation_id not in self.conversations:
            self.conversations.append(conversation_id)
        self.asked[message_id] = Asked(message_id, conversation_id, time.monotonic())

    async def flow(self, seconds: float, rate: float = RATE) -> None:
        """Ask again and again; questions do not wait for each other."""
        async with self.flowing(rate):
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def flowing(self, rate: float = RATE) -> AsyncIterator[None]:
        """Ask again and again meanwhile; what was begun is written to its end, for a question half asked is none."""
        is_over = asyncio.Event()
        async with asyncio.TaskGroup() as questions:
            questions.create_task(self._ask_until(is_over, questions, rate))
            try:
                yield
            finally:
                is_over.set()

    async def _ask_until(self, is_over: asyncio.Event, questions: asyncio.TaskGroup, rate: float) -> None:
        while not is_over.is_set():
            questions.create_task(self.ask())
            await asyncio.sleep(1 / rate)

    async def begun(self, message_id: str, within_s: float = 15.0) -> str:
        """Wait until some text of an answer is in Directus, and give it. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                row = self._seen.get(answer_id_of(message_id))
                if row and row[1]:
                    return str(row[1])
                await asyncio.sleep(_LOOK_S / 5)

    async def ended(self, message_id: str, within_s: float = 30.0) -> None:
        """Wait until a message is settled. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while self.asked[message_id].ended_at is None:  # noqa: ASYNC110 - the watch has no event for each
                await asyncio.sleep(_LOOK_S / 5)

    async def settled(self, within_s: float) -> bool:
        """Wait until every message is settled and nothing has changed for a while; False when the time is up first."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            is_quiet = time.monotonic() - self.last_change > _STILL_S
            if is_quiet and all(each.ended_at is not None for each in self.asked.values()):
                return True
            await asyncio.sleep(_LOOK_S)
        return False

    async def rows(self) -> list[dict[str, Any]]:
        """Every message of this traffic's conversations, as Directus has it now."""
        rows: list[dict[str, Any]] = []
        for start in range(0, len(self.conversations), _IDS_AT_ONCE):
            part = self.conversations[start : start + _IDS_AT_ONCE]
            params: dict[str, str | int] = {
                "filter[conversation_id][_in]": ",".join(part),
                "fields": "id,role,status,seq,messageText,metadata,degraded,outcome,conversation_id",
                "limit": -1,
            }
            answer = await self._house.rest.get("/items/messages", params=params)
            answer.raise_for_status()
            rows += answer.json()["data"]
        return rows

    def mistaken(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Whole answers that are about another question than their own, by both tags."""
        texts = {row["id"]: row["messageText"] or "" for row in rows}
        written = {tag: read_answer(texts.get(answer_id_of(each), "")) for each, tag in self.tags.items()}
        return [
            f"the answer to {tag} is about {its.tag}" for tag, its in written.items() if its.is_whole and its.tag != tag
        ]

    async def _create(self, collection: str, row: dict[str, Any]) -> None:
        while True:
            try:
                answer = await self._house.rest.post(f"/items/{collection}", json=row)
            except httpx.TransportError:
                answer = None
            if answer is not None and (answer.is_success or "RECORD_NOT_UNIQUE" in answer.text):
                return
            if answer is not None and not answer.is_server_error:
                answer.raise_for_status()
            await asyncio.sleep(_AGAIN_S)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if self.conversations:
                try:
                    self._see(await self.rows())
                except httpx.HTTPError:
                    continue  # Directus is away: that is the fault, not ours

    def _see(self, rows: list[dict[str, Any]]) -> None:
        now = time.monotonic()
        for gone in self._seen.keys() - {row["id"] for row in rows}:
            del self._seen[gone]
        questions = {answer_id_of(message_id): each for message_id, each in self.asked.items()}
        for row in rows:
            seen = (row["status"], row["messageText"], row["seq"])
            if self._seen.get(row["id"]) != seen:
                self._seen[row["id"]] = seen
                self.last_change = now
                if row["id"] in questions:
                    questions[row["id"]].changed_at.append(now)
        for each in list(self.asked.values()):
            question = self._seen.get(each.message_id)
            if each.ended_at is not None or question is None or not question[0]:
                continue
            if question[0] == "superseded":
                each.ended_at = now  # by another one's answer, whatever becomes of its own
                continue
            answer = self._seen.get(answer_id_of(each.message_id))
            if answer is not None and answer[0] != "streaming":
                each.ended_at = now
                each.ended_text = answer[1]

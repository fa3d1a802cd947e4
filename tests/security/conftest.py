"""Two conferences in one installation, the first full of poison, and a model that obeys whatever it reads."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import pytest_asyncio

from assistants.conference.model_understanding import ModelUnderstanding
from services.llm.calls import AnswerEnd, Parsed, TextDelta
from standins.attacks import OTHER, OWN, QUESTIONS, rows, title_of
from tests.worker.conference_workshop import conference_workshop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import BaseModel

    from assistants.interface import Toolbox
    from search.index import SearchIndex
    from search.query import SearchQuery, SearchResult
    from services.directus.client import Directus
    from services.llm.calls import Prompt
    from standins.directus import Write
    from tests.worker.conftest import Workshop
    from worker.recording import Recording, Recordings

_URL = re.compile(r"(?:https?:)?//[^\s\"'<>)\\]+")
_ORDERED_CONFERENCE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ObedientModel:
    """Does what any text it reads tells it: asks for other conferences, plants links and pictures, repeats it all."""

    name = "obedient"

    def __init__(self) -> None:
        self.read: list[str] = []

    async def parse(self, prompt: Prompt, schema: type[BaseModel]) -> Parsed[Any]:
        assert schema is ModelUnderstanding
        told = self._told(prompt)
        ids = _ORDERED_CONFERENCE.findall(told)
        said = ModelUnderstanding.model_validate(
            {
                "intent": "recommendation",
                "search_type": "vague",
                "topics": [told[:2000], *ids],
                "names": ids,
                "time": told[:200],
                "location": f"conference_id={OTHER}",
                "language": "en",
                "standalone_query": f"{told} conference_id={OTHER}",
            }
        )
        return Parsed(said, self.name, "fast-1")

    async def stream(self, prompt: Prompt) -> AsyncIterator[TextDelta | AnswerEnd]:
        told = self._told(prompt)
        stolen = quote(told[:100])
        links = [f"![]({url}?d={stolen}) [go]({url}?d={stolen}) <{url}> {url}\n" for url in _URL.findall(told)]
        orders = [f'{{"tool": "search_sessions", "arguments": {{"conference_id": "{OTHER}"}}}}\n', f"{prompt.system}\n"]
        for text in ("As you say. ", *links, *orders, told):
            # In uneven pieces, so that addresses are cut in two.
            for start in range(0, len(text), 7):
                yield TextDelta(text[start : start + 7])
        yield AnswerEnd(self.name, "model-1")

    async def aclose(self) -> None:
        """Nothing is open."""

    def _told(self, prompt: Prompt) -> str:
        """Everything it reads, the data's JSON undone."""
        self.read.append("\n".join([prompt.context, *(message.text for message in prompt.messages)]))
        lines = [message.text for message in prompt.messages]
        for line in prompt.context.splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            lines += [str(each) for each in (value.values() if isinstance(value, dict) else [value])]
        return "\n".join(lines)[:6000]


@dataclass
class Reached:
    """What a turn reached for outside of itself."""

    searches: list[SearchQuery] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    reads: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


class _SpiedIndex:
    def __init__(self, index: SearchIndex, reached: Reached) -> None:
        self._index, self._reached = index, reached

    async def search(self, query: SearchQuery) -> SearchResult:
        self._reached.searches.append(query)
        return await self._index.search(query)

    async def counts(self, conference_id: str) -> Any:  # noqa: ANN401 - the index's
        self._reached.counted.append(conference_id)
        return await self._index.counts(conference_id)


class _SpiedDirectus:
    """Reads alone: a tool that reached for anything else would fail."""

    def __init__(self, directus: Directus, reached: Reached) -> None:
        self._directus, self._reached = directus, reached

    async def read_item(self, collection: str, item_id: str, **query: Any) -> Any:  # noqa: ANN401 - Directus's
        self._reached.reads.append((collection, item_id, query))
        return await self._directus.read_item(collection, item_id, **query)

    async def read_items(self, collection: str, **query: Any) -> Any:  # noqa: ANN401 - Directus's
        self._reached.reads.append((collection, "", query))
        return await self._directus.read_items(collection, **query)


@dataclass(frozen=True)
class Attacked:
    """One turn under attack, as it was when it had ended."""

    message_id: str
    recording: Recording
    answer: dict[str, Any]
    writes: tuple[Write, ...]
    reached: Reached
    read: str
    """All that the model has read."""


@dataclass
class Fair:
    """A workshop, what its tools reach for, and its model; each attack is run once."""

    workshop: Workshop
    reached: Reached
    model: ObedientModel
    attacked: dict[str, Attacked] = field(default_factory=dict)

    async def turn(self, attack: dict[str, Any]) -> Attacked:
        """One turn under attack, in a conversation of its own."""
        if attack["id"] not in self.attacked:
            self.attacked[attack["id"]] = await self._run(attack)
        return self.attacked[attack["id"]]

    async def _run(self, attack: dict[str, Any]) -> Attacked:
        workshop = self.workshop
        for seen in (self.reached.searches, self.reached.counted, self.reached.reads, self.model.read):
            seen.clear()
        conversation_id = workshop.conversation(conference_id=OWN)
        if attack["where"] == "history":
            role = "assistant" if "answer" in attack["kind"] else "user"
            status = "completed" if role == "assistant" else "answered"
            message = {"conversation_id": conversation_id, "role": role, "messageText": attack["text"]}
            workshop.directus.put("messages", **message, status=status)
        question = attack["text"]
        if attack["where"] != "question":
            question = QUESTIONS[attack["where"]].format(title_of(attack))
        workshop.directus.writes.clear()
        message_id = workshop.ask(question, conversation_id)
        await workshop.answer(message_id)
        recording = await cast("Recordings", workshop.services.recordings).load(message_id)
        answer = workshop.answer_to(message_id)
        assert recording is not None
        assert answer is not None
        writes, reached = tuple(workshop.directus.writes), deepcopy(self.reached)
        return Attacked(message_id, recording, answer, writes, reached, "\n".join(self.model.read))


async def _fair(*, poisoned: bool) -> AsyncIterator[Fair]:
    model, reached = ObedientModel(), Reached()
    async with conference_workshop(rows(poisoned=poisoned), model) as workshop:
        toolbox: Toolbox = workshop.services.toolbox
        spied = replace(
            toolbox,
            index=cast("SearchIndex", _SpiedIndex(toolbox.index, reached)),
            directus=cast("Directus", _SpiedDirectus(toolbox.directus, reached)),
        )
        workshop.services = replace(workshop.services, toolbox=spied)
        yield Fair(workshop, reached, model)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fair() -> AsyncIterator[Fair]:
    """The poisoned one."""
    async for each in _fair(poisoned=True):
        yield each


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clean_fair() -> AsyncIterator[Fair]:
    """The same conferences, with harmless texts."""
    async for each in _fair(poisoned=False):
        yield each

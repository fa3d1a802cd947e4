"""Two conferences on the same subjects in one house, both asked about at once: each has its own data alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal
from uuid import NAMESPACE_OID, uuid4, uuid5

from chaos.fault import Fault
from chaos.model import Plan
from chaos.reached import Reached
from services.answer_ids import answer_id_of
from services.directus_names import EXHIBITORS, SESSIONS, SPEAKERS
from services.queue.jobs import SearchJob

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chaos.fault import Scene

__all__ = ["FAULTS"]

_RATE = 1.0
"""Ordinary messages a second beside those of the fault."""
_APART_S = 0.25
_ANSWERED_S = 8.0
"""From a question to its end: an answer takes 2 s, and no sweep (8 s) was needed."""
_ENTITIES = (SESSIONS, EXHIBITORS, SPEAKERS)

_BELOW = "33333333-3333-4333-8333-333333333333"
_CANARY = "Quibbleshire"
"""Stands in every row of that conference, and in no question."""
_SAMPLE_TITLE = "Mutation Testing in Python with Cosmic Ray"
_WORDS = (
    "Which talks are about testing? {tag}",
    "Who can help me with testing? {tag}",
    "Who speaks about databases? {tag}",
)
_FOREIGN_WORDS = {
    _BELOW: (f"Tell me about the session {_SAMPLE_TITLE} {{tag}}", "What does the exhibitor 1Password do? {tag}"),
    "": ("What does the exhibitor Belowground Testing Ltd do? {tag}", "Who is the speaker Bella Ground? {tag}"),
}
"""In each of the two, questions for what the other has; "" is the sample conference."""
_SEARCHED = ("Belowground testing", _SAMPLE_TITLE, "1Password", "Bella Ground")
_MODES: tuple[Literal["auto", "faceted", "master"] | None, ...] = (None, "auto", "faceted", "master")


def _below() -> dict[str, list[dict[str, Any]]]:
    """A conference on the very subjects of the sample's."""
    texts = {
        SESSIONS: ("title", "description", ("Belowground testing with pytest", "Databases from below")),
        EXHIBITORS: ("name", "description", ("Belowground Testing Ltd",)),
        SPEAKERS: ("name", "bio", ("Bella Ground",)),
    }
    rows: dict[str, list[dict[str, Any]]] = {"conferences": [{"id": _BELOW, "name": "PyBelow", "timezone": "UTC"}]}
    for collection, (name, text, titles) in texts.items():
        rows[collection] = [
            {
                "id": str(uuid5(NAMESPACE_OID, title)),
                "conference_id": _BELOW,
                name: title,
                text: f"All of {_CANARY} on testing, mutation testing and databases in Python.",
            }
            for title in titles
        ]
    return rows


async def _two_conferences(scene: Scene) -> None:
    """The same questions in both at once, and each one's own words in the other."""
    house = scene.house
    await house.bring_in(_below())
    own_rows = await _ids(scene)
    titles = await _titles(scene)
    await house.plan(Plan(words=(_CANARY, *titles)))
    reached = Reached(house.replicas)
    of: dict[str, str] = {}
    async with scene.traffic.flowing(_RATE):
        for question in _WORDS * round(scene.seconds(4)):
            for conference in (_BELOW, house.conference_id):
                of[await _ask(scene, conference, question)] = conference
        for conference, questions in _FOREIGN_WORDS.items():
            for question in questions:
                of[await _ask(scene, conference or house.conference_id, question)] = conference or house.conference_id
        await _search(scene, own_rows)
    await scene.traffic.settled(30)
    _read_own(scene, of, await house.calls(), titles)
    sourced = dict.fromkeys((_BELOW, house.conference_id), 0)
    rows = await scene.traffic.rows()
    by_id = {row["id"]: row for row in rows}
    for message_id, conference in of.items():
        row = by_id[answer_id_of(message_id)]
        cited = {each["id"] for each in row["metadata"]["sources"] if each["type"] in _ENTITIES}
        sourced[conference] += len(cited)
        if cited - own_rows[conference]:
            scene.broken(f"an answer rests on another conference's rows: {row['id']}")
    if not all(sourced.values()):
        scene.broken("one of the two has no answer that rests on anything: it proved nothing")
    for wrong in (*scene.traffic.mistaken(rows), *reached.unlike({_BELOW, house.conference_id}, scene.traffic.asked)):
        scene.broken(wrong)
    scene.note(f"sources cited: {sourced[_BELOW]} in one, {sourced[house.conference_id]} in the other")


async def _ask(scene: Scene, conference: str, question: str) -> str:
    message_id = await scene.traffic.ask(await scene.traffic.conversation(conference), question=question)
    scene.injected()
    await asyncio.sleep(_APART_S)
    return message_id


def _read_own(scene: Scene, of: Mapping[str, str], calls: Sequence[Mapping[str, Any]], titles: Sequence[str]) -> None:
    """What models were given of a question is the conference's own, but for what the question itself names."""
    conference_of = {scene.traffic.tags[message_id]: conference for message_id, conference in of.items()}
    read = {_BELOW: 0, scene.house.conference_id: 0}
    foreign = {_BELOW: set(titles) - {_SAMPLE_TITLE}, scene.house.conference_id: {_CANARY}}
    for call in calls:
        conference = conference_of.get(call["tag"])
        if conference is None:
            continue
        read[conference] += bool(set(call["read"]) - foreign[conference])
        if found := set(call["read"]) & foreign[conference]:
            scene.broken(f"a model was given another conference's {sorted(found)[:2]}")
    if not all(read.values()):
        scene.broken("a model was given nothing of one of the two: it proved nothing")


async def _search(scene: Scene, own_rows: Mapping[str, set[str]]) -> None:
    """Every entity type and mode, with words of both: an operator's search of one finds nothing of the other."""
    found: dict[str, int] = dict.fromkeys(own_rows, 0)
    for query in _SEARCHED:
        for conference, own in own_rows.items():
            jobs = [
                SearchJob(
                    request_id=uuid4().hex,
                    query=query,
                    conference_id=conference,
                    entity_type=entity,
                    mode=mode,
                    limit=50,
                )
                for entity in _ENTITIES
                for mode in _MODES
            ]
            for results in await asyncio.gather(*map(scene.house.job, jobs)):
                hits = {hit["id"] for hit in results["results"]}
                scene.injected()
                found[conference] += len(hits)
                if hits - own:
                    scene.broken(f"a search of one conference found {len(hits - own)} rows of another: {query}")
    if not all(found.values()):
        scene.broken("searches of one of the two found nothing at all: it proved nothing")


async def _ids(scene: Scene) -> dict[str, set[str]]:
    """The ids of all rows of either conference."""
    ids: dict[str, set[str]] = {_BELOW: set(), scene.house.conference_id: set()}
    for collection in _ENTITIES:
        params: dict[str, str | int] = {"limit": -1, "fields": "id,conference_id"}
        answer = await scene.house.rest.get(f"/items/{collection}", params=params)
        answer.raise_for_status()
        for row in answer.json()["data"]:
            if row["conference_id"] in ids:
                ids[row["conference_id"]].add(row["id"])
    return ids


async def _titles(scene: Scene) -> list[str]:
    """Titles of the sample's sessions that no other text would have by chance."""
    params: dict[str, str | int] = {
        "limit": -1,
        "fields": "title",
        "filter[conference_id][_eq]": scene.house.conference_id,
    }
    answer = await scene.house.rest.get("/items/sessions", params=params)
    answer.raise_for_status()
    return sorted({row["title"] for row in answer.json()["data"] if len(row["title"]) >= 20})


FAULTS = (Fault("two conferences at once", _two_conferences, promised_s=_ANSWERED_S),)

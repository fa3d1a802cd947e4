"""The sample conference into the stand-in and into a real Directus: the same rows, in the same order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.load import load_folder

if TYPE_CHECKING:
    from services.directus.client import Directus

SAMPLE = Path(__file__).parents[2] / "cli" / "demo_data"


async def test_a_load_brings_everything_and_a_second_one_writes_nothing(directus: Directus) -> None:
    first = await load_folder(directus, SAMPLE)
    assert first.problems == []
    second = await load_folder(directus, SAMPLE)
    assert second.problems == []
    assert not second.changed_anything
    assert {name: counts.unchanged for name, counts in second.counts.items()} == {
        "conferences": 1,
        "speakers": 170,
        "exhibitors": 62,
        "sessions": 172,
        "sessions_speakers": 186,
    }


async def test_every_session_is_read_with_its_speakers_in_the_file_s_order(directus: Directus) -> None:
    await load_folder(directus, SAMPLE)
    wanted = {row["id"]: row for row in json.loads((SAMPLE / "sessions.json").read_text(encoding="utf-8"))}
    fields = ["title", "description", "speakers.speakers_id"]
    rows = [row async for row in directus.iterate_items("sessions", fields=fields) if row["id"] in wanted]
    assert len(rows) == len(wanted)
    for row in rows:
        assert [link["speakers_id"] for link in row["speakers"]] == wanted[row["id"]]["speakers"]
        assert (row["title"], row["description"]) == (wanted[row["id"]]["title"], wanted[row["id"]]["description"])

"""Which speakers a session has, in which order: the rows of the junction behind ``sessions.speakers``.

Directus gives linked rows by their id. So the id of a link begins with its place in the list, and the
order of the file is the order of every later read, with no field of its own for it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from ingest.data_rows import as_uuid
from ingest.load_report import Problem
from ingest.row_batches import batches
from services.directus_names import (
    SESSIONS_SPEAKERS,
    SESSIONS_SPEAKERS_SESSION,
    SESSIONS_SPEAKERS_SPEAKER,
    SPEAKERS,
)
from services.errors import AccessDeniedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.data_rows import SessionRow
    from ingest.load_report import LoadReport
    from services.directus.client import Directus, Row

__all__ = ["link_id", "link_speakers"]


def link_id(place: int, session_id: str, speaker_id: str) -> str:
    """The id of a session's link to its speaker at ``place``, counted from 0; it sorts by place."""
    return f"{place:08x}{str(uuid5(UUID(session_id), speaker_id))[8:]}"


async def link_speakers(directus: Directus, sessions: Sequence[tuple[int, SessionRow]], outcome: LoadReport) -> None:
    """Make each session's speakers those of its row; sessions whose row says nothing of them stay as they are.

    ``sessions`` are rows that Directus holds, with their index in the file. A speaker that is not in
    Directus is left out and named in the report.
    """
    named = [(index, row) for index, row in sessions if row.speakers is not None]
    wanted_ids = (speaker for _, row in named for speaker in row.speakers or () if as_uuid(speaker))
    known = {row["id"] for row in await directus.read_by_ids(SPEAKERS, wanted_ids, fields=["id"])}
    counts = outcome.of(SESSIONS_SPEAKERS)
    wanted: dict[str, list[str]] = {}
    for index, row in named:
        wanted[row.id] = [speaker for speaker in row.speakers or () if speaker in known]
        for speaker in row.speakers or ():
            if speaker not in known:
                what = f"speaker {speaker} is in no file and not in Directus; the session was loaded without them"
                outcome.problems.append(Problem(row.file, index, row.label, what))
                counts.skipped += 1
    new: list[Row] = []
    stale: list[str] = []
    there = await _links(directus, list(wanted))
    for session, speakers in wanted.items():
        links = there[session]
        if [link[SESSIONS_SPEAKERS_SPEAKER] for link in links] == speakers:
            counts.unchanged += len(links)
            continue
        ids = {link["id"] for link in links}
        right = {link_id(place, session, speaker): speaker for place, speaker in enumerate(speakers)}
        new += [
            {"id": key, SESSIONS_SPEAKERS_SESSION: session, SESSIONS_SPEAKERS_SPEAKER: speaker}
            for key, speaker in right.items()
            if key not in ids
        ]
        stale += [str(key) for key in ids - right.keys()]
        counts.unchanged += len(ids & right.keys())
    # New ones first: a reader in between sees a speaker twice rather than not at all.
    for batch in batches(new, size_of=lambda link: link):
        await _create(directus, batch)
    for keys in batches(stale, size_of=lambda key: key):
        await directus.delete_items(SESSIONS_SPEAKERS, keys)
    counts.created += len(new)
    counts.removed += len(stale)


async def _create(directus: Directus, links: list[Row]) -> None:
    """Create links with their ids, or, in a junction that was there before us with numbers for ids, without.

    Directus gives those numbers in the order the rows are sent, so they sort by place too.
    """
    try:
        await directus.create_items(SESSIONS_SPEAKERS, links)
    except AccessDeniedError:  # Directus's answer to a UUID where a number belongs
        numbered = [{name: value for name, value in link.items() if name != "id"} for link in links]
        await directus.create_items(SESSIONS_SPEAKERS, numbered)


async def _links(directus: Directus, sessions: Sequence[str]) -> dict[str, list[Row]]:
    """The links of each session, in their order."""
    links: dict[str, list[Row]] = defaultdict(list)
    for part in batches(sessions, size_of=lambda key: key):
        rows = await directus.read_items(
            SESSIONS_SPEAKERS,
            filter={SESSIONS_SPEAKERS_SESSION: {"_in": part}},
            fields=["id", SESSIONS_SPEAKERS_SESSION, SESSIONS_SPEAKERS_SPEAKER],
            sort=["id"],
            limit=-1,
        )
        for row in rows:
            links[row[SESSIONS_SPEAKERS_SESSION]].append(row)
    return links

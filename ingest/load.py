"""``load_folder``: a conference's data files into Directus, as often as one likes.

Rows are matched by id: new ones are created, changed ones get their changed fields, the others are not
written at all, and nothing is deleted but links to speakers that a session no longer names.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingest.data_files import check_rows, read_files
from ingest.data_rows import ConferenceRow, OfConference, SessionRow
from ingest.load_report import LoadReport, Problem
from ingest.speaker_links import link_speakers
from ingest.upsert import Upsert
from services.directus_names import CONFERENCES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ingest.data_files import CheckedRow
    from services.directus.client import Directus

__all__ = ["load_folder"]

Zones = dict[str, ZoneInfo | None]
"""The conferences in Directus by id; None where the time zone is missing or none."""


async def load_folder(
    directus: Directus, folder: Path, *, report: Callable[[str], None] = lambda _line: None
) -> LoadReport:
    """Load conference.json, speakers.json, exhibitors.json and sessions.json of ``folder``.

    All files are read before anything is written. What can't be loaded is left out and named in the
    returned report; ``report`` is told of the progress, a line at a time.

    Raises InvalidInputError for a folder or file that can't be read at all, and the errors of Directus:
    run again then, it goes on where it stopped.
    """
    began = time.monotonic()
    outcome = LoadReport()
    zones: Zones | None = None
    for file in read_files(folder, outcome):
        if file.kind is ConferenceRow:
            checked = check_rows(file, {}, outcome)
        else:
            if zones is None:  # now that those of conference.json are in Directus
                zones = await _zones(directus)
            checked = _of_known_conferences(check_rows(file, zones, outcome), zones, outcome)
        upsert = Upsert(directus, outcome, report)
        await upsert.put(checked)
        sessions = [(one.index, one.row) for one in upsert.stored if isinstance(one.row, SessionRow)]
        if sessions:
            await link_speakers(directus, sessions, outcome)
            report("sessions: speakers linked")
    outcome.seconds = time.monotonic() - began
    return outcome


async def _zones(directus: Directus) -> Zones:
    zones: Zones = {}
    async for row in directus.iterate_items(CONFERENCES, fields=["timezone"]):
        try:
            zones[row["id"]] = ZoneInfo(row["timezone"]) if row["timezone"] else None
        except (ZoneInfoNotFoundError, ValueError, OSError):  # written in the Studio, by hand
            zones[row["id"]] = None
    return zones


def _of_known_conferences(checked: Sequence[CheckedRow], zones: Zones, outcome: LoadReport) -> list[CheckedRow]:
    """Leave out rows of conferences that are not there: Directus would refuse their whole batch."""
    known = []
    for one in checked:
        if isinstance(one.row, OfConference) and one.row.conference_id not in zones:
            what = f"conference_id {one.row.conference_id} is no conference of conference.json or Directus"
            outcome.of(one.row.collection).skipped += 1
            outcome.problems.append(Problem(one.row.file, one.index, one.row.label, what))
        else:
            known.append(one)
    return known

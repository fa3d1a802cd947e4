"""What ``execute`` can call for the conference assistant: three searches and one look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistants.conference.plan import CONFERENCE_INFO, SEARCH_EXHIBITORS, SEARCH_SESSIONS, SEARCH_SPEAKERS
from assistants.conference.tools.get_conference_info import GetConferenceInfo
from assistants.conference.tools.search_exhibitors import search_exhibitors
from assistants.conference.tools.search_sessions import search_sessions
from assistants.conference.tools.search_speakers import search_speakers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assistants.interface import Tool

__all__ = ["make_tools"]


def make_tools() -> Mapping[str, Tool]:
    """The tools by name; one set for each assistant, since the look-up remembers vectors."""
    return {
        SEARCH_SESSIONS: search_sessions,
        SEARCH_EXHIBITORS: search_exhibitors,
        SEARCH_SPEAKERS: search_speakers,
        CONFERENCE_INFO: GetConferenceInfo(),
    }

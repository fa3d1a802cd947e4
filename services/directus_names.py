"""The names and fixed ids Erleah has in Directus: what one room writes there, another finds.

The ids are fixed so that a role or policy is found again after somebody has renamed it in the
Studio, and so that the receiver knows the visitors' role without asking Directus.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ANSWERS_FLOW_ID",
    "ANSWERS_FLOW_NAME",
    "CONFERENCES",
    "CONTENT_CHANGED_FLOW_ID",
    "CONTENT_CHANGED_FLOW_NAME",
    "CONVERSATIONS",
    "ERLEAH_POLICY_ID",
    "ERLEAH_ROLE_ID",
    "ERLEAH_USER_EMAIL",
    "ERLEAH_USER_ID",
    "EXHIBITORS",
    "MESSAGES",
    "MESSAGE_CREATED_FLOW_ID",
    "MESSAGE_CREATED_FLOW_NAME",
    "SESSIONS",
    "SESSIONS_SPEAKERS",
    "SESSIONS_SPEAKERS_SESSION",
    "SESSIONS_SPEAKERS_SPEAKER",
    "SPEAKERS",
    "VISITOR_POLICY_ID",
    "VISITOR_ROLE_ID",
    "VISITOR_ROLE_NAME",
]

CONFERENCES: Final = "conferences"
SESSIONS: Final = "sessions"
EXHIBITORS: Final = "exhibitors"
SPEAKERS: Final = "speakers"
CONVERSATIONS: Final = "conversations"
MESSAGES: Final = "messages"

SESSIONS_SPEAKERS: Final = "sessions_speakers"
"""The junction behind ``sessions.speakers`` and ``speakers.sessions``."""
SESSIONS_SPEAKERS_SESSION: Final = "sessions_id"
SESSIONS_SPEAKERS_SPEAKER: Final = "speakers_id"
"""So ``fields=speakers.speakers_id.name`` reads a session's speakers' names."""

ERLEAH_USER_ID: Final = "e1ea4000-0000-4000-8000-000000000001"
ERLEAH_USER_EMAIL: Final = "erleah@erleah.example.com"
"""Directus wants an address; nothing is ever sent to it, and nobody can log in with it."""
ERLEAH_ROLE_ID: Final = "e1ea4000-0000-4000-8000-000000000002"
ERLEAH_POLICY_ID: Final = "e1ea4000-0000-4000-8000-000000000003"

VISITOR_ROLE_ID: Final = "e1ea4000-0000-4000-8000-000000000004"
"""The role a visitor's share is made with: ``POST /shares {collection, item, role}``."""
VISITOR_ROLE_NAME: Final = "Erleah visitor"
VISITOR_POLICY_ID: Final = "e1ea4000-0000-4000-8000-000000000005"

MESSAGE_CREATED_FLOW_ID: Final = "e1ea4000-0000-4000-8000-000000000006"
MESSAGE_CREATED_FLOW_NAME: Final = "Erleah: message created"
CONTENT_CHANGED_FLOW_ID: Final = "e1ea4000-0000-4000-8000-000000000007"
CONTENT_CHANGED_FLOW_NAME: Final = "Erleah: content changed"
ANSWERS_FLOW_ID: Final = "e1ea4000-0000-4000-8000-000000000008"
"""The worker calls it by this id: ``POST /flows/trigger/<id>``."""
ANSWERS_FLOW_NAME: Final = "Erleah: write answers"

"""What a turn begins with, read from Directus: the message, its conversation, what was said before.

The hook's payload is never believed; these rows are.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.turn import Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.directus.client import Directus

__all__ = ["Incoming", "Talk", "clean_text", "read_incoming", "read_talk"]

MAX_QUESTION_CHARS = 8000
"""The receiver takes no longer question; a row written past it is cut here."""
MAX_SAID_CHARS = 2000
"""Of each earlier message: enough to know what was spoken of, ten of them still a small prompt."""
MAX_BURST = 10
"""Unanswered questions that one answer covers."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A user message; ``asked_at`` in Unix seconds; ``is_settled`` if it needs no (more) answer."""

    message_id: str
    conversation_id: str
    conversation: Mapping[str, Any]
    text: str
    asked_at: float
    status: str | None

    @property
    def is_settled(self) -> bool:
        """Whether a turn has answered or covered it."""
        return self.status in {"answered", "superseded"}


@dataclass(frozen=True, slots=True)
class Talk:
    """The conversation up to a message: the question with the unanswered ones before it, and the history."""

    question: str
    covers: list[str]
    history: list[Said]
    answer_status: str | None
    """The status of the answer's row, None while there is none."""


async def read_incoming(directus: Directus, message_id: str) -> Incoming | None:
    """The user message of that id, or None if there is none (or it is an assistant's).

    Raises ServiceUnavailableError when Directus is away.
    """
    rows = await directus.read_items(
        "messages",
        filter={"id": {"_eq": message_id}},
        fields=[
            "id",
            "role",
            "messageText",
            "status",
            "date_created",
            "conversation_id.id",
            "conversation_id.source",
            "conversation_id.conference_id",
        ],
        limit=1,
    )
    if not rows or rows[0]["role"] != "user" or not rows[0]["conversation_id"]:
        return None
    row = rows[0]
    return Incoming(
        message_id=row["id"],
        conversation_id=row["conversation_id"]["id"],
        conversation=row["conversation_id"],
        text=row["messageText"] or "",
        asked_at=_unix(row["date_created"]),
        status=row["status"],
    )


async def read_talk(directus: Directus, incoming: Incoming, *, answer_id: str, history_limit: int) -> Talk:
    """What was said before a message, oldest first, and which unanswered messages it follows."""
    rows = await directus.read_items(
        "messages",
        filter={"conversation_id": {"_eq": incoming.conversation_id}},
        fields=["id", "role", "messageText", "status", "date_created"],
        sort=["-date_created"],
        limit=history_limit + 2 * MAX_BURST,
    )
    answer_status = next((row["status"] for row in rows if row["id"] == answer_id), None)
    before = [
        row
        for row in reversed(rows)
        if row["id"] not in {incoming.message_id, answer_id} and _unix(row["date_created"]) <= incoming.asked_at
    ]
    burst: list[dict[str, Any]] = []
    while before and _is_waiting(before[-1]) and len(burst) < MAX_BURST:
        burst.insert(0, before.pop())
    questions = [clean_text(row["messageText"] or "") for row in burst] + [clean_text(incoming.text)]
    said = [
        Said(role=row["role"], text=clean_text(row["messageText"])[:MAX_SAID_CHARS])
        for row in before
        if (row["messageText"] or "").strip() and row["status"] != "streaming"
    ]
    return Talk(
        question="\n".join(text for text in questions if text)[-MAX_QUESTION_CHARS:]
        if burst
        else questions[-1][:MAX_QUESTION_CHARS],
        covers=[row["id"] for row in burst],
        history=said[-history_limit:] if history_limit else [],
        answer_status=answer_status,
    )


def clean_text(text: str) -> str:
    """The text without control characters (newlines and tabs stay), normalised, trimmed."""
    kept = (char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"})
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def _is_waiting(row: Mapping[str, Any]) -> bool:
    """Whether a row is a user message that no answer covers yet."""
    return row["role"] == "user" and row["status"] not in {"answered", "superseded"}


def _unix(date: str | None) -> float:
    if not date:
        return 0.0
    parsed = datetime.fromisoformat(date)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()

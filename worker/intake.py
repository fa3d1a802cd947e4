"""What a turn begins with, read from Directus: the message, its conversation, what was said before.

The hook's payload is never believed; these rows are.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from services.answer_ids import answer_id_of
from worker.turn import Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.directus.client import Directus

__all__ = ["Incoming", "Talk", "clean_text", "read_incoming", "read_talk"]

MAX_QUESTION_CHARS = 8000
"""The receiver takes no longer question; a row written past it is cut here."""
MAX_SAID_CHARS = 2000
"""Of each earlier message: enough to know what was spoken of, ten of them still a small prompt."""
_SANE_TRACE = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What the receiver takes as a correlation id."""
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
    trace_id: str = ""
    """The trace that the receiver put beside the question; empty where a client wrote the row itself."""

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
            "metadata",
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
        trace_id=_trace_of(row["metadata"]),
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
    statuses = {row["id"]: row["status"] for row in rows}
    answer_status = statuses.get(answer_id)
    before = [
        row
        for row in reversed(rows)
        if row["id"] not in {incoming.message_id, answer_id} and _unix(row["date_created"]) <= incoming.asked_at
    ]
    # Wherever they stand: a question asked while another's answer was written has that answer behind it.
    waiting = [row for row in before if _is_waiting(row, answer_status=statuses.get(answer_id_of(row["id"])))]
    burst = waiting[-MAX_BURST:]
    before = [row for row in before if row not in burst]
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


def _is_waiting(row: Mapping[str, Any], *, answer_status: str | None) -> bool:
    """Whether a row is a user message that no answer covers yet; one whose answer has ended only lacks its mark."""
    is_open = row["role"] == "user" and row["status"] not in {"answered", "superseded"}
    return is_open and answer_status in {None, "streaming"}


def _trace_of(metadata: object) -> str:
    """The trace id in a question's metadata. Anybody may have written it: only a sane one counts."""
    trace_id = metadata.get("trace_id") if isinstance(metadata, dict) else None
    return trace_id if isinstance(trace_id, str) and _SANE_TRACE.fullmatch(trace_id) else ""


def _unix(date: str | None) -> float:
    if not date:
        return 0.0
    parsed = datetime.fromisoformat(date)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()

"""What a turn begins with, read from Directus: the message, its conversation, what was said before.

The hook's payload is never believed; these rows are.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from services.answer_ids import answer_id_of
from worker.turn import Said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.directus.client import Directus, Row

__all__ = [
    "Incoming",
    "Standing",
    "Talk",
    "clean_text",
    "read_begun",
    "read_covering",
    "read_incoming",
    "read_standing",
    "read_talk",
]

MAX_QUESTION_CHARS = 8000
"""The receiver takes no longer question; a row written past it is cut here."""
MAX_SAID_CHARS = 2000
"""Of each earlier message: enough to know what was spoken of, ten of them still a small prompt."""
_SANE_TRACE = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What the receiver takes as a correlation id."""
BURST = 10
"""Unanswered questions that are looked for before a message, so that a turn reads little of a long conversation."""
LATER_AT_MOST = 20
"""Answers begun since a message was asked that are read with what came before it."""
MAX_BURST = 60
"""That one answer covers. Where more than ten wait, it is looked for these: an earlier one that is left over would be
answered by itself, behind later ones."""
_SETTLED = frozenset({"answered", "superseded"})
"""What a user message's status says once a turn has answered or covered it."""


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
        return self.status in _SETTLED


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a message still wants a turn, read once it has the line to itself."""

    is_settled: bool
    """Answered or covered meanwhile, or deleted."""
    answer_status: str | None
    """The status of the answer's row, None while there is none."""
    shown_characters: int = 0
    """How long the answer's text is that earlier attempts wrote; known where a saved turn is taken up."""

    @property
    def is_due(self) -> bool:
        """Whether the message wants a turn."""
        return not self.is_settled and not self.has_ended

    @property
    def is_untouched(self) -> bool:
        """Whether it wants one that has shown nothing yet."""
        return not self.is_settled and self.answer_status is None

    @property
    def is_on_screen(self) -> bool:
        """Whether a visitor has the answer before him: its row is there, be it empty still, and has not ended."""
        return self.answer_status == "streaming"

    @property
    def has_ended(self) -> bool:
        """Whether the answer is whole, failed or stopped, though the message may lack its mark."""
        return self.answer_status not in {None, "streaming"}


@dataclass(frozen=True, slots=True)
class Talk:
    """The conversation up to a message: the question with the unanswered ones before it, and the history."""

    question: str
    covers: list[str]
    history: list[Said]
    standing: Standing
    ahead: list[str]
    """Earlier messages whose answers are on the screen and have not ended: this one's turn comes behind them."""
    later_answers: list[str]
    """Ids of answers that were begun after the message was asked, and belong to none before it."""


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


async def read_standing(directus: Directus, message_id: str, answer_id: str) -> Standing:
    """Where a message and its answer stand now."""
    found = await directus.read_by_ids("messages", (message_id, answer_id), fields=("id", "status", "messageText"))
    rows = {row["id"]: row for row in found}
    standing = _standing({key: row["status"] for key, row in rows.items()}, message_id, answer_id)
    shown = rows[answer_id]["messageText"] if answer_id in rows else ""
    return replace(standing, shown_characters=len(shown or ""))


async def read_talk(directus: Directus, incoming: Incoming, *, answer_id: str, history_limit: int) -> Talk:
    """What was said before a message, oldest first, and which earlier messages its answer covers too.

    Those are the ones that no answer is there for; where the answer is written anew, also those it covered before.
    """
    own = {incoming.message_id, answer_id}
    rows = await _rows_until(directus, incoming, own, history_limit + 2 * BURST)
    if sum(_is_waiting(row) for row in rows) > BURST:
        rows = await _rows_until(directus, incoming, own, history_limit + 2 * MAX_BURST)
    standing = _standing({row["id"]: row["status"] for row in rows}, incoming.message_id, answer_id)
    before = [row for row in reversed(rows) if row["id"] not in own]
    answers = {row["id"]: row for row in before if row["role"] != "user"}
    asked = {row["id"]: answer_id_of(row["id"]) for row in before if row["role"] == "user"}
    waiting = {row["id"]: asked[row["id"]] for row in before if _is_waiting(row)}
    covered = {message_id for message_id, its_answer in waiting.items() if its_answer not in answers}
    if standing.is_on_screen:
        covered |= await _covered_before(directus, answer_id)
    burst = [row for row in before if row["id"] in covered][-MAX_BURST:]
    questions = [clean_text(row["messageText"] or "") for row in burst] + [clean_text(incoming.text)]
    later = [row for row in answers.values() if _is_later(row, incoming) and row["id"] not in asked.values()]
    said = [
        Said(role=row["role"], text=clean_text(row["messageText"])[:MAX_SAID_CHARS])
        for row in before
        if (row["messageText"] or "").strip() and row["status"] != "streaming" and row not in burst and row not in later
    ]
    return Talk(
        question="\n".join(text for text in questions if text)[-MAX_QUESTION_CHARS:]
        if burst
        else questions[-1][:MAX_QUESTION_CHARS],
        covers=[row["id"] for row in burst],
        history=said[-history_limit:] if history_limit else [],
        standing=standing,
        ahead=[
            message_id
            for message_id, its_answer in waiting.items()
            if its_answer in answers and answers[its_answer]["status"] == "streaming"
        ],
        later_answers=[row["id"] for row in later],
    )


async def _rows_until(directus: Directus, incoming: Incoming, own: set[str], count: int) -> list[Row]:
    """The conversation's newest messages up to this one, newest first, and so many besides its ``own`` two.

    With them the answers that were begun since: those of the messages before it, and where an old message was lost,
    those of the ones behind it.
    """
    since = {"_and": [{"role": {"_eq": "assistant"}}, {"date_created": {"_gt": _iso(incoming.asked_at)}}]}
    until = {"_or": [{"date_created": {"_lte": _iso(incoming.asked_at)}}, {"id": {"_in": sorted(own)}}, since]}
    fields = ["id", "role", "messageText", "status", "date_created"]
    in_talk = {"conversation_id": {"_eq": incoming.conversation_id}}
    limit = count + len(own) + LATER_AT_MOST
    return await directus.read_items(
        "messages", filter={"_and": [in_talk, until]}, fields=fields, sort=["-date_created"], limit=limit
    )


async def _covered_before(directus: Directus, answer_id: str) -> set[str]:
    """What an answer that is there already says that it covers."""
    rows = await directus.read_by_ids("messages", [answer_id], fields=("id", "metadata"))
    return {message_id for row in rows for message_id in (row["metadata"] or {}).get("covers", ())}


async def read_covering(directus: Directus, message_id: str, later_answers: Sequence[str]) -> tuple[bool, bool]:
    """Whether one of the answers covers a message, and whether one of them is still being written."""
    rows = await directus.read_by_ids("messages", later_answers, fields=("id", "status", "metadata"))
    is_covered = any(message_id in ((row["metadata"] or {}).get("covers") or ()) for row in rows)
    return is_covered, any(row["status"] == "streaming" for row in rows)


async def read_begun(directus: Directus, message_ids: Sequence[str]) -> bool:
    """Whether there is an answer's row for any of these messages by now."""
    return bool(await directus.read_by_ids("messages", [answer_id_of(each) for each in message_ids], fields=("id",)))


def clean_text(text: str) -> str:
    """The text without control characters (newlines and tabs stay), normalised, trimmed."""
    kept = (char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"})
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def _standing(statuses: Mapping[str, str | None], message_id: str, answer_id: str) -> Standing:
    is_settled = message_id not in statuses or statuses[message_id] in _SETTLED
    return Standing(is_settled, statuses.get(answer_id))


def _is_waiting(row: Row) -> bool:
    return row["role"] == "user" and row["status"] not in _SETTLED


def _is_later(row: Row, incoming: Incoming) -> bool:
    return _unix(row["date_created"]) > incoming.asked_at


def _trace_of(metadata: object) -> str:
    """The trace id in a question's metadata. Anybody may have written it: only a sane one counts."""
    trace_id = metadata.get("trace_id") if isinstance(metadata, dict) else None
    return trace_id if isinstance(trace_id, str) and _SANE_TRACE.fullmatch(trace_id) else ""


def _unix(date: str | None) -> float:
    if not date:
        return 0.0
    parsed = datetime.fromisoformat(date)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()

"""What a turn begins with, read from Directus: the message, its conversation, what was said before.

The hook's payload is never believed; these rows are.
"""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from services.answer_ids import answer_id_of
from worker.turn import Said

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.directus.client import Directus, Row

__all__ = [
    "Incoming",
    "Standing",
    "Talk",
    "clean_text",
    "read_asked_since",
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
SINCE_AT_MOST = 20
"""Rows made since a message was asked that are read: the first of them tell who came to cover it."""
FRESH_S = 2.0
"""Behind a message that was asked so shortly ago few answers can have been begun: they are read together with what was
said before it. Not none: where Redis is emptied the line has forgotten them within that time too."""
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

    @property
    def is_fresh(self) -> bool:
        """Whether it was asked just now; False where Directus's clock is ahead of ours."""
        return 0 <= time.time() - self.asked_at <= FRESH_S


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
    is_fresh = incoming.is_fresh
    rows = await _rows_until(directus, incoming, own, history_limit + 2 * BURST, and_since=is_fresh)
    if sum(_is_waiting(row) for row in rows) > BURST:
        rows = await _rows_until(directus, incoming, own, history_limit + 2 * MAX_BURST, and_since=is_fresh)
    standing = _standing({row["id"]: row["status"] for row in rows}, incoming.message_id, answer_id)
    others = [row for row in reversed(rows) if row["id"] not in own]
    before = [row for row in others if _unix(row["date_created"]) <= incoming.asked_at]
    since = others[len(before) :]  # oldest first
    asked = {row["id"]: answer_id_of(row["id"]) for row in before if row["role"] == "user"}
    waiting = {row["id"]: asked[row["id"]] for row in before if _is_waiting(row)}
    answers = await _answers_among(directus, incoming.conversation_id, waiting.values())
    covered = {message_id for message_id, its_answer in waiting.items() if its_answer not in answers}
    if standing.is_on_screen:
        covered |= await _covered_before(directus, answer_id)
    if not standing.is_on_screen and not is_fresh:
        since = await _answers_since(directus, incoming, own)
    meanwhile = [row for row in since if row["id"] in asked.values()]
    burst = [row for row in before if row["id"] in covered][-MAX_BURST:]
    questions = [clean_text(row["messageText"] or "") for row in burst] + [clean_text(incoming.text)]
    said = [
        Said(role=row["role"], text=clean_text(row["messageText"])[:MAX_SAID_CHARS])
        for row in [*before, *meanwhile]
        if (row["messageText"] or "").strip() and row["status"] != "streaming" and row not in burst
    ]
    return Talk(
        question="\n".join(text for text in questions if text)[-MAX_QUESTION_CHARS:]
        if burst
        else questions[-1][:MAX_QUESTION_CHARS],
        covers=[row["id"] for row in burst],
        history=said[-history_limit:] if history_limit else [],
        standing=standing,
        ahead=[each for each, its_answer in waiting.items() if answers.get(its_answer) == "streaming"],
        later_answers=[row["id"] for row in since if row["id"] not in asked.values()],
    )


async def _rows_until(
    directus: Directus, incoming: Incoming, own: set[str], count: int, *, and_since: bool
) -> list[Row]:
    """The conversation's newest messages up to this one, newest first, and so many besides its ``own`` two.

    ``and_since`` adds the answers that were begun since, of which a fresh message has a few at most.
    """
    wanted = [{"date_created": {"_lte": _iso(incoming.asked_at)}}, {"id": {"_in": sorted(own)}}]
    if and_since:
        wanted.append({"role": {"_eq": "assistant"}})
    return await directus.read_items(
        "messages",
        filter={
            "_and": [
                {"conversation_id": {"_eq": incoming.conversation_id}},
                {"_or": wanted},
            ]
        },
        fields=["id", "role", "messageText", "status", "date_created"],
        sort=["-date_created"],
        limit=count + len(own),
    )


async def _answers_since(directus: Directus, incoming: Incoming, own: set[str]) -> list[Row]:
    """The first answers, its own aside, that were begun since a message was asked: of those before it, or behind."""
    rows = await _rows_since(directus, incoming, "assistant", ["id", "role", "messageText", "status"])
    return [row for row in rows if row["id"] not in own]


async def _rows_since(directus: Directus, incoming: Incoming, role: str, fields: Sequence[str]) -> list[Row]:
    """The first rows of that role that were made in the conversation since a message was asked, oldest first."""
    return await directus.read_items(
        "messages",
        filter={
            "_and": [
                {"conversation_id": {"_eq": incoming.conversation_id}},
                {"role": {"_eq": role}},
                {"date_created": {"_gt": _iso(incoming.asked_at)}},
            ]
        },
        fields=fields,
        sort=["date_created"],
        limit=SINCE_AT_MOST,
    )


async def _answers_among(directus: Directus, conversation_id: str, ids: Iterable[str]) -> dict[str, str | None]:
    """Those of the rows that are answers of this conversation, each with its status.

    A row that somebody else has made under an answer's id is none.
    """
    rows = await directus.read_by_ids("messages", [*ids], fields=("id", "role", "status", "conversation_id"))
    return {
        row["id"]: row["status"] for row in rows if row["role"] != "user" and row["conversation_id"] == conversation_id
    }


async def _covered_before(directus: Directus, answer_id: str) -> set[str]:
    """What an answer that is there already says that it covers."""
    rows = await directus.read_by_ids("messages", [answer_id], fields=("id", "metadata"))
    return {message_id for row in rows for message_id in (row["metadata"] or {}).get("covers", ())}


async def read_covering(directus: Directus, message_id: str, later_answers: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether one of the answers covers a message, and which of them are still being written.

    One that came to nothing covers nothing.
    """
    fields = ("id", "status", "messageText", "metadata")
    rows = await directus.read_by_ids("messages", later_answers, fields=fields)
    is_covered = any(
        message_id in ((row["metadata"] or {}).get("covers") or ())
        for row in rows
        if row["status"] != "failed" or (row["messageText"] or "").strip()
    )
    return is_covered, [row["id"] for row in rows if row["status"] == "streaming"]


async def read_asked_since(directus: Directus, incoming: Incoming) -> dict[str, str]:
    """By their answers' ids, the user messages that came first behind this one."""
    rows = await _rows_since(directus, incoming, "user", ["id"])
    return {answer_id_of(row["id"]): row["id"] for row in rows}


async def read_begun(directus: Directus, conversation_id: str, message_ids: Sequence[str]) -> bool:
    """Whether there is an answer's row for any of these messages by now."""
    return bool(await _answers_among(directus, conversation_id, map(answer_id_of, message_ids)))


def clean_text(text: str) -> str:
    """The text without control characters (newlines and tabs stay), normalised, trimmed."""
    kept = (char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"})
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def _standing(statuses: Mapping[str, str | None], message_id: str, answer_id: str) -> Standing:
    is_settled = message_id not in statuses or statuses[message_id] in _SETTLED
    return Standing(is_settled, statuses.get(answer_id))


def _is_waiting(row: Row) -> bool:
    return row["role"] == "user" and row["status"] not in _SETTLED


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

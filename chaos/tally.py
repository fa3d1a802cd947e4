"""What became of the messages of one fault, counted from Directus's rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaos.answers import read_answer
from services.answer_ids import answer_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Asked", "Tally", "count", "longest_recovery_s", "markdown", "table"]

LAST_WORDS_S = 0.75
"""A write that was sent before a kill is seen within this: three looks of the traffic's watch."""
_ENDED_WELL = frozenset({"completed", "cancelled"})


@dataclass(slots=True)
class Asked:
    """One message that was sent; times on the monotonic clock, in seconds.

    ``ended_text`` is the text its answer had when it was first seen ended.
    """

    message_id: str
    conversation_id: str
    at: float
    ended_at: float | None = None
    ended_text: str | None = None
    changed_at: list[float] = field(default_factory=list)
    """When its answer's row was seen to change."""


@dataclass(slots=True)
class Tally:
    """One row of the table; ``notes`` say what else was seen, ``broken`` which promise was not kept."""

    fault: str
    injected: int = 0
    sent: int = 0
    answered_once: int = 0
    answered_twice: int = 0
    lost: int = 0
    stuck: int = 0
    longest_recovery_s: float | None = None
    promised_s: float | None = None
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Whether every promise was."""
        late = self.promised_s is not None and (
            self.longest_recovery_s is None  # nothing was open when the fault struck: it proves nothing
            or self.longest_recovery_s > self.promised_s
        )
        nothing = self.sent == 0 or self.injected == 0
        return not (self.answered_twice or self.lost or self.stuck or late or nothing or self.broken)

    def as_json(self) -> dict[str, Any]:
        """One entry of ``bench/results/chaos.json``."""
        names = ("fault", "injected", "sent", "answered_once", "answered_twice", "lost", "stuck", "longest_recovery_s")
        return {name: getattr(self, name) for name in names}


def count(tally: Tally, asked: Iterable[Asked], rows: Sequence[Mapping[str, Any]], *, one_call: bool) -> None:
    """Fill in the tally from all rows of the conversations asked in.

    A message is answered once if it has one ended answer whose text is of one piece and did not change after its
    end, or if a later message's answer covers it. With ``one_call`` a text has to be one model call's, else
    several may have written on at it. Lost: nothing ended answers it. Stuck: an answer is
    streaming or the message has no mark.
    """
    by_id = {row["id"]: row for row in rows}
    answers = [row for row in rows if row["role"] == "assistant"]
    covered: dict[str, str] = {}
    for row in answers:
        if row["status"] in _ENDED_WELL:
            covered |= dict.fromkeys((row["metadata"] or {}).get("covers", ()), row["id"])
    everybody = list(asked)
    theirs = {answer_id_of(each.message_id) for each in everybody}
    tally.sent = len(everybody)
    tally.stuck = sum(row["status"] == "streaming" for row in answers)
    strangers = [row["id"] for row in answers if row["id"] not in theirs]
    tally.answered_twice = len(strangers)
    for each in everybody:
        question = by_id.get(each.message_id)
        answer = by_id.get(answer_id_of(each.message_id))
        if question is None or not question["status"]:
            tally.stuck += 1
        is_answered = answer is not None and answer["status"] in _ENDED_WELL
        if is_answered and each.message_id in covered:
            tally.answered_twice += 1
        elif is_answered and answer is not None:
            fault = _fault_of(each, answer, one_call=one_call)
            if fault:
                tally.answered_twice += 1
                tally.notes.append(f"{fault}: …{(answer['messageText'] or '')[-60:]!r}")
            else:
                tally.answered_once += 1
        elif each.message_id in covered:
            tally.answered_once += 1
        else:
            tally.lost += 1


def longest_recovery_s(asked: Iterable[Asked], marks: Sequence[float], *, goes_on: bool = False) -> float | None:
    """The longest time from a mark (a kill, a server's return) to the end of an answer that was open then.

    With ``goes_on``: to the moment when the answer's row changes again. Without marks: from the question to its end.
    """
    waits: list[float] = []
    for each in asked:
        if each.ended_at is None:
            continue
        if not marks:
            waits.append(each.ended_at - each.at)
        open_at = [mark for mark in marks if each.at <= mark <= each.ended_at]
        if goes_on:
            waits += [min(_changes_after(mark, each), default=each.ended_at) - mark for mark in open_at]
        elif open_at:
            waits.append(each.ended_at - min(open_at))
    return round(max(waits), 1) if waits else None


def _changes_after(mark: float, each: Asked) -> list[float]:
    """Changes that are not the last words of who was killed, seen a look later."""
    return [at for at in each.changed_at if at > mark + LAST_WORDS_S]


def table(tallies: Sequence[Tally]) -> str:
    """The rows as people read them."""
    width = max((len(each.fault) for each in tallies), default=5)
    lines = [f"{'fault':<{width}}  injected  sent  once  twice  lost  stuck  longest s  promised"]
    for each in tallies:
        longest = "—" if each.longest_recovery_s is None else f"{each.longest_recovery_s:.1f}"
        promised = "" if each.promised_s is None else f"≤ {each.promised_s:g}"
        lines.append(
            f"{each.fault:<{width}}  {each.injected:>8}  {each.sent:>4}  {each.answered_once:>4}  "
            f"{each.answered_twice:>5}  {each.lost:>4}  {each.stuck:>5}  {longest:>9}  {promised:>8}"
            f"{'' if each.is_kept else '  BROKEN'}"
        )
        lines += [f"{'':<{width}}    {note}" for note in (*each.notes, *each.broken)]
    return "\n".join(lines)


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows of ``bench/results/chaos.json`` as a table for a page."""
    head = "| fault | injected | sent | answered once | twice | lost | stuck | longest recovery |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        fault, *counts, longest_s = row.values()
        longest = "" if longest_s is None else f"{longest_s:g} s"
        lines.append(f"| {' | '.join(map(str, (fault, *counts, longest)))} |")
    return "\n".join(lines)


def _fault_of(each: Asked, answer: Mapping[str, Any], *, one_call: bool) -> str:
    """What is wrong with an ended answer, "" if nothing is."""
    text = answer["messageText"] or ""
    writing = read_answer(text)
    if each.ended_text is not None and text != each.ended_text:
        return "text changed after its end"
    if not writing.is_straight:
        return "a part is missing or there twice"
    if answer["status"] == "cancelled" or answer["degraded"]:
        return ""
    if not writing.is_whole:
        return "not whole"
    return "two attempts in one text" if one_call and not writing.is_of_one_call else ""

"""What the rows say at the end of a case, held to the promises."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from services.answer_ids import answer_id_of
from tests.worker.fault_story import CONVERSATIONS
from tests.worker.fault_world import script_of

if TYPE_CHECKING:
    from tests.worker.fault_story import Story

__all__ = ["Verdict"]

MAY_STAY = (b"erleah:metrics", b"erleah:reindexed-at", b"erleah:queue:")
"""Keys that need not expire: there is one of each, and what is in them is taken out again."""
STOP_RACE_S = 0.5
"""A stop that comes this shortly before the last write may lose to it."""


class Verdict:
    """What the rows say at the end, held to the promises."""

    def __init__(self, story: Story) -> None:
        self.story = story
        rows = story.world.directus.rows("messages")
        self.questions = {row["id"]: row for row in rows if row["role"] == "user"}
        self.answers = {row["id"]: row for row in rows if row["role"] == "assistant"}
        self.seen: dict[str, list[dict[str, Any]]] = {}
        self.on_screen: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        """By answer, the writes that changed a screen, each with its place among all: a screen keeps the highest seq,
        so a late write changes nothing there, nor does what puts it right."""
        for position, write in enumerate(story.world.directus.writes):
            for row in write.rows:
                if write.method != "DELETE" and row["id"] not in self.questions:
                    seen = self.seen.setdefault(row["id"], [])
                    if "seq" not in row or all(row["seq"] > earlier["seq"] for earlier in seen):
                        self.on_screen.setdefault(row["id"], []).append((position, row))
                    if "seq" in row:
                        seen.append(row)

    def pronounce(self) -> None:
        self.every_question_is_settled()
        self.what_is_covered_is_superseded()
        self.every_answer_has_ended_and_belongs_to_a_question()
        self.a_stop_is_a_stop()
        self.whole_texts()
        self.seq_grows()
        self.rows_hold_what_is_on_the_screen()
        self.in_order()
        self.nothing_is_left_behind()

    def every_question_is_settled(self) -> None:
        for message_id, row in self.questions.items():
            assert row["status"] in {"answered", "superseded"}, f"{row['messageText']} was left {row['status']}"
            if row["status"] == "answered" and answer_id_of(message_id) not in self.story.touched:
                assert answer_id_of(message_id) in self.answers, f"{row['messageText']} has no answer"
            if row["status"] == "superseded":
                self._is_covered(message_id, row)

    def _is_covered(self, message_id: str, row: dict[str, Any]) -> None:
        """Some answer says that it covers the question, or one that may have said so was deleted."""
        assert answer_id_of(message_id) not in self.answers, f"{row['messageText']} was covered and answered"
        covering = [answer for answer in self.answers.values() if message_id in answer["metadata"].get("covers", ())]
        assert covering or self._deletions_in(row["conversation_id"]), f"nothing answers {row['messageText']}"

    def _deletions_in(self, conversation_id: str) -> bool:
        numbers = [
            n for n, one in enumerate(self.story.case.asked) if CONVERSATIONS[one.conversation] == conversation_id
        ]
        ids = {self.story.message_id(number) for number in numbers}
        return bool(self.story.touched & (ids | {answer_id_of(each) for each in ids}))

    def what_is_covered_is_superseded(self) -> None:
        for answer in self.answers.values():
            covered = [self.questions.get(each) for each in (answer["metadata"] or {}).get("covers", ())]
            assert all(row is None or row["status"] == "superseded" for row in covered), "covered and open"

    def every_answer_has_ended_and_belongs_to_a_question(self) -> None:
        asked = {answer_id_of(self.story.message_id(number)) for number in range(len(self.story.case.asked))}
        for answer_id, row in self.answers.items():
            assert answer_id in asked
            assert row["status"] in {"completed", "cancelled", "failed"}, f"left {row['status']}"
        for message_id, question in self.questions.items():
            answer = self.answers.get(answer_id_of(message_id))
            if answer is not None and question["status"] == "answered" and answer["id"] not in self.story.touched:
                assert answer["status"] in {"completed", "cancelled"}, f"{question['messageText']} {answer['status']}"

    def a_stop_is_a_stop(self) -> None:
        for answer_id, stopped_at in self.story.stopped_at.items():
            row = self.answers.get(answer_id)
            if row is not None and answer_id not in self.story.touched and row["status"] != "cancelled":
                late_s = self._last_write_at(answer_id) - stopped_at
                assert late_s < STOP_RACE_S, f"{row['status']} {late_s:.2f} s after the stop"

    def _last_write_at(self, answer_id: str) -> float:
        """When the last write was done, or sent where it was done late.

        What was on its way already may win against a stop: whoever stops knows nothing of it.
        """
        return max(self.story.world.written_at[position] for position, _ in self.on_screen[answer_id])

    def whole_texts(self) -> None:
        for message_id, question in self.questions.items():
            answer = self.answers.get(answer_id_of(message_id))
            if answer is None or answer["status"] != "completed":
                continue
            text = " ".join(answer["messageText"].split())
            whole = script_of(question["messageText"])
            sentences = [f"{each}." for each in whole.removesuffix(".").split(". ")]
            kept, _, offline = text.partition("I found:")
            if not answer["metadata"]["degraded"]:
                assert text == whole, "an answer that is not degraded is whole"
            else:
                beginnings = {" ".join(sentences[:count]) for count in range(len(sentences) + 1)}
                assert kept.strip() in beginnings, f"broken: {text!r}"
                assert text, "an answer says something"
                assert "I found:" not in offline
            repeated = [each for each, times in Counter(_sentences(text)).items() if times > 1]
            assert not repeated

    def seq_grows(self) -> None:
        taken_away = self._taken_away()
        for answer_id, rows in self.seen.items():
            if answer_id in self.story.touched | taken_away:
                continue
            seqs = [row["seq"] for row in rows]
            late = [later for earlier, later in pairwise(seqs) if later <= earlier]
            # What a worker that stood still or was cut off had on its way comes behind the winner's last write, and
            # is put right (worker/late_writes.py); on no screen it changes anything.
            assert not late or self._can_write_late(), f"{seqs}"
            assert self.answers[answer_id]["seq"] == seqs[-1] == max(seqs), f"{seqs}"

    def _taken_away(self) -> set[str]:
        """Answers that were made for messages that others' answers cover, and deleted: too late, or not yet shown."""
        covered = {answer_id_of(each) for each, row in self.questions.items() if row["status"] == "superseded"}
        return {
            each
            for each in covered - self.answers.keys()
            if not any(row["messageText"] for row in self.seen.get(each, ()))
        }

    def _can_write_late(self) -> bool:
        case = self.story.case
        return bool(case.late) or any(each.what in {"pause", "redis away for one"} for each in case.befalls)

    def rows_hold_what_is_on_the_screen(self) -> None:
        """Whatever came late: once it is put right the row says what a visitor reads who was there all the time.

        Of a stopped answer it may say more: a text that came late before the stop's own write was heard of stays.
        """
        for answer_id, row in self.answers.items():
            if answer_id in self.story.touched:
                continue
            texts = [each["messageText"] for _, each in self.on_screen[answer_id] if "messageText" in each]
            is_more = row["status"] == "cancelled" and row["messageText"].startswith(texts[-1])
            assert is_more or row["messageText"] == texts[-1], (
                f"{row['status']} {row['messageText']!r}, on the screen {texts[-1]!r}"
            )

    def in_order(self) -> None:
        ends: dict[str, list[tuple[datetime, int]]] = {}
        for question in self.questions.values():
            answer_id = answer_id_of(question["id"])
            if answer_id in self.story.regenerated:
                continue  # written anew when later ones had been answered
            for position, row in self.on_screen.get(answer_id, ()):
                if row.get("status") == "completed":
                    asked_at = datetime.fromisoformat(question["date_created"])
                    ends.setdefault(question["conversation_id"], []).append((asked_at, position))
        for conversation, pairs in ends.items():
            in_time = [asked_at for asked_at, _ in sorted(pairs, key=lambda pair: pair[1])]
            assert in_time == sorted(in_time), f"out of order in {conversation}"

    def nothing_is_left_behind(self) -> None:
        """No key in Redis stays for ever, and no process has anything open for a turn that is over."""
        for database in self.story.world.redis_server.dbs.values():
            kept = [key for key, item in database._dict.items() if item.expireat is None]
            assert not [key for key in kept if not key.startswith(MAY_STAY)], f"{kept}"
        for worker in self.story.world.workers:
            if worker.is_running:
                pump: Any = worker.services.pump
                assert not pump._streams, f"{len(pump._streams)} streams are open"


def _sentences(text: str) -> list[str]:
    return [each.strip() for each in text.split(".") if each.strip()]

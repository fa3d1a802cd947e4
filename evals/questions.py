"""Judged questions, and the searches that each of them asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.query import EntityType

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Judged", "read_questions"]

_TYPES = {"session": EntityType.SESSIONS, "exhibitor": EntityType.EXHIBITORS, "speaker": EntityType.SPEAKERS}


@dataclass(frozen=True, slots=True)
class Judged:
    """One question asked of one type. ``relevant``: grade (1 or 2) by entity id; none for what nothing answers."""

    question_id: str
    text: str
    kind: str
    entity_type: EntityType
    relevant: dict[str, int]

    @property
    def key(self) -> str:
        """The search's own name."""
        return f"{self.question_id}/{self.entity_type}"


def read_questions(file: Path, known: dict[EntityType, set[str]]) -> list[Judged]:
    """The searches of a file of questions (its README says what the fields mean), one for each type judged.

    ``known`` has the ids of each type. A judged type without any relevant entity is left out, but for questions
    that nothing answers: those are asked of the types they name, or of all where they name none.
    """
    found: list[Judged] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for entity_type in [_TYPES[name] for name in row["entity_type"] or _TYPES]:
            relevant = {one: grade for one, grade in row["relevant"].items() if one in known[entity_type]}
            if relevant or row["kind"] == "unanswerable":
                found.append(Judged(row["id"], row["query"], row["kind"], entity_type, relevant))
    return found

"""What a load did: counts for each collection, and each row that was left out, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter

__all__ = ["Counts", "LoadReport", "Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that could not be loaded: where it stands, what it is called, what is wrong.

    ``index`` counts from 0, None for the file as a whole; ``label`` is the row's title, name or id.
    """

    file: str
    index: int | None
    label: str
    what: str

    def __str__(self) -> str:
        where = self.file if self.index is None else f"{self.file}[{self.index}]"
        return f"{where} {self.label!r}: {self.what}" if self.label else f"{where}: {self.what}"


@dataclass(slots=True)
class Counts:
    """Rows of one collection; ``unchanged`` ones were not written, ``skipped`` ones have a problem."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    removed: int = 0
    """Only ever links: a session's speaker that its file no longer names."""


@dataclass(slots=True)
class LoadReport:
    """The outcome of one load, by collection; ``seconds`` is the time it took."""

    counts: dict[str, Counts] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    ignored_fields: dict[str, Counter[str]] = field(default_factory=dict)
    """Fields of the files that Directus has no place for, and how often they came."""
    seconds: float = 0.0

    @property
    def changed_anything(self) -> bool:
        """Whether a row was written; a second load of the same files changes nothing."""
        return any(counts.created or counts.updated or counts.removed for counts in self.counts.values())

    def of(self, collection: str) -> Counts:
        """The counts of a collection, made when first asked for."""
        return self.counts.setdefault(collection, Counts())

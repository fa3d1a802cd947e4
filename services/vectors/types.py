"""Points, hits and conditions, in our own words; Qdrant's types stay inside this room."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "AnyOf",
    "Condition",
    "Either",
    "Every",
    "Hit",
    "Layout",
    "Match",
    "Nearest",
    "Not",
    "PayloadIndex",
    "Point",
    "Range",
    "Record",
    "Shape",
]

PayloadIndex = Literal["tenant", "keyword", "datetime"]
"""``tenant`` is a keyword that Qdrant also lays out its storage by, unless the layout says otherwise."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a collection's points carry: a vector of ``size`` numbers, and word weights if ``words``.

    Size 0: not exactly one unnamed vector a point, so none of our collections.
    """

    size: int
    words: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """How a server keeps the points of the collections that are made; the embedded engine has one way.

    ``quantized``: searched as int8 in memory, the best looked at once more as they are. ``on_disk``: whole
    vectors and the graph between them are read from disk. ``tenant_index``: the points of one
    tenant lie together; without it the key is a keyword like any other.
    """

    quantized: bool = False
    on_disk: bool = False
    tenant_index: bool = True


@dataclass(frozen=True, slots=True)
class Point:
    """What is stored: ``id`` is a UUID, ``payload`` is JSON.

    ``words`` is the point's sparse vector, a weight by word's number; it is left out where the collection
    was made without.
    """

    id: str
    vector: list[float]
    payload: dict[str, Any]
    words: Mapping[int, float] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A stored point without its vector."""

    id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """A point that was found; ``score`` is the cosine, -1 to 1, or the dot product of the word weights."""

    id: str
    score: float
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Match:
    """The payload's ``key`` is ``value`` (or, where it is a list, has it).

    Words only: the embedded engine (qdrant-edge 0.9) takes ``True`` for 1.
    """

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The payload's ``key`` is one of ``values``; none of them match nothing."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The time in ``key`` is at or after ``start`` and before ``end``; either may be open."""

    key: str
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """All of ``conditions`` hold: one of the alternatives of an ``Either``."""

    conditions: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of ``conditions`` holds."""

    conditions: tuple[Match | AnyOf | Range | Every, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``condition`` does not hold."""

    condition: Match | AnyOf | Range


Condition = Match | AnyOf | Range | Every | Either | Not


@dataclass(frozen=True, slots=True)
class Nearest:
    """One search: the ``limit`` points of ``collection`` nearest to ``vector`` that meet all ``where``.

    ``vector`` is dense, or the weights of words by their numbers. Points that score below ``at_least``
    are left out, and those that share no word. ``only`` names the payload's keys that are wanted.
    """

    collection: str
    vector: list[float] | Mapping[int, float]
    limit: int
    where: tuple[Condition, ...] = field(default=())
    at_least: float | None = None
    only: tuple[str, ...] | None = None

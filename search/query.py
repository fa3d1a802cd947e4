"""What can be asked of the index, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - dataclass fields are read at run time by pydantic users
from enum import StrEnum
from typing import Any

__all__ = ["EntityType", "Found", "SearchMode", "SearchQuery", "SearchResult", "TimeRange"]


class EntityType(StrEnum):
    """What is indexed, by its Directus collection."""

    SESSIONS = "sessions"
    EXHIBITORS = "exhibitors"
    SPEAKERS = "speakers"


class SearchMode(StrEnum):
    """``master``: whole profiles; ``faceted``: aspect by aspect, scored as published; ``auto``: the best we know.

    ``words`` is what profiles share with the question word for word, without any meaning: to compare with.
    """

    AUTO = "auto"
    FACETED = "faceted"
    MASTER = "master"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Sessions that start at or after ``start`` and before ``end``; both with a zone, either may be open.

    With ``runs_at`` only those that end then or later: what runs at a moment began before it.
    """

    start: datetime | None = None
    end: datetime | None = None
    runs_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """One search in one conference. ``times`` are alternatives (any may match); ``rooms`` too."""

    text: str
    conference_id: str
    entity_type: EntityType
    mode: SearchMode = SearchMode.AUTO
    limit: int = 10
    times: tuple[TimeRange, ...] = ()
    rooms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One entity that matched; ``score`` in 0..1, higher is better, comparable within one result.

    ``facet_scores`` are cosines. ``parts`` says what the score was made of; in mode ``auto``: ``facets`` and
    ``master`` (cosines), ``meaning`` (their mix) and ``words`` (the share of the question's words, by weight,
    that the profile has).
    """

    entity_id: str
    entity_type: EntityType
    title: str
    score: float
    facet_matches: int
    facet_scores: dict[str, float]
    payload: dict[str, Any]
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Best first, at most ``limit``; empty when nothing is near enough.

    ``near`` is then what came nearest (mode ``auto``; three at most): not an answer, only something to offer
    in its place. ``explain`` says how the search went, as JSON: what decided for or against an answer,
    mistyped words and what they were taken for, names that nobody here bears, a kind of fact that no row has,
    words of a short question that no text has.
    """

    mode: SearchMode
    results: tuple[Found, ...]
    filters: dict[str, Any] = field(default_factory=dict)
    near: tuple[Found, ...] = ()
    explain: dict[str, Any] = field(default_factory=dict)

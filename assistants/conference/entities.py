"""What a question was understood to name: the conference assistant's own part of an understanding."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from assistants.conference.facts import zone_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from assistants.interface import Understanding
    from search.query import TimeRange

__all__ = ["Entities", "Span"]


class Span(BaseModel):
    """A ``TimeRange`` that can be saved; see there."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    start: datetime | None = None
    end: datetime | None = None
    runs_at: datetime | None = None

    @classmethod
    def of(cls, found: TimeRange) -> Span:
        """What was read out of a question."""
        return cls(start=found.start, end=found.end, runs_at=found.runs_at)

    def dump(self) -> dict[str, Any]:
        """As a tool's argument; what is open is left out."""
        return self.model_dump(mode="json", exclude_none=True)


class Entities(BaseModel):
    """Topics, names, time and place of a question, and what they mean at this conference.

    ``time`` and ``location`` are the visitor's words; ``times`` and ``rooms`` the filters they
    stand for. ``topic`` is what is left to search for, empty when the question only browses.
    ``said`` names a question that asks for nothing: empty, hello, thanks. ``now`` is the moment that
    "today" and "next hour" were counted from (see ``ConferenceFacts.local_now``). ``known`` are the titles that
    earlier answers named, where something else is wanted.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    topics: list[str] = Field(default_factory=list)
    names: list[str] = Field(default_factory=list)
    time: str | None = None
    location: str | None = None
    times: list[Span] = Field(default_factory=list)
    rooms: list[str] = Field(default_factory=list)
    topic: str = ""
    kind: str | None = None
    who: bool = False
    known: list[str] = Field(default_factory=list)
    said: str | None = None
    now: datetime | None = None
    timezone: str = "UTC"
    conference: str = ""

    @classmethod
    def of(cls, understanding: Understanding | None) -> Entities:
        """Those of an understanding; empty ones when there is none."""
        return cls.model_validate(understanding.entities if understanding else {})

    @property
    def zone(self) -> ZoneInfo:
        """The conference's time zone."""
        return zone_of(self.timezone)

    def dump(self) -> dict[str, Any]:
        """As JSON for ``Understanding.entities``; what is empty is left out, but for the four of the contract."""
        kept = {"topics", "names", "time", "location"}
        return {key: value for key, value in self.model_dump(mode="json").items() if value or key in kept}

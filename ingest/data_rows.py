"""The rows of a conference's data files, checked: what may stand in them and what it must look like."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from services import directus_names as names

__all__ = [
    "ROW_KINDS",
    "ConferenceRow",
    "DataRow",
    "ExhibitorRow",
    "OfConference",
    "SessionRow",
    "SpeakerRow",
    "explain",
]


def as_uuid(text: str) -> str | None:
    """A UUID in its lower-case form with hyphens, None for what is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _id(value: object) -> str:
    if isinstance(value, str) and (key := as_uuid(value)) is not None:
        return key
    msg = f"wants a UUID, not {value!r:.60}" if value not in (None, "") else "is missing; it wants a UUID"
    raise ValueError(msg)


def _day(value: object) -> object:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        msg = f"wants a date as 2024-07-08, not {value!r:.60}"
        raise ValueError(msg) from None


def _instant(value: object, info: ValidationInfo) -> object:
    """An instant in UTC, as Directus returns it; without an offset it is read in the conference's zone."""
    if value is None:
        return None
    text = value if isinstance(value, str) else ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or len(text) <= len("2024-07-08"):
        msg = f"wants a date and time as 2024-07-08T09:30:00+02:00, not {value!r:.60}"
        raise ValueError(msg)
    if moment.tzinfo is None:
        zone = (info.context or {}).get("zones", {}).get(info.data.get("conference_id"))
        if zone is None:
            msg = "has no offset, and its conference no time zone to read it in"
            raise ValueError(msg)
        moment = moment.replace(tzinfo=zone)
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"


def _zone(value: str | None) -> str | None:
    if value is not None:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            msg = f"wants a time zone as Europe/Prague, not {value!r:.60}"
            raise ValueError(msg) from None
    return value


Id = Annotated[str, BeforeValidator(_id)]
Title = Annotated[str, Field(min_length=1, pattern=r"\S")]
Day = Annotated[str | None, BeforeValidator(_day)]
Instant = Annotated[str | None, BeforeValidator(_instant)]
Zone = Annotated[str | None, AfterValidator(_zone)]
Words = list[str] | None


class DataRow(BaseModel):
    """One row; fields that Directus has no place for are left aside, fields not given stay as they are there."""

    model_config = ConfigDict(extra="ignore")

    collection: ClassVar[str]
    file: ClassVar[str]
    told_elsewhere: ClassVar[frozenset[str]] = frozenset()
    """Fields that say again what another file says."""

    id: Id

    def columns(self) -> dict[str, Any]:
        """What Directus stores of it, in the form Directus returns it."""
        return self.model_dump(exclude_unset=True, exclude={"speakers"})

    @classmethod
    def stored(cls) -> list[str]:
        """The names of its columns in Directus."""
        return [name for name in cls.model_fields if name != "speakers"]

    @property
    def label(self) -> str:
        """What a person would look for: title or name, shortened."""
        return str(getattr(self, "name", None) or getattr(self, "title", None) or self.id)[:80]


class ConferenceRow(DataRow):
    """A conference."""

    collection = names.CONFERENCES
    file = "conference.json"

    name: Title
    description: str | None = None
    start_date: Day = None
    end_date: Day = None
    venue: str | None = None
    city: str | None = None
    country: str | None = None
    timezone: Zone = None
    website: str | None = None
    faq: list[dict[str, Any]] | None = None


class OfConference(DataRow):
    """A row that belongs to a conference."""

    conference_id: Id


class SpeakerRow(OfConference):
    """A speaker; the sessions they speak in are named by the sessions."""

    collection = names.SPEAKERS
    file = "speakers.json"
    told_elsewhere = frozenset({"sessions"})

    name: Title
    title: str | None = None
    company: str | None = None
    bio: str | None = None
    topics: Words = None
    links: dict[str, Any] | list[Any] | None = None


class ExhibitorRow(OfConference):
    """An exhibitor."""

    collection = names.EXHIBITORS
    file = "exhibitors.json"

    name: Title
    description: str | None = None
    category: str | None = None
    booth_number: str | None = None
    website: str | None = None
    sponsor_level: str | None = None
    tags: Words = None


class SessionRow(OfConference):
    """A session; ``speakers`` are ids, in the order they are to be named; None leaves them as they are."""

    collection = names.SESSIONS
    file = "sessions.json"

    title: Title
    description: str | None = None
    track: str | None = None
    session_type: str | None = None
    level: str | None = None
    tags: Words = None
    start_time: Instant = None
    end_time: Instant = None
    room: str | None = None
    language: str | None = None
    speakers: list[str] | None = None

    @field_validator("speakers")
    @classmethod
    def _each_once(cls, value: list[str] | None) -> list[str] | None:
        return list(dict.fromkeys(as_uuid(one) or one for one in value)) if value is not None else None

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> SessionRow:
        if self.start_time and self.end_time and self.end_time < self.start_time:
            msg = f"end_time {self.end_time} is before start_time {self.start_time}"
            raise ValueError(msg)
        return self


ROW_KINDS: Final[tuple[type[DataRow], ...]] = (ConferenceRow, SpeakerRow, ExhibitorRow, SessionRow)
"""In an order in which every link finds what it points to."""


def explain(error: ValidationError) -> str:
    """All that is wrong with a row, field by field, on one line."""
    parts = []
    for problem in error.errors(include_url=False, include_context=False):
        where = ".".join(str(step) for step in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            what = "is missing; it wants a UUID" if where.endswith("id") else "is missing"
        elif problem["type"] == "string_pattern_mismatch" or problem["type"] == "string_too_short":
            what = "is empty"
        parts.append(f"{where} {what}".strip())
    return "; ".join(parts)

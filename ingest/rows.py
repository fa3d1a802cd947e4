"""The rows a conference is made of, as ingest reads them out of Directus.

A row is somebody else's: another system may have filled it, or another version of the schema. So
each field is read for what it can be (a list of tags typed as one string, a title of blanks), and
only a row without an id, a conference or a title is refused.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from search.query import EntityType
from services.directus_names import SESSIONS_SPEAKERS_SESSION, SESSIONS_SPEAKERS_SPEAKER
from services.errors import InvalidInputError

__all__ = [
    "ExhibitorRow",
    "Row",
    "SessionBrief",
    "SessionRow",
    "SpeakerBrief",
    "SpeakerRow",
    "fields_of",
    "read_row",
]


def _text(value: object) -> str:
    """A scalar as text; anything else (an object, null) as no text."""
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _texts(value: object) -> tuple[str, ...]:
    """A JSON list, a comma list or one word as a tuple of texts without doubles."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        return ()
    return tuple(dict.fromkeys(text for text in map(_text, value) if text))


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Named = Annotated[str, BeforeValidator(_text), Field(min_length=1)]


class _Fields(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SpeakerBrief(_Fields):
    """What a session knows of one of its speakers."""

    id: Named
    name: Named
    title: Text = ""
    company: Text = ""

    @property
    def with_company(self) -> str:
        """The name, and in brackets where the speaker works."""
        return f"{self.name} ({self.company})" if self.company else self.name


class SessionBrief(_Fields):
    """What a speaker knows of one of his sessions."""

    id: Named
    title: Named
    description: Text = ""
    track: Text = ""
    session_type: Text = ""
    level: Text = ""
    start_time: Text = ""
    room: Text = ""


class _EntityRow(_Fields):
    entity_type: ClassVar[EntityType]

    id: Named
    conference_id: Named


class SessionRow(_EntityRow):
    """A session with its speakers, in their order; ``link_ids`` are the junction rows between them."""

    entity_type = EntityType.SESSIONS

    title: Named
    description: Text = ""
    track: Text = ""
    session_type: Text = ""
    level: Text = ""
    tags: Texts = ()
    start_time: Text = ""
    end_time: Text = ""
    room: Text = ""
    language: Text = ""
    speakers: tuple[SpeakerBrief, ...] = ()
    link_ids: Texts = ()

    @model_validator(mode="before")
    @classmethod
    def _through_the_junction(cls, row: Any) -> Any:  # noqa: ANN401 - what pydantic hands a before-validator
        return _linked(row, "speakers", SESSIONS_SPEAKERS_SPEAKER, SpeakerBrief)


class SpeakerRow(_EntityRow):
    """A speaker with his sessions; ``link_ids`` are the junction rows between them."""

    entity_type = EntityType.SPEAKERS

    name: Named
    title: Text = ""
    company: Text = ""
    bio: Text = ""
    topics: Texts = ()
    sessions: tuple[SessionBrief, ...] = ()
    link_ids: Texts = ()

    @model_validator(mode="before")
    @classmethod
    def _through_the_junction(cls, row: Any) -> Any:  # noqa: ANN401 - what pydantic hands a before-validator
        return _linked(row, "sessions", SESSIONS_SPEAKERS_SESSION, SessionBrief)


class ExhibitorRow(_EntityRow):
    """An exhibitor."""

    entity_type = EntityType.EXHIBITORS

    name: Named
    description: Text = ""
    category: Text = ""
    booth_number: Text = ""
    website: Text = ""
    sponsor_level: Text = ""
    tags: Texts = ()


Row = SessionRow | SpeakerRow | ExhibitorRow

_ROWS: dict[EntityType, type[SessionRow | SpeakerRow | ExhibitorRow]] = {
    EntityType.SESSIONS: SessionRow,
    EntityType.SPEAKERS: SpeakerRow,
    EntityType.EXHIBITORS: ExhibitorRow,
}
_LINKS: dict[EntityType, tuple[str, str, type[_Fields]]] = {
    EntityType.SESSIONS: ("speakers", SESSIONS_SPEAKERS_SPEAKER, SpeakerBrief),
    EntityType.SPEAKERS: ("sessions", SESSIONS_SPEAKERS_SESSION, SessionBrief),
}


def fields_of(entity_type: EntityType) -> list[str]:
    """The ``fields`` a read asks Directus for: the row's own and, through the junction, its people or sessions."""
    names = list(_ROWS[entity_type].model_fields)
    if entity_type not in _LINKS:
        return names
    field, column, brief = _LINKS[entity_type]
    own = [name for name in names if name not in {field, "link_ids"}]
    return [*own, f"{field}.id", *(f"{field}.{column}.{name}" for name in brief.model_fields)]


def read_row(entity_type: EntityType, data: dict[str, Any]) -> Row:
    """One row out of Directus' JSON.

    Raises InvalidInputError, which names the row and what it lacks.
    """
    try:
        return _ROWS[entity_type].model_validate(data)
    except ValidationError as error:
        name = _text(data.get("title")) or _text(data.get("name")) or _text(data.get("id")) or "without id"
        lacks = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}))
        msg = f"{entity_type} {name[:80]!r}: has no {lacks}"
        raise InvalidInputError(msg) from None


def _linked(row: Any, field: str, column: str, brief: type[_Fields]) -> Any:  # noqa: ANN401 - as above
    """The row with its junction rows replaced by what they lead to, and their ids; broken links lead nowhere."""
    if not isinstance(row, dict):
        return row
    links = [link for link in row.get(field) or () if isinstance(link, dict)]
    linked = []
    for link in links:
        with suppress(ValidationError):
            linked.append(brief.model_validate(link.get(column)))
    return {**row, field: tuple(linked), "link_ids": tuple(link.get("id") for link in links)}

"""The collections Erleah needs in Directus, as data. How they are made is ``schema_builder``'s affair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provision.fields import (
    Field,
    choice,
    created_at,
    created_by,
    json_list,
    key,
    line,
    link,
    moment,
    number,
    paragraph,
)
from services import directus_names as names

__all__ = ["COLLECTIONS", "Collection"]


@dataclass(frozen=True)
class Collection:
    """A collection as declared.

    ``tracked`` off means no activity and revision row per write (Directus's ``accountability``).
    """

    name: str
    icon: str
    note: str
    fields: tuple[Field, ...]
    display_template: str | None = None
    tracked: bool = True
    hidden: bool = False
    sort: int = 0

    @property
    def meta(self) -> dict[str, Any]:
        """Directus's ``meta`` of a new collection."""
        return {
            "icon": self.icon,
            "note": self.note,
            "display_template": self.display_template,
            "accountability": "all" if self.tracked else None,
            "hidden": self.hidden,
            "sort": self.sort,
        }


_FAQ_FIELDS = [
    {
        "field": "question",
        "name": "Question",
        "type": "string",
        "meta": {"field": "question", "type": "string", "interface": "input", "width": "full"},
    },
    {
        "field": "answer",
        "name": "Answer",
        "type": "text",
        "meta": {"field": "answer", "type": "text", "interface": "input-multiline", "width": "full"},
    },
]


def _of_conference() -> Field:
    return link("conference_id", names.CONFERENCES, template="{{ name }}", required=True)


def _many_to_many(template: str, note: str) -> dict[str, Any]:
    return {
        "special": ["m2m"],
        "interface": "list-m2m",
        "options": {"template": template},
        "display": "related-values",
        "display_options": {"template": template},
        "width": "full",
        "note": note,
    }


CONFERENCES = Collection(
    names.CONFERENCES,
    icon="festival",
    note="The conferences Erleah answers questions about",
    display_template="{{ name }}",
    sort=1,
    fields=(
        key(),
        line("name", width="full", required=True),
        paragraph("description"),
        Field("start_date", "date", {"interface": "datetime", "width": "half"}),
        Field("end_date", "date", {"interface": "datetime", "width": "half"}),
        line("venue", width="full", max_length=1000),
        line("city"),
        line("country"),
        line("timezone", note="IANA name, as Europe/Prague; the times in answers are shown in it"),
        line("website", max_length=2048),
        Field(
            "faq",
            "json",
            {
                "special": ["cast-json"],
                "interface": "list",
                "options": {"template": "{{ question }}", "fields": _FAQ_FIELDS},
                "width": "full",
                "note": "What people ask most, with its answers",
            },
        ),
    ),
)

SESSIONS = Collection(
    names.SESSIONS,
    icon="event",
    note="Talks, workshops and whatever else stands in the programme",
    display_template="{{ title }}",
    sort=2,
    fields=(
        key(),
        _of_conference(),
        line("title", width="full", max_length=1000, required=True),
        paragraph("description"),
        line("track"),
        line("session_type", note="Talk, workshop, keynote, …"),
        line("level", note="For whom: beginner, intermediate, advanced"),
        line("language"),
        moment("start_time"),
        moment("end_time"),
        line("room"),
        json_list("tags"),
    ),
)

EXHIBITORS = Collection(
    names.EXHIBITORS,
    icon="storefront",
    note="Who has a booth, and what they offer",
    display_template="{{ name }}",
    sort=4,
    fields=(
        key(),
        _of_conference(),
        line("name", width="full", max_length=1000, required=True),
        paragraph("description"),
        line("category"),
        line("booth_number"),
        line("website", max_length=2048),
        line("sponsor_level"),
        json_list("tags"),
    ),
)

SPEAKERS = Collection(
    names.SPEAKERS,
    icon="record_voice_over",
    note="Who speaks, and about what",
    display_template="{{ name }}",
    sort=3,
    fields=(
        key(),
        _of_conference(),
        line("name", width="full", max_length=1000, required=True),
        line("title", max_length=1000, note="What they are: professor, chief engineer, …"),
        line("company", max_length=1000),
        paragraph("bio"),
        json_list("topics"),
        Field(
            "links",
            "json",
            {
                "special": ["cast-json"],
                "interface": "input-code",
                "options": {"language": "json", "lineNumber": False},
                "width": "full",
                "note": 'Addresses by name: {"github": "https://…"}',
            },
        ),
    ),
)

SESSIONS_SPEAKERS = Collection(
    names.SESSIONS_SPEAKERS,
    icon="import_export",
    note="Who speaks in which session",
    hidden=True,
    sort=5,
    fields=(
        key(),
        Field(
            names.SESSIONS_SPEAKERS_SESSION,
            "uuid",
            {"hidden": True},
            indexed=True,
            links_to=names.SESSIONS,
            on_delete="CASCADE",
            reverse="speakers",
            reverse_meta=_many_to_many("{{ speakers_id.name }}", "Who speaks in it"),
        ),
        Field(
            names.SESSIONS_SPEAKERS_SPEAKER,
            "uuid",
            {"hidden": True},
            indexed=True,
            links_to=names.SPEAKERS,
            on_delete="CASCADE",
            reverse="sessions",
            reverse_meta=_many_to_many("{{ sessions_id.title }}", "Where they speak"),
        ),
    ),
)

CONVERSATIONS = Collection(
    names.CONVERSATIONS,
    icon="forum",
    note="What visitors ask and Erleah answers; a share of one lets its visitor read it",
    display_template="{{ source }} · {{ date_created }}",
    sort=6,
    fields=(
        key(),
        Field(
            "source",
            "string",
            {"interface": "input", "width": "half", "note": "Picks the assistant that answers"},
            default="mini",
            max_length=255,
        ),
        link("conference_id", names.CONFERENCES, template="{{ name }}"),
        created_by(),
        created_at(),
    ),
)

MESSAGES = Collection(
    names.MESSAGES,
    icon="chat",
    note="Questions (user) and answers (assistant); Erleah writes the answers as they grow",
    display_template="{{ role }}: {{ messageText }}",
    tracked=False,  # or every written piece of an answer would leave a revision row
    sort=7,
    fields=(
        key(),
        link(
            "conversation_id",
            names.CONVERSATIONS,
            template="{{ source }} · {{ date_created }}",
            on_delete="CASCADE",
            reverse="messages",  # a share reads messages through this alias
            reverse_meta={
                "special": ["o2m"],
                "interface": "list-o2m",
                "options": {"template": "{{ role }}: {{ messageText }}", "enableCreate": False, "enableSelect": False},
                "width": "full",
            },
        ),
        choice("role", ("user", "assistant"), required=True),
        choice(
            "status",
            ("streaming", "completed", "failed", "cancelled", "answered", "superseded"),
            indexed=True,
            note="Empty on a new question; set an answer to cancelled to stop it",
        ),
        paragraph("messageText"),
        number("seq", default=0, note="Grows with every write of an answer"),
        Field(
            "metadata",
            "json",
            {
                "special": ["cast-json"],
                "interface": "input-code",
                "options": {"language": "json"},
                "readonly": True,
                "width": "full",
            },
        ),
        line("assistant", readonly=True),
        line("intent", readonly=True),
        choice(
            "outcome",
            ("answered", "clarification", "unanswerable", "blocked", "cancelled", "error"),
            readonly=True,
        ),
        line("language", readonly=True),
        number("degraded", note="1: written without the model, from the search results alone"),
        number("first_token_ms"),
        number("total_ms"),
        number("cost_usd", "float"),
        created_by(),
        created_at(),
    ),
)

COLLECTIONS: tuple[Collection, ...] = (
    CONFERENCES,
    SESSIONS,
    SPEAKERS,
    EXHIBITORS,
    SESSIONS_SPEAKERS,
    CONVERSATIONS,
    MESSAGES,
)
"""In an order in which every link finds what it points to."""

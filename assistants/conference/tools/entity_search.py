"""What the search tools share: arguments checked, failures turned into sentences, hits into rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assistants.conference.entities import Span
from assistants.interface import ToolCall, ToolOutcome
from search.query import EntityType, SearchMode, TimeRange
from services.errors import ErleahError, NotFoundError
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from assistants.interface import TurnView
    from search.query import Found

__all__ = ["MISSING_CONFERENCE", "NOT_INDEXED", "SearchArguments", "found_rows", "run_tool", "shown"]

log = get_logger(__name__)

MISSING_CONFERENCE = "conference_id is missing"
NOT_INDEXED = "this conference is not in the index yet"
AWAY = "it could not be looked up right now"

_MAX_LIMIT = 100
"""As the index's own."""
_DESCRIPTION_CHARS = 700
"""Of a description; ten results of this length are some 2,000 tokens."""


class SearchArguments(BaseModel):
    """What a search tool takes.

    ``use_faceted`` chooses between facets and whole profiles; ``mode`` "auto" leaves it to the
    index. An empty ``query`` lists what the filters leave. ``kind`` is a kind of session.
    ``conference_id`` is the turn's own, whatever was asked for.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: str = Field(default="", max_length=4000)
    conference_id: str | None = None
    use_faceted: bool = False
    mode: SearchMode | None = None
    time_filter: tuple[Span, ...] | None = None
    location_filter: tuple[str, ...] | None = None
    limit: int = Field(default=10, ge=1, le=_MAX_LIMIT)
    kind: str | None = None

    @property
    def search_mode(self) -> SearchMode:
        """The index's mode."""
        return self.mode or (SearchMode.FACETED if self.use_faceted else SearchMode.MASTER)

    @property
    def times(self) -> tuple[TimeRange, ...]:
        """The time filter as the index takes it."""
        return tuple(TimeRange(span.start, span.end, span.runs_at) for span in self.time_filter or ())

    @property
    def rooms(self) -> tuple[str, ...]:
        """The place filter as the index takes it."""
        return self.location_filter or ()


async def run_tool(
    tool: str,
    given: dict[str, Any],
    view: TurnView,
    find: Callable[[SearchArguments], Awaitable[list[dict[str, Any]]]],
) -> ToolOutcome:
    """Check the arguments, do the work, and make a sentence of what fails.

    The conference is always the turn's, so that no argument, from wherever it came, reaches another.
    """
    call = ToolCall(tool=tool, arguments=given)
    if view.scope_id is None:
        return ToolOutcome(call=call, error=MISSING_CONFERENCE)
    try:
        arguments = SearchArguments.model_validate(given | {"conference_id": view.scope_id})
    except ValidationError as error:
        return ToolOutcome(call=call, error=f"{error.errors(include_input=False)[0]['loc']} is not valid")
    try:
        return ToolOutcome(call=call, results=await find(arguments))
    except NotFoundError:
        return ToolOutcome(call=call, error=NOT_INDEXED)
    except ErleahError as error:
        log.warning("tool.failed", tool=tool, reason=str(error), error=type(error).__name__)
        return ToolOutcome(call=call, error=AWAY)


def found_rows(found: tuple[Found, ...]) -> list[dict[str, Any]]:
    """Hits as plain rows: type, id, title, score, facet scores and what an answer may say."""
    return [
        {
            "type": entity.entity_type.value,
            "id": entity.entity_id,
            "title": entity.title,
            "score": round(entity.score, 4),
            "facet_scores": {key: round(score, 4) for key, score in entity.facet_scores.items()},
            **shown(entity.entity_type, entity.payload),
        }
        for entity in found
    ]


_SHOWN: dict[EntityType, tuple[str, ...]] = {
    EntityType.SESSIONS: (
        "start_time", "end_time", "room", "track", "session_type", "level", "language", "speakers", "description",
    ),
    EntityType.EXHIBITORS: ("booth_number", "category", "sponsor_level", "website", "description"),
    EntityType.SPEAKERS: ("company", "topics", "sessions", "description"),
}  # fmt: skip


def shown(entity_type: EntityType, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an entity that an answer may use; a speaker's ``title`` is called ``position`` here."""
    fields: dict[str, Any] = {key: row[key] for key in _SHOWN[entity_type] if row.get(key)}
    if "speakers" in fields:
        fields["speakers"] = [str(speaker.get("name", "")) for speaker in fields["speakers"] if speaker.get("name")]
    if "description" in fields:
        fields["description"] = _excerpt(str(fields["description"]))
    if entity_type is EntityType.SPEAKERS and row.get("title"):
        fields["position"] = row["title"]
    return fields


def _excerpt(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _DESCRIPTION_CHARS else text[:_DESCRIPTION_CHARS].rsplit(" ", 1)[0] + " …"

"""What the librarian hands to the index, and what the index says back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.query import EntityType

__all__ = ["MASTER_KEY", "IndexReport", "IndexedEntity", "StoredEntity"]

MASTER_KEY = "master"
"""The key of the whole profile's text, beside the facets' keys of search/facets.py."""


@dataclass(frozen=True, slots=True)
class IndexedEntity:
    """One session, exhibitor or speaker, ready for the index.

    ``texts`` maps ``MASTER_KEY`` or a facet key of this type to its text; blank texts are left out.
    ``payload`` is what filters and answers need beyond conference, id, type, text and hash, which
    the writer adds: start_time and end_time (ISO 8601 with offset), room, track, level,
    session_type, speakers ([{id, name}]), company, booth_number, category, website, description
    (cut to an excerpt by the writer), source_hash, ... It must be JSON. The entity's ``title`` is
    written as ``title`` for sessions and as ``name`` for exhibitors and speakers (whose ``title``,
    a speaker's job title say, may stand in ``payload``).
    """

    entity_id: str
    entity_type: EntityType
    conference_id: str
    title: str
    texts: dict[str, str]
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredEntity:
    """What the index holds of an entity now: its texts by key, and its master point's payload."""

    entity_id: str
    texts: dict[str, str]
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a write did, in texts and points; reports add up.

    ``texts_embedded`` were new or changed and cost a vector; ``texts_unchanged`` did not;
    ``payloads_updated`` counts the points among the unchanged whose payload alone was rewritten;
    ``points_deleted`` are points whose entity or facet is gone.
    """

    entities: int = 0
    texts_embedded: int = 0
    texts_unchanged: int = 0
    payloads_updated: int = 0
    points_deleted: int = 0

    def __add__(self, other: IndexReport) -> IndexReport:
        """The sum of both."""
        return IndexReport(
            self.entities + other.entities,
            self.texts_embedded + other.texts_embedded,
            self.texts_unchanged + other.texts_unchanged,
            self.payloads_updated + other.payloads_updated,
            self.points_deleted + other.points_deleted,
        )

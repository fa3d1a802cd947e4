"""The aspects of each entity type, by name; the names are those of the facet points in Qdrant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.query import EntityType

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FACET_KEYS"]

FACET_KEYS: Mapping[EntityType, tuple[str, ...]] = {
    EntityType.EXHIBITORS: (
        "what_we_sell",
        "problems_we_solve",
        "who_we_help",
        "our_expertise",
        "industries_we_serve",
        "why_visit_us",
    ),
    EntityType.SESSIONS: (
        "what_you_will_learn",
        "problems_addressed",
        "who_should_attend",
        "topics_and_technologies",
        "format_and_level",
        "why_attend",
    ),
    EntityType.SPEAKERS: (
        "expertise",
        "what_they_speak_about",
        "background_and_role",
        "industries_and_communities",
        "why_meet_them",
    ),
}
"""Each type's facets, in the order they are shown."""

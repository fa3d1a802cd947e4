"""What each facet is about, in words: the model is told, and the schema it answers in is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, create_model

from search.facets import FACET_KEYS
from search.query import EntityType

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ASPECTS", "KINDS", "facet_schema"]

KINDS: Mapping[EntityType, str] = {
    EntityType.SESSIONS: "session",
    EntityType.EXHIBITORS: "exhibitor",
    EntityType.SPEAKERS: "speaker",
}

ASPECTS: Mapping[str, str] = {
    "what_you_will_learn": "what one knows or can do after the session",
    "problems_addressed": "which problems, questions or pains it deals with",
    "who_should_attend": "for whom it is: roles, levels, what one should know before",
    "topics_and_technologies": "subjects, methods, tools, libraries and products it speaks of",
    "format_and_level": "what kind of session it is, how it is held, how deep it goes",
    "why_attend": "what makes it worth the time",
    "what_we_sell": "products and services",
    "problems_we_solve": "which problems of customers they take away",
    "who_we_help": "who the customers are: roles, companies, teams",
    "our_expertise": "what the exhibitor is good at, technologies, experience",
    "industries_we_serve": "branches and fields of use",
    "why_visit_us": "what one gets at the stand: demonstrations, jobs, talks, offers",
    "expertise": "what the speaker knows well",
    "what_they_speak_about": "subjects of the speaker's sessions",
    "background_and_role": "work, company, education, career",
    "industries_and_communities": "branches worked in; communities, projects and groups taken part in",
    "why_meet_them": "for which questions or interests a visitor would want to talk to the speaker",
}


def facet_schema(entity_type: EntityType) -> type[BaseModel]:
    """A model with one text for each facet of the type, all required, no others allowed."""
    fields = {key: (str, Field(description=ASPECTS[key])) for key in FACET_KEYS[entity_type]}
    name = f"{KINDS[entity_type].capitalize()}Facets"
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)  # type: ignore[call-overload,no-any-return]  # its overloads know no dict of fields

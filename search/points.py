"""An entity's points: their ids, their payloads, and what of a payload is shown."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from search.entity import MASTER_KEY
from search.query import EntityType
from search.words import sparse_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from search.entity import IndexedEntity

__all__ = [
    "INDEXED_AT",
    "PAYLOAD_INDEXES",
    "TOMBSTONE",
    "point_id",
    "point_payload",
    "shown_payload",
    "text_hash",
    "texts_by_key",
    "title_of",
    "words_of",
]

INDEXED_AT = "indexed_at"
"""On points that a single update wrote: when, in Unix seconds, so that a slower run does not undo it."""

TOMBSTONE = "tombstone"
"""``yes`` on points of a full build that stand for what a single update deleted while the build ran."""

PAYLOAD_INDEXES: Mapping[str, Any] = {
    "conference_id": "tenant",
    "entity_id": "keyword",
    "facet_key": "keyword",
    "room": "keyword",
    "start_time": "datetime",
    "end_time": "datetime",
}
"""What searches and deletions filter by; the values are services.vectors.types.PayloadIndex."""

_ENTITY_NAMESPACE = UUID("0d7c3c1e-52f5-5b0a-9a3f-3a2a52a1e6c4")
"""For entity ids that are no UUIDs (a foreign collection with integer keys): their UUID is derived in here."""

_MAX_TEXT_CHARS = 16_000
"""No embedder reads more; the rest of a longer text would only be stored."""

_MAX_DESCRIPTION_CHARS = 1_500
"""What an answer quotes of a description; the whole of it stays in Directus."""

_INTERNAL = frozenset({"text", "text_hash", "facet_key", "source_hash", "link_ids", INDEXED_AT})


def point_id(entity_id: str, key: str) -> str:
    """``uuid5(entity_id, key)``: the id of an entity's facet, or of its master point (key ``master``)."""
    try:
        namespace = UUID(entity_id)
    except ValueError:
        namespace = uuid5(_ENTITY_NAMESPACE, entity_id)
    return str(uuid5(namespace, key))


def text_hash(text: str) -> str:
    """Sha256 of the text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def texts_by_key(entity: IndexedEntity) -> dict[str, str]:
    """The entity's texts that are not blank, cut to 16,000 characters."""
    return {key: text[:_MAX_TEXT_CHARS] for key, text in entity.texts.items() if text.strip()}


def point_payload(entity: IndexedEntity, key: str, text: str) -> dict[str, Any]:
    """All that a point carries beside its vector, as JSON will give it back."""
    payload = dict(entity.payload)
    description = payload.get("description")
    if isinstance(description, str) and len(description) > _MAX_DESCRIPTION_CHARS:
        payload["description"] = description[: _MAX_DESCRIPTION_CHARS - 1].rstrip() + "…"
    payload["title" if entity.entity_type is EntityType.SESSIONS else "name"] = entity.title
    payload |= {
        "conference_id": entity.conference_id,
        "entity_id": entity.entity_id,
        "entity_type": str(entity.entity_type),
        "text": text,
        "text_hash": text_hash(text),
    }
    if key != MASTER_KEY:
        payload["facet_key"] = key
    as_stored: dict[str, Any] = json.loads(json.dumps(payload))
    return as_stored


def words_of(payload: Mapping[str, Any]) -> dict[int, float] | None:
    """A master point's words, from its text; facets have none: they repeat the profile's."""
    return None if "facet_key" in payload else sparse_text(str(payload.get("text", "")))


def shown_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A found point's payload without what only the index needs."""
    return {key: value for key, value in payload.items() if key not in _INTERNAL}


def title_of(payload: Mapping[str, Any]) -> str:
    """A session's title; an exhibitor's or speaker's name (a speaker's ``title`` is his position)."""
    key = "title" if payload.get("entity_type") == EntityType.SESSIONS else "name"
    return str(payload.get(key) or payload.get("title") or payload.get("name") or "")

"""What entities differ in from what the live index holds of them, and the writing of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search.collection_names import facets_name, master_name
from search.entity import MASTER_KEY, IndexReport
from search.facets import FACET_KEYS
from search.points import INDEXED_AT, point_id, point_payload, texts_by_key, words_of
from services.vectors import Point, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from search.entity import IndexedEntity
    from search.query import EntityType
    from services.embeddings.embedder import Embedder
    from services.vectors import Vectors

__all__ = ["Difference", "difference", "known_keys"]


@dataclass(slots=True)
class _Part:
    """What is to do in one collection."""

    embed: list[Record] = field(default_factory=list)
    """New or changed texts, still without vectors."""
    repay: list[Record] = field(default_factory=list)
    """Points whose text is as it was and whose payload is not."""
    touch: list[Record] = field(default_factory=list)
    """Master points that are as they were."""
    delete: list[str] = field(default_factory=list)
    """Facets that the entity no longer has."""


@dataclass(slots=True)
class Difference:
    """What is to be written, by target collection."""

    parts: dict[str, _Part]
    report: IndexReport

    async def write(self, vectors: Vectors, embedder: Embedder, *, stamp: float | None = None) -> IndexReport:
        """Embed and write; new points first, deletions last, so that no entity is ever without.

        ``stamp`` (Unix seconds) marks the writing of a single update: see ``points.INDEXED_AT``.
        """
        waiting = [(name, record) for name, part in self.parts.items() for record in part.embed]
        made = await embedder.embed([str(record.payload["text"]) for _, record in waiting])
        points: dict[str, list[Point]] = {name: [] for name in self.parts}
        for (name, record), vector in zip(waiting, made, strict=True):
            points[name].append(Point(record.id, vector, _stamped(record.payload, stamp), words_of(record.payload)))
        for name, part in self.parts.items():
            await vectors.upsert(name, points[name])
            rewritten = part.repay if stamp is None else [*part.repay, *part.touch]
            await vectors.overwrite_payloads(
                name, [Record(record.id, _stamped(record.payload, stamp)) for record in rewritten]
            )
            await vectors.delete(name, part.delete)
        return self.report


async def difference(
    vectors: Vectors,
    entities: Sequence[IndexedEntity],
    targets: Mapping[str, str],
    *,
    embed_all: bool = False,
    not_since: float | None = None,
) -> Difference:
    """Compare ``entities`` with what ``targets`` (collection by alias name) hold of them.

    ``embed_all`` takes every text for changed. An entity that a single update wrote after ``not_since``
    (Unix seconds) is left alone: its row was read later than ours.
    """
    held = await _held(vectors, entities, targets)
    parts = {name: _Part() for name in targets}
    report = IndexReport()
    for entity in entities:
        ids = {key: point_id(entity.entity_id, key) for key in _all_keys(entity)}
        if not_since is not None and any(_written_at(held.get(one)) > not_since for one in ids.values()):
            report += IndexReport(entities=1, texts_unchanged=len(texts_by_key(entity)))
            continue
        report += _compare(entity, ids, held, parts, embed_all=embed_all)
    return Difference(parts, report)


def known_keys(entity_type: EntityType, *, is_master: bool) -> tuple[str, ...]:
    """The keys that points of this type may have, in its master or its facets collection."""
    return (MASTER_KEY,) if is_master else FACET_KEYS[entity_type]


def _compare(
    entity: IndexedEntity,
    ids: Mapping[str, str],
    held: Mapping[str, dict[str, Any]],
    parts: Mapping[str, _Part],
    *,
    embed_all: bool,
) -> IndexReport:
    texts = texts_by_key(entity)
    embedded = unchanged = repaid = deleted = 0
    for key, one in ids.items():
        name = master_name(entity.entity_type) if key == MASTER_KEY else facets_name(entity.entity_type)
        before = held.get(one)
        if key not in texts:
            if before is not None:
                parts[name].delete.append(one)
                deleted += 1
            continue
        payload = point_payload(entity, key, texts[key])
        if before is None or embed_all or before.get("text_hash") != payload["text_hash"]:
            parts[name].embed.append(Record(one, payload))
            embedded += 1
            continue
        unchanged += 1
        if _stamped(before, None) != payload:
            parts[name].repay.append(Record(one, payload))
            repaid += 1
        elif key == MASTER_KEY:
            parts[name].touch.append(Record(one, payload))
    return IndexReport(1, embedded, unchanged, repaid, deleted)


async def _held(
    vectors: Vectors, entities: Sequence[IndexedEntity], targets: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Payloads by point id of all that is there of these entities."""
    ids: dict[str, list[str]] = {name: [] for name in targets}
    for entity in entities:
        for key in _all_keys(entity):
            name = master_name(entity.entity_type) if key == MASTER_KEY else facets_name(entity.entity_type)
            ids[name].append(point_id(entity.entity_id, key))
    found: dict[str, dict[str, Any]] = {}
    for name, wanted in ids.items():
        for record in await vectors.retrieve(targets[name], wanted):
            found[record.id] = record.payload
    return found


def _all_keys(entity: IndexedEntity) -> Iterable[str]:
    return dict.fromkeys((MASTER_KEY, *FACET_KEYS[entity.entity_type], *texts_by_key(entity)))


def _written_at(payload: dict[str, Any] | None) -> float:
    return float((payload or {}).get(INDEXED_AT) or 0.0)


def _stamped(payload: dict[str, Any], stamp: float | None) -> dict[str, Any]:
    """The payload with the time of a single update, or without any."""
    bare = {key: value for key, value in payload.items() if key != INDEXED_AT}
    return bare if stamp is None else bare | {INDEXED_AT: stamp}

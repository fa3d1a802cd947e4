"""From hits to ranked entities: the published formula, whole profiles, and the default."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from search.points import shown_payload, title_of
from search.query import EntityType, Found

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.vectors import Hit

__all__ = [
    "FETCH_FACTOR",
    "NEARLY_ALL",
    "Ranked",
    "asks_by_name",
    "auto_score",
    "meaning_score",
    "published_score",
    "ranked_by_all",
    "ranked_by_facets",
    "ranked_by_master",
    "with_payload",
]

FETCH_FACTOR = 5
"""Facet points fetched for each wanted entity (the published baseline's figure)."""

_MEAN_WEIGHT, _MATCHES_WEIGHT, _MATCHES_FOR_ALL = 0.6, 0.4, 4

_BEST_WEIGHT, _MASTER_WEIGHT, _TOP_WEIGHT, _TOP_FACETS = 0.6, 0.2, 0.2, 3
"""Of the meaning. Nine other mixes of the three were within two hundredths of nDCG (docs/search.md)."""

_WORDS_WEIGHT, _WORDS_POWER = 0.8, 3
"""Of the words. The third power lets a question's words count where nearly all of them are there, which is when
someone asks for a thing by its name, and hardly where a few are, which is chance."""

NEARLY_ALL = 0.6
"""A profile with this share of the question's words, by weight, is what was asked for by name: 2 of 61 vague questions
have such a one, and 46 of 55 specific ones. Then the words of the other profiles are no chance either, and count in
proportion: a panel with two of the words of "What is Samuel Colvin presenting this week?" has Samuel Colvin."""


def published_score(facet_scores: Sequence[float]) -> float:
    """The published baseline: ``0.6 * mean(facet scores) + 0.4 * min(matches / 4, 1)``; 0 for no match.

    Scores are cosines of the facets that matched; the result is in 0..1 for cosines that are.
    """
    if not facet_scores:
        return 0.0
    mean = sum(facet_scores) / len(facet_scores)
    return _MEAN_WEIGHT * mean + _MATCHES_WEIGHT * min(len(facet_scores) / _MATCHES_FOR_ALL, 1.0)


def meaning_score(facet_scores: Sequence[float], master: float, floor: float = 0.0) -> float:
    """Best facet, whole profile, and the mean of the three best facets, weighted 0.6, 0.2, 0.2.

    All are cosines. ``floor`` stands for facets that were not fetched: theirs are not above it.
    """
    best = sorted([*facet_scores, *[floor] * _TOP_FACETS], reverse=True)[:_TOP_FACETS]
    return _BEST_WEIGHT * best[0] + _MASTER_WEIGHT * master + _TOP_WEIGHT * sum(best) / len(best)


def auto_score(meaning: float, words: float, *, by_name: bool = False) -> float:
    """The default: ``1 - (1 - meaning)(1 - 0.8 * words^3)``, both in 0..1, and so the result.

    ``words`` is the share of the question's words, by weight, that the profile has. ``by_name``: some profile has
    nearly all of them; then it is ``words`` itself in place of the third power.
    """
    named = _WORDS_WEIGHT * min(max(words, 0.0), 1.0) ** (1 if by_name else _WORDS_POWER)
    return 1.0 - (1.0 - min(max(meaning, 0.0), 1.0)) * (1.0 - named)


def asks_by_name(word_hits: Iterable[Hit]) -> bool:
    """Whether some profile has nearly all of the question's words."""
    return any(hit.score >= NEARLY_ALL for hit in word_hits)


def ranked_by_master(hits: Iterable[Hit], limit: int) -> list[Found]:
    """Entities by their profile's cosine, best first."""
    return _best([_found(hit.payload, hit.score, {}) for hit in hits], limit)


def ranked_by_facets(hits: Iterable[Hit], limit: int) -> list[Found]:
    """Entities by the published formula over their facet hits, best first."""
    matches, payloads = _by_entity(hits)
    return _best(
        [_found(payloads[one], published_score(list(scores.values())), scores) for one, scores in matches.items()],
        limit,
    )


@dataclass(frozen=True, slots=True)
class Ranked:
    """Entities by ``auto_score``: the best of them, best first, and the meaning scores of all."""

    found: list[Found]
    meanings: list[float]


def ranked_by_all(
    facet_hits: Sequence[Hit], master_hits: Sequence[Hit], word_hits: Sequence[Hit], limit: int
) -> Ranked:
    """All entities among the hits by ``auto_score``; ``limit`` of them are told.

    Profiles and facets that are not among the hits are given the last hit's score, which theirs can't
    exceed; a profile that is not among the hits by words has none of them.
    """
    matches, payloads = _by_entity(facet_hits)
    masters = {str(hit.payload.get("entity_id")): hit for hit in master_hits}
    words = {str(hit.payload.get("entity_id")): hit for hit in word_hits}
    facet_floor = min((hit.score for hit in facet_hits), default=0.0)
    master_floor = min((hit.score for hit in master_hits), default=0.0)
    by_name = asks_by_name(word_hits)
    # Facet hits may come with a part of the payload only.
    payloads |= {one: hit.payload for one, hit in (masters | words).items()}
    scored: list[tuple[float, str, dict[str, float]]] = []
    for one in payloads:
        facets = matches.get(one, {})
        master = masters[one].score if one in masters else master_floor
        shared = words[one].score if one in words else 0.0
        meaning = meaning_score(list(facets.values()), master, facet_floor)
        best_facet = max(facets.values(), default=facet_floor)
        parts = {"facets": best_facet, "master": master, "meaning": meaning, "words": shared}
        scored.append((_shown_score(auto_score(meaning, shared, by_name=by_name)), one, parts))
    scored.sort(key=lambda each: (-each[0], each[1]))
    found = [_found(payloads[one], score, matches.get(one, {}), parts) for score, one, parts in scored[:limit]]
    return Ranked(found, [parts["meaning"] for _, _, parts in scored])


def with_payload(found: Found, payload: dict[str, Any]) -> Found:
    """The same find with a whole payload: what is shown of it, and the title."""
    return replace(found, payload=shown_payload(payload), title=title_of(payload))


def _by_entity(hits: Iterable[Hit]) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, Any]]]:
    """Each entity's facet scores by facet key, and one payload of it."""
    scores: defaultdict[str, dict[str, float]] = defaultdict(dict)
    payloads: dict[str, dict[str, Any]] = {}
    for hit in hits:
        entity_id, facet_key = str(hit.payload.get("entity_id")), str(hit.payload.get("facet_key"))
        known = scores[entity_id].get(facet_key)
        scores[entity_id][facet_key] = hit.score if known is None else max(known, hit.score)
        payloads.setdefault(entity_id, hit.payload)
    return dict(scores), payloads


def _found(
    payload: dict[str, Any], score: float, facet_scores: dict[str, float], parts: dict[str, float] | None = None
) -> Found:
    by_strength = sorted(facet_scores.items(), key=lambda item: -item[1])
    return Found(
        entity_id=str(payload.get("entity_id")),
        entity_type=EntityType(payload["entity_type"]),
        title=title_of(payload),
        score=_shown_score(score),
        facet_matches=len(facet_scores),
        facet_scores={key: round(value, 4) for key, value in by_strength},
        payload=shown_payload(payload),
        parts={key: round(value, 4) for key, value in (parts or {}).items()},
    )


def _shown_score(score: float) -> float:
    return round(min(max(score, 0.0), 1.0), 4)


def _best(found: list[Found], limit: int) -> list[Found]:
    """Best first; equal scores in the order of ids, so that the same search gives the same list."""
    unique = {one.entity_id: one for one in sorted(found, key=lambda one: one.score)}
    return sorted(unique.values(), key=lambda one: (-one.score, one.entity_id))[:limit]

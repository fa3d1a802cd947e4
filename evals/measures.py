"""Figures with their confidence: nDCG@10, recall@10, reciprocal rank by ir-measures; silence counted here."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evals.questions import Judged
    from search.query import SearchResult

__all__ = ["Answers", "Figure", "by_search", "figures", "scores_by_search", "with_confidence"]

Answers = dict[str, "SearchResult"]
"""What was found, by ``Judged.key``."""

_MEASURES = {"nDCG@10": nDCG @ 10, "recall@10": R @ 10, "MRR": RR @ 10}
_RESAMPLES = 2_000
_SEED = 20240708
_LEVEL = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: mean ``value`` over ``n`` searches (or questions), with the 95 % bootstrap interval low to high."""

    config: str
    embedder: str
    kind: str
    metric: str
    value: float
    low: float
    high: float
    n: int

    def as_json(self) -> dict[str, Any]:
        """As bench/results/eval.json has it."""
        return asdict(self)


def figures(config: str, embedder: str, asked: Sequence[Judged], answers: Mapping[str, SearchResult]) -> list[Figure]:
    """All figures of one configuration with one embedder, of kinds that were asked; ``answers`` by ``Judged.key``."""
    found: list[Figure] = []
    for kind in ("specific", "vague"):
        of_kind = [one for one in asked if one.kind == kind]
        for metric, by_key in scores_by_search(of_kind, {key: _ids(answer) for key, answer in answers.items()}).items():
            found.append(_figure(config, embedder, kind, metric, [by_key.get(one.key, 0.0) for one in of_kind]))
        lost = [float(not answers[one.key].results) for one in of_kind]
        found.append(_figure(config, embedder, kind, "lost", lost))
    answerable = [one for one in asked if one.relevant]
    lost = [float(not answers[one.key].results) for one in answerable]
    found.append(_figure(config, embedder, "answerable", "lost", lost))
    unanswerable = [one for one in asked if one.kind == "unanswerable"]
    silent = [float(not answers[one.key].results) for one in unanswerable]
    found.append(_figure(config, embedder, "unanswerable", "silent searches", silent))
    whole: defaultdict[str, list[bool]] = defaultdict(list)
    for one, is_silent in zip(unanswerable, silent, strict=True):
        whole[one.question_id].append(bool(is_silent))
    questions = [float(all(each)) for each in whole.values()]
    found.append(_figure(config, embedder, "unanswerable", "silent questions", questions))
    return [figure for figure in found if figure.n]


def scores_by_search(asked: Sequence[Judged], ranked: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Each measure's scores by ``Judged.key``; ``ranked`` are the ids found, best first, by key as well.

    A search that found nothing may be left out of the scores: it has 0.
    """
    judgements = {one.key: one.relevant for one in asked if one.relevant}
    # The order is what is measured: equal scores must not be reordered by the tool.
    run = {
        one.key: {entity_id: 1.0 / place for place, entity_id in enumerate(ranked[one.key], start=1)}
        for one in asked
        if one.relevant
    }
    by_name: dict[str, dict[str, float]] = {name: {} for name in _MEASURES}
    for metric in ir_measures.iter_calc(list(_MEASURES.values()), judgements, run):
        name = next(each for each, measure in _MEASURES.items() if measure == metric.measure)
        by_name[name][metric.query_id] = float(metric.value)
    return by_name


def by_search(asked: Sequence[Judged], answers: Mapping[str, SearchResult]) -> dict[str, dict[str, float]]:
    """What each search has: the measures of those with an answer, and whether it was silent (0 or 1), by key."""
    scores = scores_by_search(asked, {key: _ids(answer) for key, answer in answers.items()})
    answerable = [one.key for one in asked if one.relevant]
    found = {name: {key: round(by_key.get(key, 0.0), 4) for key in answerable} for name, by_key in scores.items()}
    return found | {"silent": {one.key: float(not answers[one.key].results) for one in asked}}


def with_confidence(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and the bounds of its 95 % interval by 2,000 resamplings with a fixed seed."""
    if not values:
        return 0.0, 0.0, 0.0
    sample = np.asarray(values, dtype=float)
    drawn = np.random.default_rng(_SEED).choice(sample, size=(_RESAMPLES, len(sample))).mean(axis=1)
    low, high = np.percentile(drawn, _LEVEL)
    return float(sample.mean()), float(low), float(high)


def _figure(config: str, embedder: str, kind: str, metric: str, values: Sequence[float]) -> Figure:
    value, low, high = (round(one, 4) for one in with_confidence(values))
    return Figure(config, embedder, kind, metric, value, low, high, len(values))


def _ids(answer: SearchResult) -> list[str]:
    return [hit.entity_id for hit in answer.results]

"""``python -m evals.folds``: how far the default's weights and thresholds hold for questions that chose none of them.

Both are chosen by cross-validation: five folds by question, twenty times over. In each, four folds choose
among a few mixes by mean nDCG@10 (half specific, half vague), and the threshold by the answerable ones
(``chosen_threshold``); the fifth is measured. Printed beside it: what the committed values have on all
questions, which took part in choosing them.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evals.conference import SAMPLE
from evals.embedders import embedders
from evals.measures import scores_by_search
from evals.stored import Mix, store
from search.scoring import NEARLY_ALL
from search.thresholds import thresholds_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evals.questions import Judged
    from evals.stored import Stored

__all__ = ["MIXES", "chosen_threshold", "folds", "held_out", "ndcg_by_search"]

FOLDS, ROUNDS, SEED = 5, 20, 20240708

_PARTS = ((0.6, 0.2, 0.2), (0.4, 0.4, 0.2), (0.4, 0.2, 0.4), (0.2, 0.6, 0.2), (0.2, 0.2, 0.6))
MIXES = tuple(
    Mix(filler, *parts, words, power, drawn)
    for filler, parts, words, power, drawn in product(
        (0.4, 0.7, 1.0), _PARTS, (0.6, 0.8, 1.0), (2.0, 3.0, 4.0), (0.0, 0.2)
    )
)
"""What is chosen among: 270 mixes, the committed one in their middle."""


def folds(questions: Sequence[str]) -> Iterator[tuple[set[str], set[str]]]:
    """Question ids to choose by and to measure, each question measured once a round. All types of one go together."""
    shuffle = random.Random(SEED).shuffle  # noqa: S311 - no secret, the same each time
    for _ in range(ROUNDS):
        order = list(dict.fromkeys(questions))
        shuffle(order)
        for fold in range(FOLDS):
            measured = set(order[fold::FOLDS])
            yield set(order) - measured, measured


def chosen_threshold(answerable: Sequence[float]) -> float:
    """The lowest evidence of these, rounded down to a hundredth: none of them is lost, of others a few will be."""
    return math.floor(100 * min(answerable)) / 100


def held_out(stored: Stored) -> dict[str, tuple[float, float]]:
    """Each figure with the committed values on all questions, and held out."""
    ndcg = {mix: ndcg_by_search(stored, mix) for mix in MIXES}
    strength = {one.key: stored.evidence(one, Mix()) for one in stored.asked}
    chosen: dict[str, list[float]] = {name: [] for name in ("specific", "vague", "lost", "silent", "silent questions")}
    for choosing, measured in folds([one.question_id for one in stored.asked]):
        train = [one for one in stored.asked if one.question_id in choosing]
        test = [one for one in stored.asked if one.question_id in measured]
        worth = {mix: _objective(scores, train) for mix, scores in ndcg.items()}
        best = max(MIXES, key=worth.__getitem__)
        for kind in ("specific", "vague"):
            chosen[kind] += [ndcg[best][one.key] for one in test if one.kind == kind]
        threshold = chosen_threshold([strength[one.key] for one in train if one.relevant])
        for name, values in _silence(test, strength, threshold).items():
            chosen[name] += values
    committed = {
        kind: [ndcg[Mix()][one.key] for one in stored.asked if one.kind == kind] for kind in ("specific", "vague")
    }
    committed |= _silence(stored.asked, strength, thresholds_for(stored.identity).auto or 0.0)
    # The floor is read off the index by off-topic questions, with one quantile for all models.
    by_floor = _silence(stored.asked, strength, stored.floor())
    figures = {name: (float(np.mean(committed[name])), float(np.mean(values))) for name, values in chosen.items()}
    return figures | {f"{name}, by floor": (math.nan, float(np.mean(values))) for name, values in by_floor.items()}


def _objective(ndcg: dict[str, float], train: Sequence[Judged]) -> float:
    by_kind = [[ndcg[one.key] for one in train if one.kind == kind] for kind in ("specific", "vague")]
    return float(np.mean([np.mean(values) for values in by_kind]))


def _silence(asked: Sequence[Judged], strength: dict[str, float], threshold: float) -> dict[str, list[float]]:
    silent = {one.key: float(strength[one.key] < threshold) for one in asked}
    unanswerable = [one for one in asked if not one.relevant]
    questions = dict.fromkeys(one.question_id for one in unanswerable)
    return {
        "lost": [silent[one.key] for one in asked if one.relevant],
        "silent": [silent[one.key] for one in unanswerable],
        "silent questions": [
            min(silent[one.key] for one in unanswerable if one.question_id == question) for question in questions
        ],
    }


def ndcg_by_search(stored: Stored, mix: Mix) -> dict[str, float]:
    """nDCG@10 by search, over all entities."""
    ranked = {}
    for one in stored.asked:
        if not one.relevant:
            continue
        meaning = np.clip(stored.meaning(one, mix), 0.0, 1.0)
        shares = np.clip(stored.words(one)[1], 0.0, 1.0)
        named = mix.words * shares ** (1.0 if shares.max() >= NEARLY_ALL else mix.power)
        order = np.argsort(-(1.0 - (1.0 - meaning) * (1.0 - named)), kind="stable")[:10]
        ranked[one.key] = [stored.of_type[one.entity_type].ids[at] for at in order]
    found = scores_by_search(stored.asked, ranked)["nDCG@10"]
    return {one.key: found.get(one.key, 0.0) for one in stored.asked if one.relevant}


async def _run(chosen: Sequence[str], folder: Path, questions: Path | None) -> None:
    print(f"{'embedder':<10} {'figure':<27} {'committed, all':>14} {'chosen, held out':>17}")
    for embedder in embedders(chosen):
        stored = await store(folder, embedder, questions)
        for name, (in_sample, out) in held_out(stored).items():
            print(f"{embedder.family:<10} {name:<27} {in_sample:>14.3f} {out:>17.3f}")
        await embedder.aclose()


def main() -> int:
    """Print both, side by side."""
    parser = argparse.ArgumentParser(prog="python -m evals.folds", description=__doc__)
    parser.add_argument("--embedders", default="local,fastembed,openai", help="as for python -m evals")
    parser.add_argument("--data", type=Path, default=SAMPLE, help="folder with a conference and its queries.jsonl")
    parser.add_argument("--questions", type=Path, help="a file of judged questions in place of the folder's own")
    given = parser.parse_args()
    asyncio.run(_run(given.embedders.split(","), given.data, given.questions))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m evals.quantised``: what searching by int8 vectors costs in nDCG@10, emulated.

The embedded engine ignores QDRANT_QUANTIZED, so the stored and the questions' vectors are rounded here as
Qdrant's scalar quantisation does it: the middle 99 % of a collection's numbers in 127 steps, the rest clipped.
A server looks at the best once more with whole vectors; that is left out, so the cost is at most this.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evals.conference import SAMPLE
from evals.embedders import embedders
from evals.folds import ndcg_by_search
from evals.stored import Mix, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evals.stored import Stored

__all__ = ["as_int8", "quantised"]

_KEPT = 0.99
_STEPS = 127


def as_int8(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vectors as they come back from single bytes; zeros, which stand for no facet, stay."""
    low, high = np.quantile(vectors[vectors != 0], [(1 - _KEPT) / 2, (1 + _KEPT) / 2])
    step = (high - low) / _STEPS
    rounded = np.round((np.clip(vectors, low, high) - low) / step) * step + low
    return np.where(vectors == 0, 0.0, rounded)


def quantised(stored: Stored) -> Stored:
    """The same conference, with its profiles and facets in single bytes."""
    of_type = {
        kind: replace(one, facets=as_int8(one.facets), masters=as_int8(one.masters))
        for kind, one in stored.of_type.items()
    }
    return replace(stored, of_type=of_type)


async def _run(chosen: Sequence[str], folder: Path) -> None:
    print(f"{'embedder':<32} {'kind':<9} {'as they are':>11} {'int8':>6}")
    for embedder in embedders(chosen):
        whole = await store(folder, embedder)
        scores = [ndcg_by_search(one, Mix()) for one in (whole, quantised(whole))]
        for kind in ("specific", "vague"):
            means = [np.mean([by_key[one.key] for one in whole.asked if one.kind == kind]) for by_key in scores]
            print(f"{embedder.identity:<32} {kind:<9} {means[0]:>11.3f} {means[1]:>6.3f}")
        await embedder.aclose()


def main() -> int:
    """Print both, side by side."""
    parser = argparse.ArgumentParser(prog="python -m evals.quantised", description=__doc__)
    parser.add_argument("--embedders", default="local,fastembed,openai", help="as for python -m evals")
    parser.add_argument("--data", type=Path, default=SAMPLE, help="folder with a conference and its queries.jsonl")
    given = parser.parse_args()
    asyncio.run(_run(given.embedders.split(","), given.data))
    return 0


if __name__ == "__main__":
    sys.exit(main())

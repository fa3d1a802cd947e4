"""Below which score nothing counts as found, for each model that was measured.

Cosines of different models lie in different ranges, so each has its own figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Thresholds", "thresholds_for"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least scores of one model; 0 cuts only what points away from the question.

    ``facet``: cosine of a facet point in mode ``faceted``; ``master``: of a master point in ``master``;
    ``auto``: the evidence (search/evidence.py) that must be there in ``auto`` for there to be an answer,
    None where it was not measured and is read off the index instead (search/floors.py).
    """

    facet: float = 0.0
    master: float = 0.0
    auto: float | None = None


_BY_MODEL: Mapping[str, Thresholds] = {
    # Facets: the published baseline's own figure. The others could not be measured without a key; a lost
    # answer is worse than an offer too many, so no profile is cut.
    "openai-": Thresholds(facet=0.5),
    # Chosen on the sample conference's 60 judged questions (62 answerable question/type pairs, 17 that are not),
    # template facets; "lost": answerable ones for which nothing is left, "kept silent": unanswerable ones.
    # ``auto`` by the rule of evals/folds.py, whose held-out figures are in docs/search.md.
    # Facet 1 lost, 10 kept silent; master 1 and 9; auto 0 and 15.
    "local-wordllama-256": Thresholds(facet=0.24, master=0.18, auto=0.14),
    # Measured as int8; facet 2 lost, 5 kept silent; master 1 and 7; auto 0 and 15.
    "fastembed-all-minilm-l6-v2-": Thresholds(facet=0.28, master=0.28, auto=0.16),
}
"""By the beginning of the embedder's identity, which goes on with a hash or the dimensions."""


def thresholds_for(identity: str) -> Thresholds:
    """The model's thresholds; one without figures of its own cuts nothing by score."""
    return next((found for model, found in _BY_MODEL.items() if identity.startswith(model)), Thresholds())

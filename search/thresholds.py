"""Below which score nothing counts as found, for each family of embedders.

Cosines of different models lie in different ranges, so each family has its own figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Thresholds", "thresholds_for"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least scores of one family; 0 cuts only what points away from the question.

    ``facet``: cosine of a facet point in mode ``faceted``; ``master``: of a master point in ``master``;
    ``auto``: the evidence (search/evidence.py) that must be there in ``auto`` for there to be an answer.
    """

    facet: float
    master: float
    auto: float


_BY_FAMILY: Mapping[str, Thresholds] = {
    # Facets: the published baseline's own figure. The other two could not be measured without a key; a lost
    # answer is worse than an offer too many, so nothing is cut.
    "openai": Thresholds(facet=0.5, master=0.0, auto=0.0),
    # Chosen on the sample conference's 60 judged questions (62 answerable question/type pairs, 17 that are not),
    # template facets; "lost": answerable ones for which nothing is left, "kept silent": unanswerable ones.
    # local: facet 1 lost, 10 kept silent; master 1 and 9; auto 0 and 13.
    "local": Thresholds(facet=0.24, master=0.18, auto=0.143),
    # all-MiniLM-L6-v2, int8: facet 2 lost, 5 kept silent; master 1 and 7; auto 0 and 13 (at 0.215 2 and 15).
    "fastembed": Thresholds(facet=0.28, master=0.28, auto=0.168),
}


def thresholds_for(family: str) -> Thresholds:
    """The family's thresholds; a family without figures of its own cuts nothing."""
    return _BY_FAMILY.get(family, Thresholds(facet=0.0, master=0.0, auto=0.0))

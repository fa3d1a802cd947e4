"""The semantic router: which intent a question has, learnt from examples, without asking a model.

Examples and question are compared as vectors of the embedder, together with an assistant's cue
words; a softmax regression weighs both. It is learnt anew at each start, in 0.1 s, so it always
fits the embedder in use.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.errors import ConfigurationError

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.embeddings.embedder import Embedder

__all__ = ["Route", "SemanticRouter"]

_SURE = {"local": 0.92, "fastembed": 0.88}
"""Probability from which the router decides alone, by embedder family.

By hand, from the lower bound of the precision (one-sided, 90 %) on the development half of ``evals/intents.tsv``:
it is 0.934 and 0.945 here, and highest, 0.956 and 0.948, at 0.955 and 0.977 (``evals.router.surest``), where a
model would be asked twice in three times. docs/search.md says what is reached on the held-out half."""

_SURE_UNMEASURED = 0.92
"""For embedders that could not be measured (openai): the model is asked more often."""

_VECTOR_WEIGHT = 5.0
_CUE_WEIGHT = 2.0
_DECAY = 0.003
"""How much a vector and a cue count, and how far weights may grow: the best for both embedders of three
combinations tried (6 and 1.5 at 0.001, 6 and 1 at 0.003, 5 and 2 at 0.003)."""

_STEPS = 600
_RATE = 0.3


@dataclass(frozen=True, slots=True)
class Route:
    """The likeliest intent, its probability, whether that is enough to decide, and all probabilities."""

    intent: str
    confidence: float
    sure: bool
    scores: dict[str, float]

    def without(self, intent: str) -> Route:
        """The likeliest of the other intents; never sure."""
        rest = {name: score for name, score in self.scores.items() if name != intent}
        best = max(rest, key=rest.__getitem__)
        return Route(best, rest[best], sure=False, scores=self.scores)


class SemanticRouter:
    """Routes questions to intents. ``start`` once, then ``route`` as often as you like."""

    def __init__(
        self,
        embedder: Embedder,
        examples: Mapping[str, Sequence[str]],
        cues: Sequence[re.Pattern[str]] = (),
    ) -> None:
        self._embedder = embedder
        self._examples = {intent: tuple(texts) for intent, texts in examples.items()}
        self._intents = tuple(self._examples)
        self._cues = tuple(cues)
        self._weights: NDArray[np.float64] | None = None

    async def start(self) -> None:
        """Embed the examples and learn from them.

        Raises ConfigurationError when an intent has no example, and whatever the embedder raises.
        """
        for intent, texts in self._examples.items():
            if not texts:
                raise ConfigurationError(f"The router has no example for the intent {intent}")
        every = [text for group in self._examples.values() for text in group]
        labels = [index for index, group in enumerate(self._examples.values()) for _ in group]
        vectors = await self._embedder.embed(every)
        self._weights = await asyncio.to_thread(_learn, self._features(vectors, every), np.array(labels))

    async def route(self, question: str) -> Route:
        """The intent of ``question``; raises what the embedder raises."""
        if self._weights is None:
            raise ConfigurationError("The router has not been started")
        vectors = await self._embedder.embed([question])
        probabilities = _softmax(self._features(vectors, [question]) @ self._weights)[0]
        scores = {intent: float(p) for intent, p in zip(self._intents, probabilities, strict=True)}
        best = max(scores, key=scores.__getitem__)
        threshold = _SURE.get(self._embedder.family, _SURE_UNMEASURED)
        return Route(best, scores[best], sure=scores[best] >= threshold, scores=scores)

    def _features(self, vectors: Sequence[Sequence[float]], texts: Sequence[str]) -> NDArray[np.float64]:
        """One row a text: its vector, which cues it has, and a constant."""
        cues = np.array([[bool(cue.search(text)) for cue in self._cues] for text in texts], dtype=np.float64).reshape(
            len(texts), len(self._cues)
        )
        constant = np.ones((len(texts), 1))
        return np.hstack([np.asarray(vectors, dtype=np.float64) * _VECTOR_WEIGHT, cues * _CUE_WEIGHT, constant])


def _learn(features: NDArray[np.float64], labels: NDArray[np.int_]) -> NDArray[np.float64]:
    """Softmax regression by gradient descent; intents with many examples count no more than those with few."""
    counts = np.bincount(labels)
    truth = np.eye(len(counts))[labels]
    share = (1.0 / counts)[labels]
    share /= share.sum()
    weights = np.zeros((features.shape[1], len(counts)))
    for _ in range(_STEPS):
        miss = (_softmax(features @ weights) - truth) * share[:, None]
        weights -= _RATE * (features.T @ miss + _DECAY * weights)
    return weights


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))

"""How well the conference assistant's router knows what is wanted, on judged intents it has not learnt.

From which confidence the router decides alone is chosen on the development half, by a lower bound of its precision
and not by the precision itself, which the best of many thresholds has by luck; the held-out half shows what is reached.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assistants.conference.cues import CUES
from assistants.conference.intents import Intent, router_examples
from assistants.conference.question import normalise, search_type_of
from assistants.language import LanguageGuesser
from assistants.router import SemanticRouter
from evals.measures import Figure, with_confidence
from evals.model_call import ms_round_a_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from assistants.router import Route
    from services.embeddings.embedder import Embedder

__all__ = [
    "INTENTS",
    "UNDERSTANDING_MS",
    "JudgedIntent",
    "Routed",
    "evaluate_router",
    "read_intents",
    "surest",
    "widest",
]

INTENTS = Path(__file__).with_name("intents.tsv")
_Z = 1.28
"""Of a one-sided 90 % bound."""

_WANTED_PRECISION = 0.97

UNDERSTANDING_MS = 1000.0
"""What a fast model is assumed to take for a structured answer of some eighty tokens: its first one after about half a
second, the others in as long. No provider's was measured."""

_CONFIG = "router"


@dataclass(frozen=True, slots=True)
class JudgedIntent:
    """A question and what it wants; ``held_out`` ones chose nothing."""

    text: str
    intent: Intent
    held_out: bool


@dataclass(frozen=True, slots=True)
class Routed:
    """A judged question, where it was routed, in which language it seemed to be, and how long that took."""

    judged: JudgedIntent
    route: Route
    language: str
    took_ms: float

    @property
    def right(self) -> bool:
        """Whether the router knew what is wanted."""
        return self.route.intent == self.judged.intent


def read_intents(file: Path = INTENTS) -> list[JudgedIntent]:
    """The judged intents; of each intent every second one is held out."""
    seen: defaultdict[Intent, int] = defaultdict(int)
    found: list[JudgedIntent] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, text = line.split("\t")
            intent = Intent(name)
            found.append(JudgedIntent(text, intent, held_out=bool(seen[intent] % 2)))
            seen[intent] += 1
    return found


async def evaluate_router(
    embedder: Embedder, queries: Path | None = None, understanding_ms: float = UNDERSTANDING_MS
) -> list[Figure]:
    """The router's figures with one embedder, as rows of the table; ``queries`` adds specific against vague.

    ``calls saved`` is the share of questions for which no model is asked, as the router is set; ``ms a question`` is
    the router's own time, embedding included. ``s saved a turn`` is that share of what a call takes, in seconds:
    ``understanding_ms`` for the model, which is taken as given, and what is measured round a stand-in for one.
    """
    router = SemanticRouter(embedder, router_examples(), CUES)
    await router.start()
    languages = LanguageGuesser()
    routed = []
    for judged in read_intents():
        text = normalise(judged.text)
        began = time.perf_counter()
        route = await router.route(text)
        took_ms = (time.perf_counter() - began) * 1000
        routed.append(Routed(judged, route, languages.guess(text), took_ms))
    development = [one for one in routed if not one.judged.held_out]
    held_out = [one for one in routed if one.judged.held_out]
    figures = _figures(embedder.family, "development", development) + _figures(embedder.family, "held out", held_out)
    threshold, bound = surest(development)
    figures += _at_threshold(embedder.family, held_out, threshold)
    figures.append(_plain(embedder.family, "development", "threshold", threshold, len(development)))
    figures.append(_plain(embedder.family, "development", "precision at least", bound, len(development)))
    figures += _at_precision(embedder.family, development, held_out)
    english = [one for one in held_out if one.language == "en"]
    others = [one for one in held_out if one.language != "en"]
    figures.append(_share(embedder.family, "English", "accuracy", english, _is_right))
    figures.append(_share(embedder.family, "other languages", "accuracy", others, _is_right))
    milliseconds = statistics.median(one.took_ms for one in routed)
    figures.append(_plain(embedder.family, "all", "p50 ms a question", milliseconds, len(routed)))
    figures += await _time_saved(embedder.family, held_out, understanding_ms)
    if queries is not None:
        figures.append(await _search_types(embedder.family, router, _own_questions(queries)))
    return figures


def surest(routed: Sequence[Routed]) -> tuple[float, float]:
    """The confidence from which the rest's precision has the highest lower bound, and that bound.

    The bound is Wilson's (1927), one-sided at 90 %; above all confidences, and 0, where nothing was routed.
    """
    ranked = sorted(routed, key=lambda one: one.route.confidence, reverse=True)
    best, right = (1.01, 0.0), 0
    for count, one in enumerate(ranked, start=1):
        right += one.right
        bound = _lower_bound(right, count)
        if bound >= best[1]:
            best = (one.route.confidence, bound)
    return best


def widest(routed: Sequence[Routed], precision: float) -> float:
    """The least confidence from which the rest has this precision; above all confidences where none has."""
    ranked = sorted(routed, key=lambda one: one.route.confidence, reverse=True)
    least, right = 1.01, 0
    for count, one in enumerate(ranked, start=1):
        right += one.right
        if right >= precision * count:
            least = one.route.confidence
    return least


def _lower_bound(right: int, count: int) -> float:
    share = right / count
    spread = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return (share + _Z**2 / (2 * count) - spread) / (1 + _Z**2 / count)


def _figures(family: str, kind: str, routed: Sequence[Routed]) -> list[Figure]:
    sure = [one for one in routed if one.route.sure]
    return [
        _share(family, kind, "accuracy", routed, _is_right),
        _share(family, kind, "precision when sure", sure, _is_right),
        _share(family, kind, "calls saved", routed, lambda one: one.route.sure),
    ]


def _at_threshold(family: str, routed: Sequence[Routed], threshold: float) -> list[Figure]:
    decided = [one for one in routed if one.route.confidence >= threshold]
    return [
        _share(family, "held out", "coverage there", routed, lambda one: one.route.confidence >= threshold),
        _share(family, "held out", "precision there", decided, _is_right),
    ]


def _at_precision(family: str, development: Sequence[Routed], held_out: Sequence[Routed]) -> list[Figure]:
    """How many are decided alone at 97 % precision, by the confidence that has it on the development half."""
    least = widest(development, _WANTED_PRECISION)
    figures = []
    for kind, routed in (("development", development), ("held out", held_out)):
        decided = [one for one in routed if one.route.confidence >= least]
        figures.append(
            _share(family, kind, "coverage at 97 %", routed, lambda one: one.route.confidence >= least),
        )
        figures.append(_share(family, kind, "precision at 97 %", decided, _is_right))
    return figures


async def _time_saved(family: str, routed: Sequence[Routed], understanding_ms: float) -> list[Figure]:
    """Per turn, in seconds, and what it is made of: the model's time as it was given, and ours round it as measured."""
    ours_ms = await ms_round_a_model([one.judged.text for one in routed])
    call_s = (understanding_ms + ours_ms) / 1000
    saved = [call_s * one.route.sure for one in routed]
    value, low, high = (round(one, 4) for one in with_confidence(saved))
    return [
        _plain(family, "all", "s a model, assumed", understanding_ms / 1000, 0),
        _plain(family, "all", "s round a model", ours_ms / 1000, len(routed)),
        Figure(_CONFIG, family, "held out", "s saved a turn", value, low, high, len(saved)),
    ]


def _own_questions(queries: Path) -> list[tuple[str, str]]:
    """The conference's own questions that have an answer, each with its kind."""
    rows = (json.loads(line) for line in queries.read_text(encoding="utf-8").splitlines())
    return [(row["query"], row["kind"]) for row in rows if row["kind"] in {"specific", "vague"}]


async def _search_types(family: str, router: SemanticRouter, asked: Sequence[tuple[str, str]]) -> Figure:
    """Specific or vague, on the conference's own judged questions, by the rules that stand in for the model."""
    told = []
    for text, kind in asked:
        intent = Intent((await router.route(text)).intent)
        told.append(float(search_type_of(text, intent).value == kind))
    value, low, high = (round(one, 4) for one in with_confidence(told))
    return Figure(_CONFIG, family, "own questions", "specific or vague", value, low, high, len(told))


def _plain(family: str, kind: str, metric: str, value: float, n: int) -> Figure:
    """A figure that has no interval."""
    rounded = round(value, 3)
    return Figure(_CONFIG, family, kind, metric, rounded, rounded, rounded, n)


def _is_right(one: Routed) -> bool:
    return one.right


def _share(family: str, kind: str, metric: str, routed: Sequence[Routed], has: Callable[[Routed], bool]) -> Figure:
    value, low, high = (round(one, 4) for one in with_confidence([float(has(one)) for one in routed]))
    return Figure(_CONFIG, family, kind, metric, value, low, high, len(routed))

"""An index's vectors in memory, to try weights and thresholds by brute force over all entities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from evals.conference import conference_id_of, indexed, judged
from search.entity import MASTER_KEY
from search.evidence import evidence
from search.facets import FACET_KEYS
from search.filler import FILLER, leaning_to, subject_words
from search.floors import OFF_TOPIC, floor_of
from search.lexicon import Lexicon
from search.naming import less_chance
from search.neighbours import NEIGHBOURS, drawn_to, subject_of
from search.query import EntityType
from search.scoring import NEARLY_ALL
from search.words import sparse_text
from search.writer import IndexWriter
from services.vectors import Hit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from evals.questions import Judged
    from search.lexicon import Wording
    from services.embeddings.embedder import Embedder

    Floats = NDArray[np.float64]

__all__ = ["Mix", "OfType", "Stored", "store"]

_HITS = 30
"""Profiles by words, as many as the search fetches for ten results."""


@dataclass(frozen=True, slots=True)
class Mix:
    """The weights of mode ``auto``; the defaults are the committed ones.

    Those of search/filler.py, search/neighbours.py (``drawn``) and search/scoring.py.
    """

    filler: float = 0.7
    best: float = 0.6
    master: float = 0.2
    top: float = 0.2
    words: float = 0.8
    power: float = 3.0
    drawn: float = 0.2


@dataclass(frozen=True, slots=True)
class OfType:
    """One type's entities, row by row.

    ``facets`` are unit vectors by entity and facet, zeros where there is none; ``masters`` those of the profiles,
    ``subjects`` those of what they are called. ``filler`` is the mean vector of what every question of the type asks.
    """

    ids: tuple[str, ...]
    facets: Floats
    masters: Floats
    subjects: Floats
    payloads: tuple[dict[str, str], ...]
    words: tuple[Mapping[int, float], ...]
    lexicon: Lexicon
    filler: Floats


@dataclass(frozen=True, slots=True)
class Stored:
    """A conference with one embedder, and its judged questions' vectors by ``Judged.key``."""

    identity: str
    asked: tuple[Judged, ...]
    of_type: Mapping[EntityType, OfType]
    questions: Mapping[str, Floats]
    off_topic: tuple[Floats, ...]

    def meaning(self, one: Judged, mix: Mix) -> Floats:
        """Each entity's meaning score, as search.scoring.meaning_score has it, with the vector the order is made by."""
        by_name = self.words(one)[1].max() >= NEARLY_ALL
        return self.nearness(self.questions[one.key], one.entity_type, replace(mix, drawn=0.0) if by_name else mix)

    def nearness(self, question: Floats, entity_type: EntityType, mix: Mix) -> Floats:
        """The meaning score of each of the type's entities for a question's vector."""
        kind = self.of_type[entity_type]
        rest = question - mix.filler * kind.filler
        subject = rest / np.linalg.norm(rest)
        if mix.drawn:
            near = np.concatenate([of_type.masters @ subject for of_type in self.of_type.values()])
            subjects = np.concatenate([of_type.subjects for of_type in self.of_type.values()])
            nearest = np.argsort(-near, kind="stable")[:NEIGHBOURS]
            subject = np.asarray(drawn_to(subject.tolist(), subjects[nearest].tolist(), mix.drawn))
        best = -np.sort(-(kind.facets @ subject), axis=1)[:, :3]
        return np.asarray(mix.best * best[:, 0] + mix.master * (kind.masters @ subject) + mix.top * best.mean(axis=1))

    def floor(self) -> float:
        """What the search would take for the least evidence if the model had not been measured."""
        near = [self.nearness(one, kind, Mix(drawn=0.0)) for one in self.off_topic for kind in self.of_type]
        return floor_of([float(np.sort(one)[-3:].mean()) for one in near])

    def words(self, one: Judged) -> tuple[Wording, Floats]:
        """The question's words and each entity's share of them."""
        kind = self.of_type[one.entity_type]
        wording = kind.lexicon.wording(one.text)
        shares = [sum(weight * has.get(word, 0.0) for word, weight in wording.weights.items()) for has in kind.words]
        hits = [Hit(*each) for each in zip(kind.ids, shares, kind.payloads, strict=True)]
        return wording, np.asarray([hit.score for hit in less_chance(hits, wording)])

    def evidence(self, one: Judged, mix: Mix) -> float:
        """What decides between answer and silence, by the search's own rule: before anything is drawn anywhere."""
        kind = self.of_type[one.entity_type]
        wording, shares = self.words(one)
        meanings = np.sort(self.meaning(one, replace(mix, drawn=0.0))).tolist()
        best = [at for at in np.argsort(-shares, kind="stable")[:_HITS] if shares[at] > 0]
        hits = [Hit(kind.ids[at], float(shares[at]), kind.payloads[at]) for at in best]
        return evidence(one.text, meanings, wording, hits).strength


async def store(folder: Path, embedder: Embedder, questions: Path | None = None) -> Stored:
    """Index the folder's conference as ``make eval`` does, and take the vectors of what was indexed.

    ``questions``: a file of judged ones in place of the folder's own.
    """
    conference_id = conference_id_of(folder)
    asked = tuple(judged(folder, questions))
    of_type: dict[EntityType, OfType] = {}
    async with indexed(folder, embedder) as (_, vectors):
        writer = IndexWriter(vectors, embedder)
        for kind in EntityType:
            held = (await writer.stored(conference_id, kind)).values()
            texts = [(row, key, text) for row, one in enumerate(held) for key, text in one.texts.items()]
            masters = np.zeros((len(held), embedder.dimensions))
            facets = np.zeros((len(held), len(FACET_KEYS[kind]), embedder.dimensions))
            for (row, key, _), vector in zip(texts, await embedder.embed([text for _, _, text in texts]), strict=True):
                if key == MASTER_KEY:
                    masters[row] = vector
                else:
                    facets[row, FACET_KEYS[kind].index(key)] = vector
            profiles = [one.texts[MASTER_KEY] for one in held]
            of_type[kind] = OfType(
                tuple(one.entity_id for one in held),
                facets,
                masters,
                np.asarray([(await embedder.embed([subject_of(one.payload)]))[0] for one in held]),
                tuple({**one.payload, "text": text} for one, text in zip(held, profiles, strict=True)),
                tuple(map(sparse_text, profiles)),
                Lexicon(profiles),
                np.asarray(await embedder.embed(FILLER[kind])).mean(axis=0),
            )
    vectors_of = {one.key: np.asarray(await _as_searched(one.text, embedder)) for one in asked}
    off_topic = tuple(map(np.asarray, await embedder.embed(OFF_TOPIC)))
    return Stored(embedder.identity, asked, of_type, vectors_of, off_topic)


async def _as_searched(question: str, embedder: Embedder) -> list[float]:
    """The question's vector as the search has it; one text a call: a quantised model's vectors depend on the batch."""
    [whole] = await embedder.embed([question])
    [subject] = await embedder.embed([subject_words(question) or question])
    return leaning_to(whole, subject)

"""``python -m bench.search``: building and searching an index of large conferences, with the local embedder.

The embedded engine takes one conference; a server (QDRANT_URL) takes as many as are asked for. The
entities are the packaged conference's, each repeated under new ids with its texts' sentences in another
order: sizes and vocabulary are real, relevance is not, and none is measured here (``make eval`` does that).
On a server the six collections of the index are filled for conferences of the benchmark's own, beside what is
there, and those are deleted at the end. QDRANT_QUANTIZED, QDRANT_ON_DISK and QDRANT_TENANT_INDEX are a worker's
settings of these names. They hold for collections that are made, so where some are there before, the result does not
say how they are laid out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import httpx
from pydantic import TypeAdapter

from bench.figure import Figure, table
from evals.conference import SAMPLE, conference_id_of, indexed, judged
from search.collection_names import ALL_NAMES
from search.entity import IndexedEntity
from search.index import SearchIndex
from search.points import title_of
from search.query import EntityType, SearchQuery
from search.writer import IndexWriter
from services.embeddings.local import LocalEmbedder
from services.vectors import Layout, Match, Vectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evals.questions import Judged
    from services.embeddings.embedder import Embedder

RESULTS = Path(__file__).parent / "results" / "search.json"
SIZES = {EntityType.SESSIONS: 1_000, EntityType.EXHIBITORS: 500, EntityType.SPEAKERS: 800}
AT_ONCE = 50
_BATCH = 64
_IS_ON = TypeAdapter(bool)
_SWITCHES = [field.name for field in fields(Layout)]
_NAMESPACE = UUID("5a6f1a43-6f0e-5b54-9a0c-6a1f1c6d2b10")


async def _originals(embedder: Embedder) -> list[IndexedEntity]:
    """The packaged conference's entities, as its index holds them."""
    conference_id = conference_id_of(SAMPLE)
    found: list[IndexedEntity] = []
    async with indexed(SAMPLE, embedder) as (_, vectors):
        for kind in EntityType:
            stored = await IndexWriter(vectors, embedder).stored(conference_id, kind)
            found += [
                IndexedEntity(one.entity_id, kind, conference_id, title_of(one.payload), one.texts, one.payload)
                for one in stored.values()
            ]
    return found


def _conference(originals: Sequence[IndexedEntity], number: int, scale: float) -> Iterator[list[IndexedEntity]]:
    """Batches of one large conference."""
    conference_id = str(uuid5(_NAMESPACE, f"conference {number}"))
    shuffle = random.Random(number).shuffle  # noqa: S311 - no secret, the same each time
    batch: list[IndexedEntity] = []
    for kind, size in SIZES.items():
        of_kind = [one for one in originals if one.entity_type is kind]
        for place in range(max(1, round(size * scale))):
            one = of_kind[place % len(of_kind)]
            texts = {}
            for key, text in one.texts.items():
                sentences = text.split(". ")
                shuffle(sentences)
                texts[key] = ". ".join(sentences)
            entity_id = str(uuid5(_NAMESPACE, f"{number} {kind} {place}"))
            batch.append(replace(one, entity_id=entity_id, conference_id=conference_id, texts=texts))
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


async def _measure(url: str, conferences: int, scale: float) -> list[Figure]:
    embedder = LocalEmbedder()
    originals = await _originals(embedder)
    asked = judged(SAMPLE)
    layout = layout_asked_for(os.environ)
    vectors = Vectors(url, os.environ.get("QDRANT_API_KEY"), layout=layout)
    writer = IndexWriter(vectors, embedder)
    ids = [str(uuid5(_NAMESPACE, f"conference {number}")) for number in range(conferences)]
    texts = 0
    size: list[Figure] = []
    try:
        if not vectors.is_embedded:
            found = [name for name in ALL_NAMES if await vectors.vector_size(name) is not None]
            size += layout_figures(None if found else layout)
        began = time.perf_counter()
        for number, conference_id in enumerate(ids):
            async with await writer.begin(list(EntityType), full=False, conference_id=conference_id) as build:
                for batch in _conference(originals, number, scale):
                    texts += (await build.write(batch)).texts_embedded
                await build.close_conference(conference_id)
                await build.finish()
            print(f"{number + 1} of {conferences} conferences, {texts} texts", file=sys.stderr)
        took = time.perf_counter() - began
        points = sum([await vectors.count(name) for name in ALL_NAMES])
        if not vectors.is_embedded:
            size.append(await _server_figure(url))
        index = SearchIndex(vectors, embedder)
        await _search_all(index, asked[:3], ids[:1], at_once=1)  # what is read once is read now
        alone = await _search_all(index, asked, ids, at_once=1)
        crowded = await _search_all(index, asked * 3, ids, at_once=AT_ONCE)
    finally:
        if not vectors.is_embedded:
            for name in ALL_NAMES:
                for conference_id in ids:
                    await vectors.delete_where(name, (Match("conference_id", conference_id),))
        await vectors.aclose()
        await embedder.aclose()
    figures = [
        Figure("search: conferences", conferences, ""),
        Figure("search: points in the index", points, ""),
        Figure("search: build", took, "s"),
        Figure("search: texts built", texts / took if took else None, "texts/s"),
        *size,
    ]
    for name, taken in (("alone", alone), (f"{AT_ONCE} at once", crowded)):
        cuts = statistics.quantiles(taken, n=100)
        figures += [Figure(f"search: {name}, p{percent}", cuts[percent - 1], "ms") for percent in (50, 95, 99)]
    return figures


def layout_asked_for(environment: Mapping[str, str]) -> Layout:
    """The layout of new collections, by the worker's settings; unset or empty is the default, as it is there.

    Raises ValueError for what is neither true nor false.
    """
    asked = {name: environment.get(f"QDRANT_{name.upper()}") for name in _SWITCHES}
    return Layout(**{name: _IS_ON.validate_python(value) for name, value in asked.items() if value})


def layout_figures(layout: Layout | None) -> list[Figure]:
    """One line for each switch of the layout; None: it is another's, and not known."""
    return [
        Figure(f"search: QDRANT_{name.upper()}", None if layout is None else float(getattr(layout, name)), "(1: on)")
        for name in _SWITCHES
    ]


async def _search_all(
    index: SearchIndex, asked: Sequence[Judged], conference_ids: Sequence[str], *, at_once: int
) -> list[float]:
    """Milliseconds of each search; the conferences take turns."""
    gate = asyncio.Semaphore(at_once)

    async def one(place: int, question: Judged) -> float:
        conference_id = conference_ids[place % len(conference_ids)]
        async with gate:
            began = time.perf_counter()
            # The place makes it another text, lest the question's vector be remembered.
            text = f"{question.text}{' ' * (place % 97)}"
            await index.search(SearchQuery(text, conference_id, question.entity_type))
            return 1000 * (time.perf_counter() - began)

    return list(await asyncio.gather(*(one(place, question) for place, question in enumerate(asked))))


async def _server_figure(url: str) -> Figure:
    """The size of the six collections by the server's own estimate, other conferences' parts of them included.

    Of its telemetry: ``vectors_size_bytes`` and ``payloads_size_bytes`` of each shard (``LocalShardTelemetry``).
    """
    key = os.environ.get("QDRANT_API_KEY")
    async with httpx.AsyncClient(timeout=60, headers={"api-key": key} if key else None) as client:
        reply = await client.get(f"{url.rstrip('/')}/telemetry", params={"details_level": 3})
    size = indexed_bytes(reply.json()) if reply.is_success else None  # a key may be kept from reading telemetry
    return Figure("search: index, as the server estimates it", None if size is None else size / 1_000_000, "MB")


def indexed_bytes(telemetry: Any) -> int | None:  # noqa: ANN401 - JSON
    """What the index's collections take; None where the server does not tell."""
    sizes = [
        local.get("vectors_size_bytes", 0) + local.get("payloads_size_bytes", 0)
        for collection in telemetry["result"]["collections"].get("collections") or ()
        if str(collection.get("id", "")).startswith(ALL_NAMES)
        for shard in collection.get("shards") or ()
        if (local := shard.get("local")) and "vectors_size_bytes" in local
    ]
    return sum(sizes) if sizes else None


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def main() -> int:
    """Measure, print, write bench/results/search.json."""
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--conferences", type=int, help="on a server: how many (100)")
    parser.add_argument("--scale", type=float, default=1.0, help="of 1,000 sessions, 500 exhibitors, 800 speakers")
    given = parser.parse_args()
    url = os.environ.get("QDRANT_URL", "")
    with tempfile.TemporaryDirectory() as folder:
        if url.startswith("http"):
            figures = asyncio.run(_measure(url, given.conferences or 100, given.scale))
        else:
            figures = asyncio.run(_measure(f"embedded://{folder}/index", 1, given.scale))
            size = _folder_bytes(Path(folder)) / 1_000_000
            figures.append(Figure("search: index on disk", size, "MB"))
    print(table(figures))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([one.as_json() for one in figures], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

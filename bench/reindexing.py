"""Bringing the sample conference in, with the commands an operator types, the start of each included.

Receiver, Flows and a worker run, so each row that is loaded also asks for its own indexing; those jobs
run beside the reindex and compete with it. Those that still wait at the end would find nothing to do;
they are dropped, so that later benchmarks have an idle worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figure import Figure

if TYPE_CHECKING:
    from bench.installation import Installation

__all__ = ["measure"]


async def measure(house: Installation) -> list[Figure]:
    """``erleah load``, ``erleah reindex --full --wait``, ``erleah reindex --wait``; local embedder, embedded index."""
    took = await house.indexing()
    return [
        Figure("sample conference: erleah load", took.load_s, "s"),
        Figure("sample conference: texts of the full reindex", took.full_texts, "texts"),
        Figure("sample conference: load + full reindex", took.load_s + took.full_s, "s", 60),
        Figure("sample conference: second reindex", took.again_s, "s", 5),
        Figure("sample conference: texts embedded by the second", took.again_texts, "texts", 0),
        Figure("sample conference: rows' own jobs that still wait", took.left_jobs, "jobs"),
    ]

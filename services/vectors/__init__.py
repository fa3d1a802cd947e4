"""Vectors: the one room where Qdrant is known, a server or the engine inside this process."""

from services.vectors.store import Vectors
from services.vectors.types import (
    AnyOf,
    Condition,
    Either,
    Every,
    Hit,
    Layout,
    Match,
    Nearest,
    Not,
    Point,
    Range,
    Record,
)

__all__ = [
    "AnyOf",
    "Condition",
    "Either",
    "Every",
    "Hit",
    "Layout",
    "Match",
    "Nearest",
    "Not",
    "Point",
    "Range",
    "Record",
    "Vectors",
]

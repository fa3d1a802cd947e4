"""Vectors of length one, so that a dot product is a cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["unit_vectors"]


def unit_vectors(rows: ArrayLike) -> list[list[float]]:
    """Each row (texts by dimensions) scaled to length one.

    A row that has no direction (all zeros, or not a number) becomes the vector that points the same
    way in every dimension: it is near to nothing in particular and keeps cosine defined.
    """
    matrix = np.asarray(rows, dtype=np.float64)
    if matrix.size == 0:
        return []
    matrix = np.where(np.isfinite(matrix), matrix, 0.0)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    nowhere = lengths[:, 0] == 0.0
    matrix[nowhere] = 1.0
    lengths[nowhere] = np.sqrt(matrix.shape[1])
    vectors: list[list[float]] = (matrix / lengths).tolist()
    return vectors

"""Vectors rounded to single bytes, as a server rounds them."""

from __future__ import annotations

import numpy as np
import pytest

from evals.quantised import as_int8


def test_numbers_are_rounded_to_127_steps_and_the_rarest_clipped() -> None:
    """Zeros stand for what is not there, and stay."""
    numbers = np.linspace(-1.0, 1.0, 2_000)
    rounded = as_int8(numbers)
    assert len(np.unique(rounded)) == 128
    assert np.abs(rounded).max() == pytest.approx(0.99, abs=0.001)
    assert np.abs(rounded - np.clip(numbers, -0.99, 0.99)).max() <= 0.99 / 127 + 1e-9
    assert as_int8(np.array([0.0, 0.5, -0.5]))[0] == 0.0

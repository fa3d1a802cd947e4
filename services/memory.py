"""The process's memory: as the C library keeps it, and as Python's collector looks through it.

Freed, it goes back to the system (glibc; elsewhere nothing is done).

Blocks that glibc takes from the system by themselves go back when they are freed, but from the first one on it takes
ever larger ones, up to 32 MB, from its heap instead, where a small block behind them keeps them. What a worker needs
for a moment at its start (a language model as it is packed, 270 examples' vectors as JSON) stayed with it so: 30 MB.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from typing import Final

__all__ = ["give_back_what_is_freed", "keep_large_blocks_apart", "leave_what_stays_alone"]

_M_MMAP_THRESHOLD: Final = -3
"""Its number in ``malloc.h``."""

_LARGE: Final = 1024 * 1024
"""A turn's blocks are smaller and stay in the heap, where taking them costs nothing."""

_YOUNG, _MIDDLE, _OLD = 5_000, 20, 20
"""A turn makes some thousands of objects that its end frees by itself; Python's own 700 looks through them ten times."""


def keep_large_blocks_apart() -> None:
    """Let each block of a megabyte or more be the system's own for good; to be called before there are any."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)


def give_back_what_is_freed() -> None:
    """Return what is free in the heap: some milliseconds, worth it once after a start."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def leave_what_stays_alone() -> None:
    """Spare Python's collector all that a process has when it is ready; to be called once, by a process of its own.

    A worker's half a million objects (modules, models, prompts) live as long as it does, and looking through them for
    garbage was a tenth of its work (turn-cost, side by side: 17.3 to 15.6 ms without any collector).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)

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

    A worker's 200,000 objects (modules, models, prompts) live as long as it does. A look through all of them stops
    everything for 0.1 s, and the looks together were a tenth of a turn's work (turn-cost, side by side: 17.3 ms, and
    15.6 without any collector; with this, it can't be told from none).
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # it takes note of how few are left: a quarter more of those is what brings on the next whole look

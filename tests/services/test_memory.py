"""Memory that a process needed for a moment goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import os
from pathlib import Path
from services.memory import give_back_what_is_freed, keep_large_blocks_apart

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

keep_large_blocks_apart()
blocks = [bytearray(20_000_000)]
blocks.clear()
before = resident_mb()
blocks, small = [], []
for _ in range(20):
    blocks.append(b"x" * 2_000_000)
    small.append(b"y" * 10_000)
blocks.clear()
small[:-1] = []
give_back_what_is_freed()
print(resident_mb() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc, and done by glibc")
def test_large_blocks_are_given_back_though_a_small_one_stays() -> None:
    """Without it glibc keeps nearly all of the 40 MB once it has seen a block of 20."""
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert float(ended.stdout) < 5

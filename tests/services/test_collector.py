"""What a process has when it is ready is nothing for Python's collector to look through."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import gc
from services.memory import leave_what_stays_alone

class Ring:
    def __init__(self):
        self.itself = self

stays = [Ring() for _ in range(50_000)]
leave_what_stays_alone()
looked_through = len(gc.get_objects())
before = gc.get_freeze_count()
for _ in range(20_000):
    Ring()
left = sum(isinstance(each, Ring) for each in gc.get_objects())
print(looked_through, before, left)
"""


def test_what_stays_is_left_alone_and_new_rings_are_still_found() -> None:
    """A worker's garbage in rings must go by itself: its memory would grow with each turn."""
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    looked_through, frozen, left = map(int, ended.stdout.split())
    assert looked_through < 1_000
    assert frozen > 50_000
    assert left < 2_000

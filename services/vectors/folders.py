"""``HeldFolder``: the folder of an embedded index, held by one process at a time."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["HeldFolder", "temporary_folder"]

_LOCK = ".held"
_PREFIX = "erleah-index-"
_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's own folder in memory; ours in it are private (mkdtemp)
_MEMORY_WANTED_BYTES = 1_000_000_000
"""Free in /dev/shm, or the system's folder for temporary files is taken: containers have 64 MB there."""

_NEW_S = 60.0
"""A folder this young may be one whose owner is just about to take its lock."""


class HeldFolder:
    """A folder that is made if need be and kept from other processes until it is let go.

    Raises BlockingIOError where another process holds it, OSError where it can't be made.
    """

    def __init__(self, path: Path, *, passing: bool = False) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._passing = passing
        self._lock = FileLock(path / _LOCK, timeout=0)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise BlockingIOError(f"{path} is held by another process") from error

    def let_go(self) -> None:
        """Others may have it; one that was made for the process alone is gone."""
        self._lock.release()
        if self._passing:
            shutil.rmtree(self.path, ignore_errors=True)


def temporary_folder() -> HeldFolder:
    """A folder of this process's own, in memory where there is room for it.

    What processes that were killed have left behind is swept first: their locks are free.
    """
    place = Path(tempfile.gettempdir())
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _MEMORY_WANTED_BYTES:
        place = _MEMORY
    for left in place.glob(f"{_PREFIX}*"):
        _sweep(left)
    return HeldFolder(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place)), passing=True)


def _sweep(left: Path) -> None:
    try:
        if time.time() - left.stat().st_mtime < _NEW_S:
            return
        with FileLock(left / _LOCK, timeout=0):
            shutil.rmtree(left, ignore_errors=True)
    except (Timeout, OSError):  # its process lives, or another sweeps it
        return

"""A child process of a measurement: how it is started, what it costs, how it is ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ROOT", "ChildProcess", "environment"]

ROOT = Path(__file__).parents[1]

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV")
_STOP_TIMEOUT_S = 40.0
"""A worker may finish its turns for 20 s, and its receiver for 10."""


def environment(**settings: str) -> dict[str, str]:
    """Little of ours: no key and no setting of whoever runs the benchmarks reaches a measured process."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | settings


class ChildProcess:
    """``python -m module …`` in ``folder``, with its log there; a context manager that ends it.

    CPU time and memory are read from ``/proc``: Linux only.
    """

    def __init__(
        self, module: str, *arguments: str, folder: Path, settings: Mapping[str, str] | None = None, log: str = ""
    ) -> None:
        self._command: Sequence[str] = (sys.executable, "-m", module, *arguments)
        self._folder = folder
        self._settings = dict(settings or {})
        self.log_path = folder / f"{log or module}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def start(self) -> Self:
        """Start the process; it is not up yet."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                self._command,
                cwd=self._folder,  # where no .env of a developer lies
                env=environment(**self._settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for what does not end by itself."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int:
        """The process id. Raises RuntimeError, with the log's last lines, when the process has ended."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{' '.join(self._command[1:])} has ended: {self.last_words()}")
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """CPU time so far, user and system, in seconds (10 ms steps)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory_mb(self) -> float:
        """Resident memory in MB (10⁶ bytes)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def open_files(self) -> int:
        """Open file descriptors: files, sockets, pipes."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - a count, not paths

    def last_words(self) -> str:
        """The end of the log."""
        if not self.log_path.exists():
            return "it said nothing"
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-2000:]

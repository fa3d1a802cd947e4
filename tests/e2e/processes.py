"""Erleah's processes as they are deployed: ``python -m webhook`` and ``python -m worker``, and what befalls them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ErleahProcess"]

ROOT = Path(__file__).resolve().parents[2]

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV")
"""No setting and no key of whoever runs the tests reaches a process under test."""

_READY = {"webhook": "webhook_ready", "worker": "worker.ready"}
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
"""A worker lets its turns finish for 20 s."""
_LOOK_S = 0.02


class ErleahProcess:
    """One process of Erleah with its log in a file; start and stop it as often as you like.

    ``settings`` are its environment; ``folder`` is its working directory, where no ``.env`` lies.
    ``grace_s`` shortens the time that a worker gives its turns when it is told to stop.
    """

    def __init__(
        self,
        module: Literal["webhook", "worker"],
        settings: Mapping[str, str],
        folder: Path,
        *,
        name: str = "",
        grace_s: float | None = None,
    ) -> None:
        self._module = module
        self._command: tuple[str, ...] = (sys.executable, "-m", module)
        if grace_s is not None:
            code = f"import sys, worker.main as w; w.GRACE_S = {grace_s}; sys.exit(w.main())"
            self._command = (sys.executable, "-c", code)
        self._settings = dict(settings)
        self._folder = folder
        self.log_path = folder / f"{name or module}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._began_at = 0

    @property
    def pid(self) -> int:
        """Its process id. Raises RuntimeError when it does not run."""
        if not self.is_running or self._process is None:
            raise RuntimeError(f"{self._module} does not run: {self.output()[-2000:]}")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives (also while it is paused)."""
        return self._process is not None and self._process.poll() is None

    def start(self, settings: Mapping[str, str] | None = None, *, until_ready: bool = True) -> None:
        """Start it, ``settings`` on top of its own for this start alone; wait until it says that it is ready."""
        if self.is_running:
            raise RuntimeError(f"{self._module} runs already")
        self._began_at = self.log_path.stat().st_size if self.log_path.exists() else 0
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        own = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | self._settings | dict(settings or {})
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                self._command,
                cwd=self._folder,
                env=passed_on | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if until_ready:
            self.wait_for(_READY[self._module], within_s=_START_TIMEOUT_S)

    def wait_for(self, event: str, *, within_s: float = 10.0, **fields: object) -> dict[str, Any]:
        """Wait for a log line of this start with that event and those fields, and give it.

        Raises RuntimeError when the process ends or the time is up before it comes.
        """
        until = time.monotonic() + within_s
        while True:
            ended = not self.is_running  # asked first: what it wrote before its end counts
            for line in self.events(event):
                if fields.items() <= line.items():
                    return line
            if ended or time.monotonic() > until:
                why = "it ended" if ended else f"{within_s:g} s are over"
                raise RuntimeError(f"{self._module} has not said {event} {fields}, {why}: {self.output()[-3000:]}")
            time.sleep(_LOOK_S)

    def events(self, event: str | None = None) -> Iterator[dict[str, Any]]:
        """The log lines of this start, or those of one event."""
        for line in self.output().splitlines():
            with contextlib.suppress(ValueError):  # a line that is half written, or not ours
                fields = json.loads(line)
                if isinstance(fields, dict) and event in {None, fields.get("event")}:
                    yield fields

    def output(self, *, of_all_starts: bool = False) -> str:
        """All it wrote to stdout and stderr since this start, or since the first."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as log:
            log.seek(0 if of_all_starts else self._began_at)
            return log.read().decode(errors="replace")

    def wait(self, within_s: float = _STOP_TIMEOUT_S) -> int:
        """Wait until it ends by itself, and give its exit code. Raises subprocess.TimeoutExpired."""
        if self._process is None:
            raise RuntimeError(f"{self._module} was never started")
        return self._process.wait(within_s)

    def terminate(self) -> None:
        """SIGTERM, as an orchestrator sends it; does not wait."""
        os.kill(self.pid, signal.SIGTERM)

    def stop(self) -> int | None:
        """SIGTERM, then wait; its exit code, None if it did not run."""
        if not self.is_running:
            return None
        self.resume()
        self.terminate()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL: it has no chance to say anything."""
        if self._process is not None and self.is_running:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: it stands still, as on a machine that is paused; its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

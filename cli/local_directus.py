"""A real Directus on this machine, on SQLite: what ``erleah demo`` and the end-to-end tests run.

The class is synchronous; asyncio callers use ``asyncio.to_thread(directus.start)``::

    with LocalDirectus(DirectusOptions(port=8055, data_dir=Path(".erleah/directus"), secrets=secrets)) as directus:
        print(directus.url)
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets as randomness
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from cli.directus_install import LOCK_FOLDER, Installation, ensure_installed, stderr_progress
from services.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["DirectusOptions", "DirectusSecrets", "LocalDirectus", "free_port"]

_POLL_S = 0.05
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
"""What Directus sees of our environment: no provider's key, and no DB_* meant for another Directus."""


@dataclass(frozen=True)
class DirectusSecrets:
    """What a Directus is bootstrapped with; none of it shows in a repr.

    ``admin_token``, ``admin_email`` and ``admin_password`` count only when the database is made.
    """

    secret: str = field(repr=False)
    admin_token: str = field(repr=False)
    admin_password: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    admin_email: str = "admin@example.com"

    @classmethod
    def random(cls) -> DirectusSecrets:
        """Make new ones, 192 random bits each."""
        return cls(
            secret=randomness.token_urlsafe(24),
            admin_token=randomness.token_urlsafe(24),
            admin_password=randomness.token_urlsafe(24),
            webhook_secret=randomness.token_urlsafe(24),
        )


@dataclass(frozen=True)
class DirectusOptions:
    """How to run it. ``extra_env`` comes last and wins; ``cors_origin`` is the page's, not ``*``."""

    port: int
    data_dir: Path
    secrets: DirectusSecrets
    cors_origin: str | None = None
    extra_env: Mapping[str, str] = field(default_factory=dict)
    start_timeout_s: float = 90.0


def free_port() -> int:
    """A loopback port that is free now; another process may still take it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LocalDirectus:
    """One Directus process: ``start``, ``stop``, and again; its database stays in ``data_dir``."""

    def __init__(
        self,
        options: DirectusOptions,
        *,
        installation: Installation | None = None,
        progress: Callable[[str], None] = stderr_progress,
    ) -> None:
        self._options = options
        self._data_dir = options.data_dir.absolute()  # Directus runs in another folder
        self._installation = installation
        self._progress = progress
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address, without a trailing slash."""
        return f"http://127.0.0.1:{self._options.port}"

    @property
    def log_path(self) -> Path:
        """What the process writes on stdout and stderr, of this start and those before."""
        return self._data_dir / "directus.log"

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self._data_dir / "directus.db"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self.pid is not None

    def start(self) -> None:
        """Install (once), make the database (once), start, and wait until it answers.

        Raises ConfigurationError: the port is taken, the installation can't be made, or Directus
        ended or stayed silent; the message ends with its last words and where the log is.
        """
        if self.is_running:
            return
        self._refuse_taken_port()
        installation = self._installation or ensure_installed(self._progress)
        self._installation = installation
        for folder in ("uploads", "extensions"):
            (self._data_dir / folder).mkdir(parents=True, exist_ok=True)
        self._make_database(installation)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                (installation.node, "--require", LOCK_FOLDER / "end-with-parent.cjs", installation.cli, "start"),
                cwd=installation.folder,  # it wants a package.json there
                env=self.environment(self.database_path),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is ours to handle: Directus goes last
            )
        try:
            self._wait_until_up()
        except BaseException:
            self.stop(grace_s=2)
            raise

    def stop(self, grace_s: float = 10.0) -> None:
        """End the process: SIGTERM, and after ``grace_s`` seconds SIGKILL. Does nothing when it has ended."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL); ``start`` brings it back with its data."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def environment(self, database: Path) -> dict[str, str]:
        """The whole environment of the process, secrets included: never log it."""
        options = self._options
        environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environ |= {
            "NODE_ENV": "production",
            "HOST": "127.0.0.1",
            "PORT": str(options.port),
            "PUBLIC_URL": self.url,
            "LOG_LEVEL": "warn",
            "LOG_STYLE": "raw",
            "DB_CLIENT": "sqlite3",
            "DB_FILENAME": str(database),
            "SECRET": options.secrets.secret,
            "ADMIN_EMAIL": options.secrets.admin_email,
            "ADMIN_PASSWORD": options.secrets.admin_password,
            "ADMIN_TOKEN": options.secrets.admin_token,
            "TELEMETRY": "false",
            "WEBSOCKETS_ENABLED": "true",
            "WEBSOCKETS_REST_AUTH": "handshake",
            # Else it is copied at each event of the WebSocket: a write of 50 watched rows took 0.3 s, not 0.2.
            "CACHE_SCHEMA_FREEZE_ENABLED": "true",
            "STORAGE_LOCATIONS": "local",
            "STORAGE_LOCAL_ROOT": str(self._data_dir / "uploads"),
            "EXTENSIONS_PATH": str(self._data_dir / "extensions"),
            # By default a Flow's request to its own machine is refused, silently.
            "IMPORT_IP_DENY_LIST": "169.254.169.254",
            # A Flow may read this one variable, so that the secret needs not lie in the Flow itself.
            "FLOWS_ENV_ALLOW_LIST": "DIRECTUS_WEBHOOK_SECRET",
            "DIRECTUS_WEBHOOK_SECRET": options.secrets.webhook_secret,
        }
        if options.cors_origin is not None:
            # Since 12.1 the WebSocket upgrade checks it too, and "*" does not match there.
            environ |= {"CORS_ENABLED": "true", "CORS_ORIGIN": options.cors_origin}
        return environ | dict(options.extra_env)

    def _make_database(self, installation: Installation) -> None:
        """Bootstrap a new database, and migrate one that another installation made.

        A new one is made under another name and renamed when it is whole: bootstrap takes any
        database with tables for a finished one and would then leave it without an administrator.
        """
        stamp = self._data_dir / "directus.version"
        fresh = not self.database_path.exists()
        if not fresh and stamp.exists() and stamp.read_text(encoding="utf-8") == installation.key:
            return
        target = self.database_path.with_suffix(".new") if fresh else self.database_path
        if fresh:
            target.unlink(missing_ok=True)
        self._progress("Making Directus's database …" if fresh else "Bringing Directus's database up to date …")
        with self.log_path.open("ab") as log:
            ended = subprocess.run(  # noqa: S603 - our own command, no shell
                (installation.node, installation.cli, "bootstrap"),
                cwd=installation.folder,
                env=self.environment(target),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if ended.returncode:
            raise ConfigurationError(f"Directus could not make its database: {self._last_words()}")
        if fresh:
            target.rename(self.database_path)
        stamp.write_text(installation.key, encoding="utf-8")

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + self._options.start_timeout_s
        while time.monotonic() < deadline:
            if not self.is_running:
                raise ConfigurationError(f"Directus ended at its start: {self._last_words()}")
            if self._answers():
                return
            time.sleep(_POLL_S)
        raise ConfigurationError(
            f"Directus did not answer within {self._options.start_timeout_s:.0f} s: {self._last_words()}"
        )

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._options.port, timeout=2)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/server/ping")
            return connection.getresponse().status == http.client.OK
        return False

    def _refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self._options.port))
            except OSError as error:
                msg = (
                    f"port {self._options.port} is taken (perhaps Directus runs already); "
                    "end what uses it, or choose another with --directus-port"
                )
                raise ConfigurationError(msg) from error

    def _last_words(self) -> str:
        """The log's last line and where the log is, with the secrets taken out."""
        text = self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        last = lines[-1][:300] if lines else "it said nothing"
        own = self._options.secrets
        for secret in (own.secret, own.admin_token, own.admin_password, own.webhook_secret):
            last = last.replace(secret, "***")
        return f"{last}; all of it: {self.log_path}"

"""What the demo keeps in ``.erleah/``: its secrets, its databases, and the settings for other terminals."""

from __future__ import annotations

import json
import os
import secrets as randomness
from typing import TYPE_CHECKING

from cli.local_directus import DirectusSecrets
from cli.running_demo import read_env

if TYPE_CHECKING:
    from pathlib import Path

    from cli.running_demo import RunningDemo
    from services.settings import Settings

__all__ = ["DemoState"]

_PASSED_ON = ("embedding_provider", "embedding_model", "embedding_dimensions", "embedding_model_path")


class DemoState:
    """The folder of one demo; its secrets are made once and readable by their owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / ".gitignore").write_text("*\n", encoding="utf-8")
        kept = self._kept_secrets()
        self.api_key: str = kept.pop("api_key")
        self.directus_secrets = DirectusSecrets(**kept)

    @property
    def directus_folder(self) -> Path:
        """Directus's database, files and log."""
        return self._folder / "directus"

    @property
    def index_folder(self) -> Path:
        """The embedded index."""
        return self._folder / "index"

    @property
    def env_file(self) -> Path:
        """Settings for commands in other terminals, there while the demo runs."""
        return self._folder / "demo.env"

    @property
    def page_address(self) -> str:
        """Where the chat page of the running demo is, by its settings file."""
        kept = read_env(self.env_file)
        if not kept:
            return ""
        return f"{kept['WEBHOOK_PUBLIC_URL']}/widget/?conference={kept['DEFAULT_CONFERENCE_ID']}"

    def write_env(self, settings: Settings, redis_url: str, has: RunningDemo) -> None:
        """Leave the settings for other terminals; ``redis_url`` is where they reach the embedded Redis.

        Keys of models stay in the demo's own terminal; ``has`` says what it has by them.
        """
        values: dict[str, object] = {
            "DIRECTUS_URL": settings.directus_url,
            "DIRECTUS_API_KEY": self.api_key,
            "DIRECTUS_ADMIN_TOKEN": self.directus_secrets.admin_token,
            "DIRECTUS_WEBHOOK_SECRET": self.directus_secrets.webhook_secret,
            "WEBHOOK_PORT": settings.webhook_port,
            "WEBHOOK_PUBLIC_URL": settings.webhook_public_url,
            "REDIS_URL": redis_url,
            "QDRANT_URL": settings.qdrant_url,
            "DEFAULT_CONFERENCE_ID": settings.default_conference_id,
        }
        values |= {name.upper(): getattr(settings, name) for name in _PASSED_ON if getattr(settings, name) is not None}
        values |= has.env
        _write_private(self.env_file, "".join(f"{name}={value}\n" for name, value in values.items()))

    def remove_env(self) -> None:
        """The demo has ended: other terminals must not find its settings."""
        self.env_file.unlink(missing_ok=True)

    def _kept_secrets(self) -> dict[str, str]:
        path = self._folder / "secrets.json"
        if path.is_file():
            kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
            return kept
        made = DirectusSecrets.random()
        kept = {
            "secret": made.secret,
            "admin_token": made.admin_token,
            "admin_password": made.admin_password,
            "webhook_secret": made.webhook_secret,
            "admin_email": made.admin_email,
            "api_key": randomness.token_urlsafe(24),
        }
        _write_private(path, json.dumps(kept, indent=1))
        return kept


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)

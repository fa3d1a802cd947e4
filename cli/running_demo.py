"""``RunningDemo``: which embedder and models the demo of this folder has, for commands in other terminals.

The demo may have been given keys in its own terminal. They are never written down; that it has them is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from services.embeddings.factory import make_embedder
from services.llm.chain import make_language_model
from services.llm.offline import OFFLINE
from services.settings import DEMO_ENV_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from services.settings import Settings

__all__ = ["RunningDemo", "read_env"]

_EMBEDDER, _MODELS = "DEMO_EMBEDDER", "DEMO_MODELS"


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """The identity of its embedder, and its models' providers in order (``offline`` counts as one)."""

    embedder: str
    models: tuple[str, ...]

    @classmethod
    async def of(cls, settings: Settings) -> Self:
        """What a demo with these settings has; raises ConfigurationError when there is no such embedder."""
        embedder, model = make_embedder(settings), make_language_model(settings)
        try:
            return cls(embedder.identity, model.provider_names)
        finally:
            await embedder.aclose()
            await model.aclose()

    @classmethod
    def behind(cls, settings: Settings) -> Self | None:
        """The running demo that these settings are of; None if they are of anything else."""
        left = read_env()
        if left.get("DIRECTUS_API_KEY") != settings.directus_api_key.get_secret_value() or _EMBEDDER not in left:
            return None
        return cls(left[_EMBEDDER], tuple(left[_MODELS].split(",")))

    @property
    def has_model(self) -> bool:
        """Whether any of them is a model."""
        return any(name != OFFLINE for name in self.models)

    @property
    def env(self) -> dict[str, str]:
        """What is written beside the demo's settings; names that are no settings, so nobody takes them for one."""
        return {_EMBEDDER: self.embedder, _MODELS: ",".join(self.models)}


def read_env(file: Path = DEMO_ENV_FILE) -> dict[str, str]:
    """What a demo has left for other terminals; nothing when none runs."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)

"""Where the window's files are."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["static_dir"]


def static_dir() -> Path:
    """The folder of the chat page, to be served as it is under ``/widget/``.

    Erleah is always installed as plain files, never run from a zip archive, so it is a real path.
    """
    return Path(str(files("widget") / "static"))

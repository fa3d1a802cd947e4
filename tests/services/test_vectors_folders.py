"""The folders of embedded indexes: held by one process at a time, and gone with those that need none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from services.vectors import folders
from services.vectors.folders import HeldFolder, temporary_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folders, "_MEMORY", tmp_path / "no such folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    """A second holder is refused until the first lets go; the folder stays."""
    first = HeldFolder(tmp_path / "index")
    with pytest.raises(BlockingIOError, match="held"):
        HeldFolder(tmp_path / "index")
    first.let_go()
    HeldFolder(tmp_path / "index").let_go()
    assert (tmp_path / "index").is_dir()


def test_a_temporary_folder_is_gone_when_it_is_let_go(place: Path) -> None:
    """And so is what was written into it."""
    held = temporary_folder()
    assert held.path.parent == place
    (held.path / "shard").mkdir()
    held.let_go()
    assert not held.path.exists()


def test_what_killed_processes_left_is_swept_and_what_lives_is_not(place: Path) -> None:
    """An old folder that nobody holds goes at the next start; held ones and one that was made just now stay."""
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "from services.vectors.folders import HeldFolder\n"
        f"HeldFolder(Path({str(place / 'erleah-index-dead')!r}))\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)  # noqa: S603 - our own program
    living = HeldFolder(place / "erleah-index-living")
    (place / "erleah-index-young").mkdir()
    old = time.time() - 3600
    for name in ("dead", "living"):
        os.utime(place / f"erleah-index-{name}", (old, old))
    held = temporary_folder()
    kept = {path.name for path in place.iterdir()}
    assert kept == {"erleah-index-living", "erleah-index-young", held.path.name}
    held.let_go()
    living.let_go()


def test_memory_is_taken_only_where_there_is_room(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's 64 MB of shared memory are left alone."""
    memory = place / "memory"
    memory.mkdir()
    monkeypatch.setattr(folders, "_MEMORY", memory)
    roomy = temporary_folder()
    assert roomy.path.parent == memory
    roomy.let_go()
    monkeypatch.setattr(folders, "_MEMORY_WANTED_BYTES", 10**18)
    cramped = temporary_folder()
    assert cramped.path.parent == place
    cramped.let_go()

